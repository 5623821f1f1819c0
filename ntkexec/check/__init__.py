"""Claims that measurements can refute, and their verdicts."""

from ntkexec.check.claims import (
    COLOURS,
    ROUNDING,
    VERDICTS,
    Check,
    Measurement,
    Outcome,
    Relation,
    Verdict,
    carry_out,
    counts,
    in_words,
)
from ntkexec.check.stating import stated_in, statement
from ntkexec.vocabulary import Scale

__all__ = [
    "COLOURS",
    "ROUNDING",
    "VERDICTS",
    "Check",
    "Measurement",
    "Outcome",
    "Relation",
    "Scale",
    "Verdict",
    "carry_out",
    "counts",
    "in_words",
    "stated_in",
    "statement",
]
