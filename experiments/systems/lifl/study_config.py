"""Sizes of all studies of LIFL."""

import dataclasses

from experiments.harness.configuration import check_types, require


@dataclasses.dataclass(frozen=True)
class LiflConfig:
    """Sizes of all studies.

    Args:
        trees: random ones whose result is compared with the mean in one sum.
        traces: random ones on which updates of one size are placed.
        mixed: random ones with updates of many sizes.
        size: numbers of a model in rounds of real processes.
        updates: of a round.
        nodes: over which it is spread.
        rounds: in a row.
        plane_sizes: numbers of a model that is handed over, rising.
        repeats: of each.
        idle_seconds: for which processes are left alone.
        fold_seconds: that a fold takes where schedules are timed.
        timed: updates of those.
    """

    trees: int = 100
    traces: int = 200
    mixed: int = 20
    size: int = 100_000
    updates: int = 12
    nodes: int = 3
    rounds: int = 2
    plane_sizes: tuple[int, ...] = (256, 4096, 65_536, 1 << 20, 11_700_000)
    repeats: int = 7
    idle_seconds: float = 2.0
    fold_seconds: float = 0.05
    timed: int = 8

    def __post_init__(self) -> None:
        check_types(self)
        counts = {
            f.name: getattr(self, f.name) >= 1 for f in dataclasses.fields(self) if f.type is int
        }
        require(
            self,
            **{
                **counts,
                # So that every leaf has two updates.
                "nodes": self.nodes >= 2,
                "updates": self.updates % (2 * self.nodes) == 0,
                "timed": self.timed >= 4,
                "plane_sizes": len(self.plane_sizes) > 1
                and min(self.plane_sizes) > 0
                and list(self.plane_sizes) == sorted(self.plane_sizes),
                "idle_seconds": self.idle_seconds > 0,
                "fold_seconds": self.fold_seconds > 0,
            },
        )


QUICK = LiflConfig()
STANDARD = dataclasses.replace(
    QUICK, size=1_000_000, updates=42, rounds=5, repeats=21, idle_seconds=5.0, timed=16
)
TINY = dataclasses.replace(
    QUICK, trees=5, traces=10, mixed=2, size=1000, updates=8, nodes=2, repeats=3, timed=4,
    plane_sizes=(256, 65_536), idle_seconds=0.2, fold_seconds=0.02,
)  # fmt: skip
