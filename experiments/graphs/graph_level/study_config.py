"""How much is measured."""

import dataclasses

from experiments.harness.configuration import check_types, require


@dataclasses.dataclass(frozen=True)
class GraphLevelConfig:
    """Sizes of all studies.

    Args:
        counted: random graphs whose cycles and paths are counted.
        network_hidden: width of the untrained network that tells graphs apart.
        fold_sets, folds: sets of GIN's table, and how many of their ten folds.
        fold_epochs, fold_steps, fold_hidden, fold_halved: GIN's training: steps of 32 graphs, an epoch's
            number of them, width, epochs after which the rate is halved.
        task_set, task_epochs, task_steps: of the scenarios.
        task_repeats: tasks for each seed.
        motif_graphs, motif_epochs, motif_steps: of the set whose important edges are known.
        learn_steps, learn_graphs: of learning to count 5-cycles, which 0 leaves out.
    """

    counted: int = 5
    network_hidden: int = 16
    fold_sets: tuple[str, ...] = ("mutag", "ptc")
    folds: int = 10
    fold_epochs: int = 25
    fold_steps: int = 12
    fold_hidden: int = 32
    fold_halved: int = 8
    task_set: str = "mutag"
    task_epochs: int = 10
    task_steps: int = 15
    task_repeats: int = 1
    motif_graphs: int = 240
    motif_epochs: int = 15
    motif_steps: int = 15
    learn_steps: int = 0
    learn_graphs: int = 750

    def __post_init__(self) -> None:
        check_types(self)
        words = ("fold_sets", "task_set", "learn_steps")
        positive = {
            field.name: getattr(self, field.name) > 0
            for field in dataclasses.fields(self)
            if field.name not in words
        }
        positive["folds"] = 1 <= self.folds <= 10
        positive["motif_graphs"] = self.motif_graphs >= 20 and self.motif_graphs % 2 == 0
        sets = len(self.fold_sets) > 0
        require(self, **positive, fold_sets=sets, learn_steps=self.learn_steps >= 0)
