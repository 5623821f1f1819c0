"""Ports that are made for a test: an about.toml's content without a folder, studies and claims."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.data.sets import DataSet, Place
from experiments.harness.about import About, Paper
from experiments.harness.claim import Claim
from experiments.harness.experiment import Experiment
from experiments.harness.study import Studies
from ntkexec.check import Measurement

PAPER = Paper("A title", "Somebody", 2020, arxiv="2000.00001")


def claim(name: str, measure: Any, bound: float = 0.0, **fields: Any) -> Claim:
    """A claim on records, whose twin gives not-a-number, which never holds."""
    words = {"claim": "claim", "source": "source", "how": "how", "bound_from": "theory", **fields}
    broken = fields.get("broken", lambda records: Measurement(float("nan")))
    return Claim(name=name, bound=bound, measure=measure, **{"broken": broken, **words})


def port(
    functions: Mapping[str, Any],
    claims: tuple[Claim, ...],
    config: Any,
    *,
    slug: str = "example",
    title: str = "An example",
    expected: Mapping[str, str] | None = None,
    folder: Path = Path("nowhere"),
    **studies: Any,
) -> Experiment[Any]:
    """A port with one scale, at which every claim is expected to hold unless told otherwise."""
    verdicts: Any = {one.name: "holds" for one in claims} | dict(expected or {})
    about = About(slug, "graphs", title, PAPER, (), verdicts, 0.0, folder)
    made = Studies(
        **{"configs": {"quick": config}, "tiny": config, "functions": functions, **studies}
    )
    return Experiment(about, made, claims)


def row(name: str) -> DataSet:
    """A set that no catalogue has: whatever lies under its name."""
    return DataSet(
        name, "made up", "things", (Place(name),), "https://example.org", "Somebody, 2020"
    )
