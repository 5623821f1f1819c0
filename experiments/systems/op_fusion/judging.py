"""What all claims of the operator-fusion experiment share: sources, bounds, and how one is put."""

from collections.abc import Callable, Mapping
from typing import Any

from experiments.harness.experiment import Record, Records
from ntkexec.check import Check, Measurement, Relation

PAPER = "Mills et al., arXiv:2501.00636"
OURS = "this port; the paper compares heuristics with each other only"
SEEDS = "mean over seeds, 95 % t interval"
EXACT = "exact"
Measure = Callable[[Records], Measurement]


def with_entries(
    study: str, part: str, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> Any:
    """Changes every entry of one part of a study's result."""

    def changed(record: Record) -> Record:
        values = {name: {**v, **change(v)} for name, v in record[study][part].items()}
        return record.changed(study, **{part: values})

    return changed


def claim(
    name: str,
    text: str,
    measure: Measure,
    change: Callable[[Record], Record],
    *,
    source: str,
    how: str,
    bound: float,
    bound_from: str,
    relation: Relation = "at most",
    plot: Callable[[Measurement], Any] | None = None,
) -> Check[Records]:
    """A check whose broken twin is the same measurement on changed records."""
    return Check(
        name=name,
        claim=text,
        source=source,
        how=how,
        bound=bound,
        bound_from=bound_from,
        measure=measure,
        broken=lambda records: measure([change(record) for record in records]),
        relation=relation,
        plot=plot,
    )
