"""Results for a terminal: in words, and as the plain data of `--json`."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ntkexec import summary
from ntkexec.ensemble import Ensemble, GaussianEnsemble
from ntkexec.program.fields import Bits, Field, Table
from ntkexec.program.program import Program
from ntkexec.programs import split_words
from ntkexec.programs.instance import Instance
from ntkexec.programs.sizes import ProgramSizes
from ntkexec.runtime.tables import as_text
from ntkexec.theory.at_width import AtWidth
from ntkexec.theory.certificate import Certificate


class Odds(NamedTuple):
    """What an ensemble's size is chosen for: this probability of any error in so many decisions."""

    delta: float
    num_decisions: int


def certificate(certified: Certificate, finite: AtWidth | None, odds: Odds) -> str:
    """A certificate, with the ensemble size that it asks for in the limit and at a width."""
    # The verdict comes first of what a run and a training tell too.
    facts = [row for row in certified.rows() if row[0] != "verdict"]
    rows = [*facts, *summary.certificate_rows(certified, finite, **odds._asdict())]
    if certified.certified:
        size = certified.ensemble_size(**odds._asdict())
        rows.append(
            (
                "ensemble",
                f"{size} network(s) per learning problem, for {odds.num_decisions:,} decisions "
                f"all right with probability {probability(odds.delta)} (infinite width, union bound)",
            )
        )
        if finite is not None and finite.holds:
            size = finite.ensemble_size(**odds._asdict())
            rows.append(("", f"{size} at width {finite.width}, with what the bias leaves"))
    return as_text(rows)


def probability(delta: float) -> str:
    """1 - delta, never rounded to a certainty."""
    told = f"{1 - delta:g}"
    return told if float(told) < 1 else f"1 - {delta:g}"


def program(
    shown: Program,
    counts: ProgramSizes,
    about: str,
    sizes: Mapping[str, int],
    *,
    templates: bool,
) -> str:
    """A program's counts and fields, and its templates if asked for."""
    layout = shown.layout
    rows = [
        ("program", f"{shown.name}: {about}"),
        *([("sizes", _sizes(sizes))] if sizes else []),
        *counts.rows(),
        ("kept", ", ".join(_field(field) for field in layout.computation) or "nothing"),
        ("messages", ", ".join(_field(field) for field in layout.messages) or "none"),
    ]
    return as_text(rows) + (f"\n\n{shown.listing()}" if templates else "")


def _field(field: Field) -> str:
    if isinstance(field, Table):
        inner = ", ".join(_field(leaf) for leaf in field.fields)
        return f"{field.name}[{field.slots}] ({inner})"
    if isinstance(field, Bits):
        return f"{field.name} ({field.num_bits} bits)"
    return f"{field.name} ({field.kind} of {field.num_bits})" if field.num_bits > 1 else field.name


def trained(
    networks: Ensemble | GaussianEnsemble,
    seconds: float,
    folder: Path,
    sizes: Mapping[str, int],
    finite: AtWidth,
    odds: Odds,
    *,
    instance: Instance | None,
) -> str:
    """What `ntkexec train` stored; of an instance, whether its graph is split."""
    return as_text(
        [
            ("program", repr(finite.certificate.problem.program)),
            *([] if instance is None else split_words.split_rows(instance)),
            *([("sizes", _sizes(sizes))] if sizes else []),
            *summary.certificate_rows(finite.certificate, finite, **odds._asdict()),
            ("ensemble", summary.ensemble_told(networks)),
            ("training", summary.training(networks, seconds)),
            *summary.alarm(networks),
            ("stored in", str(folder)),
        ]
    )


def _sizes(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sizes.items())
