"""What a run came to: records, verdicts, and which of them surprise."""

import dataclasses
from typing import Any

from experiments.files.storage import plain
from experiments.harness.experiment import Experiment
from experiments.harness.study import Record
from ntkexec.check import Outcome, counts

FORMAT = "ntkexec-experiment/3"


@dataclasses.dataclass(frozen=True)
class Report:
    """An experiment that was run and judged.

    Args:
        experiment: what was run.
        scale: of the configuration, or "custom" where fields were changed.
        config: the configuration itself.
        records: of all seeds.
        outcomes: of all claims, in their order.
        seconds: spent on measuring, whenever that was.
        cpu_seconds: of processor time, likewise.
        reused: results that were stored before, of `len(records) * len(studies)`.
        environment: versions and device of this run.
    """

    experiment: Experiment[Any]
    scale: str
    config: Any
    records: tuple[Record, ...]
    outcomes: tuple[Outcome, ...]
    seconds: float
    cpu_seconds: float
    reused: int
    environment: dict[str, str]

    def expected(self, outcome: Outcome) -> str:
        """The verdict that about.toml expects of a claim."""
        return self.experiment.about.expected[outcome.check.name]

    def surprises(self, outcome: Outcome) -> bool:
        """Whether a claim fails that is expected to hold, or holds that is expected to fail.

        What is undecided or not measured contradicts nothing, and where no decision is expected none
        is a contradiction.
        """
        return {outcome.verdict, self.expected(outcome)} == {"holds", "fails"}

    @property
    def surprising(self) -> tuple[Outcome, ...]:
        """The claims whose verdicts contradict what is expected of them."""
        return tuple(outcome for outcome in self.outcomes if self.surprises(outcome))

    def to_data(self) -> dict[str, Any]:
        """The report as plain data, for JSON."""
        about = self.experiment.about
        return plain(
            {
                "format": FORMAT,
                "experiment": about.slug,
                "area": about.area,
                "title": about.title,
                "paper": dataclasses.asdict(about.paper),
                "scale": self.scale,
                "config": dataclasses.asdict(self.config),
                "seeds": [record.seed for record in self.records],
                "summary": {name.replace(" ", "_"): n for name, n in counts(self.outcomes).items()},
                "surprises": [outcome.check.name for outcome in self.surprising],
                "claims": [
                    {
                        **outcome.to_data(),
                        "expected": self.expected(outcome),
                        "provenance": claim.provenance,
                        "published": claim.published,
                    }
                    for outcome, claim in zip(self.outcomes, self.experiment.claims, strict=True)
                ],
                "records": [record.to_data() for record in self.records],
                "seconds": self.seconds,
                "cpu_seconds": self.cpu_seconds,
                "reused": self.reused,
                "environment": self.environment,
            }
        )
