"""Comparisons in pairs: every model sees the same splits, the same noise and the same seeds."""

import dataclasses
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import numpy as np
from jaxtyping import Float

from experiments.data.graph_sets import Fold, GraphSet
from experiments.graphs.graph_level.scenarios import CLEAN, Scenario, applied, drawn_fold
from experiments.kits.graph_sets.batches import limits_for, stored
from experiments.kits.graph_sets.fitting import Objective, fit
from experiments.kits.graph_sets.inputs import Kind, node_inputs
from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """What a learner is given.

    Args:
        graphs: the set, noisy where the scenario is.
        clean: the set as it was; of equal sizes, so that one program serves all scenarios.
        fold: whose test targets nobody should read.
        seed: of everything that the learner draws.
    """

    graphs: GraphSet
    clean: GraphSet
    fold: Fold
    seed: int


Learner = Callable[[Task], Float[np.ndarray, "G out"]]
"""From a task to outputs of all graphs: a row of scores of classes, or of numbers. Any function will do."""


@dataclasses.dataclass(frozen=True)
class Trainer:
    """A learner that trains a Flax model by `kits.graph_sets.fitting.fit`.

    Args:
        model: from the number of outputs to a module for padded batches.
        epochs, steps, batch: of training, the best epoch by validation.
        learning_rate: of Adam.
        inputs: as for `node_inputs`.
        objective, extras: as for `fit`.
    """

    model: Callable[[int], nn.Module]
    epochs: int = 20
    steps: int = 10
    batch: int = 32
    learning_rate: float = 0.01
    inputs: Kind | None = None
    objective: Objective | None = None
    extras: Any = None

    def __call__(self, task: Task) -> Float[np.ndarray, "G out"]:
        """Outputs of all graphs after training."""
        clean, graphs = task.clean, task.graphs
        most = max(int(g.degrees.max()) for g in clean.graphs)
        store = stored(graphs, node_inputs(graphs, kind=self.inputs, most_degree=most))
        out = clean.num_classes or clean.targets.shape[1]
        fitted = fit(
            self.model(out), store, graphs.targets, task.fold,
            limits=limits_for(clean, self.batch), generator=np.random.default_rng(task.seed),
            epochs=self.epochs, steps=self.steps, learning_rate=self.learning_rate,
            objective=self.objective, extras=self.extras,
        )  # fmt: skip
        return fitted.outputs


@dataclasses.dataclass(frozen=True)
class Row:
    """One model on one task.

    Args:
        dataset, scenario, seed, model: which.
        scores: of the test graphs by metric: `accuracy` and `macro_f1` of classes; `error` (mean absolute)
            and `r2` of numbers.
        seconds: of processor time, compiling included.
    """

    dataset: str
    scenario: str
    seed: int
    model: str
    scores: Mapping[str, float]
    seconds: float


@dataclasses.dataclass(frozen=True)
class Difference:
    """A model's score less the baseline's on the same tasks.

    Args:
        dataset, scenario, model, metric: which.
        mean: over seeds.
        low, high: Student's 95 % interval; infinite of one seed.
        seeds: how many.
    """

    dataset: str
    scenario: str
    model: str
    metric: str
    mean: float
    low: float
    high: float
    seeds: int


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What `compare` measured.

    Args:
        rows: one for each model and task.
    """

    rows: tuple[Row, ...]

    def differences(self, baseline: str) -> tuple[Difference, ...]:
        """Of every other model to one, paired by seed: no leaderboard.

        Raises:
            ExperimentError: no model has this name.
        """
        if baseline not in {row.model for row in self.rows}:
            raise ExperimentError(f"no model is called {baseline!r}")
        scores: dict[tuple[str, str, str, str], dict[int, float]] = {}
        for row in self.rows:
            for metric, value in row.scores.items():
                key = (row.dataset, row.scenario, row.model, metric)
                scores.setdefault(key, {})[row.seed] = value
        found = []
        for (dataset, scenario, model, metric), mine in scores.items():
            if model != baseline:
                theirs = scores[dataset, scenario, baseline, metric]
                gaps = np.array([mine[seed] - theirs[seed] for seed in sorted(mine)])
                half = _half_width(gaps)
                mean = float(gaps.mean())
                found.append(
                    Difference(
                        dataset, scenario, model, metric, mean, mean - half, mean + half, len(gaps)
                    )
                )
        return tuple(found)

    def table(self, baseline: str) -> str:
        """The differences as lines of text."""
        head = f"{'set':16}{'scenario':14}{'model':16}{'metric':10} less {baseline} [95 %]"
        lines = [
            f"{d.dataset:16}{d.scenario:14}{d.model:16}{d.metric:10} {d.mean:+.3f} "
            f"[{d.low:+.3f}, {d.high:+.3f}], {d.seeds} seeds"
            for d in self.differences(baseline)
        ]
        return "\n".join([head, *lines])


def compare(
    models: Mapping[str, Learner],
    sets: Sequence[GraphSet],
    scenarios: Sequence[Scenario] = (CLEAN,),
    *,
    seeds: Sequence[int],
    own_folds: bool = False,
) -> Comparison:
    """Every model on every set under every scenario and seed, each on exactly the same tasks.

    Args:
        models: by name: a `Trainer`, or any function from a `Task` to outputs of all graphs.
        sets: of graphs.
        scenarios: what is done to them.
        seeds: of splits, of noise and of what learners draw; none of the three depends on the model, and
            the split not on the scenario.
        own_folds: takes the set's own fold, the seed's number modulo how many there are, instead of
            drawing 80 / 10 / 10 percent; its test graphs are kept, and where it has no validation, a
            ninth of its training graphs become it.

    Raises:
        ExperimentError: a model's outputs are not a row for each graph, or a scenario does not fit a set.
    """
    rows = []
    for graphs in sets:
        for scenario in scenarios:
            for seed in seeds:
                task = task_of(graphs, scenario, seed, own_folds=own_folds)
                for name, learner in models.items():
                    began = time.process_time()
                    outputs = np.asarray(learner(task))
                    if outputs.ndim != 2 or len(outputs) != len(graphs.graphs):
                        raise ExperimentError(
                            f"{name} gave outputs of shape {outputs.shape} for {len(graphs.graphs)} graphs"
                        )
                    scores = scores_of(outputs[task.fold.test], graphs.targets[task.fold.test])
                    spent = time.process_time() - began
                    rows.append(Row(graphs.name, scenario.name, seed, name, scores, spent))
    return Comparison(tuple(rows))


def task_of(graphs: GraphSet, scenario: Scenario, seed: int, *, own_folds: bool = False) -> Task:
    """What every model is given under a scenario and a seed.

    Raises:
        ExperimentError: the set has no folds of its own, or the scenario does not fit.
    """
    split = np.random.default_rng([seed, 0])
    if own_folds:
        if not graphs.folds:
            raise ExperimentError(f"{graphs.name} has no folds of its own")
        fold = graphs.folds[seed % len(graphs.folds)]
        if not len(fold.validation):
            order = split.permutation(fold.train)
            cut = max(1, len(order) // 9)
            fold = Fold(np.sort(order[cut:]), np.sort(order[:cut]), fold.test)
    else:
        fold = drawn_fold(graphs, split)
    drawn = np.random.default_rng([seed, 1, zlib.crc32(scenario.name.encode())])
    noisy, fold = applied(scenario, graphs, fold, drawn)
    return Task(noisy, graphs, fold, seed)


def scores_of(outputs: Float[np.ndarray, "k out"], targets: np.ndarray) -> dict[str, float]:
    """Accuracy and macro F1 of classes; mean absolute error and R2 of numbers."""
    if targets.ndim == 1:
        found = outputs.argmax(1)
        each = []
        for c in np.unique(np.concatenate([targets, found])):
            right = int(((found == c) & (targets == c)).sum())
            each.append(2 * right / int((found == c).sum() + (targets == c).sum()))
        return {"accuracy": float((found == targets).mean()), "macro_f1": float(np.mean(each))}
    left = np.square(outputs - targets).sum(0)
    total = np.square(targets - targets.mean(0)).sum(0)
    share = np.divide(left, total, out=np.ones_like(left), where=total > 0)
    return {"error": float(np.abs(outputs - targets).mean()), "r2": float(1 - share.mean())}


def _half_width(gaps: np.ndarray) -> float:
    if len(gaps) < 2:
        return float("inf")
    from scipy.stats import t  # a second to import, needed by tables alone

    quantile = float(t.ppf(0.975, len(gaps) - 1))
    return quantile * float(gaps.std(ddof=1)) / len(gaps) ** 0.5
