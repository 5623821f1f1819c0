"""What is measured: exact statements, squashes on drawn graphs, rivals on three real ones."""

import functools
from typing import Any, TypedDict

import numpy as np
from sklearn.linear_model import RidgeClassifier

from experiments.data.nodes import Split
from experiments.data.typed import TypedGraph
from experiments.graphs.rphgnn import study_exact
from experiments.graphs.rphgnn.collecting import Groups, collect, inputs_of
from experiments.graphs.rphgnn.encoder import RpHGNN, fit_rows
from experiments.graphs.rphgnn.planted import opposite_signs
from experiments.graphs.rphgnn.retaining import retention
from experiments.graphs.rphgnn.rivals import metapath_groups, mixed_groups
from experiments.graphs.rphgnn.study_config import RphgnnConfig
from experiments.harness.study import Studies, Trial

# Of the public scripts: whether even groups begin with the target's features, whether others than
# the target's are used, and how groups are merged.
SETTINGS: dict[str, tuple[bool, bool, Any]] = {
    "acm": (True, True, "mean"),
    "dblp": (False, True, "concat"),
    "freebase": (False, False, "concat"),
}
BATCH = 60
"""Rows of a step: as many as the smallest split has, so that all splits share a program."""

MOST_ITERATIONS = 3
"""Among which the meter chooses."""


def squashes(config: RphgnnConfig, trial: Trial) -> dict[str, float]:
    """Mean test accuracies where sums cancel, after squashing by projections and by sums."""
    generator = trial.generator
    found: dict[str, list[float]] = {"projected": [], "summed": []}
    for run in range(config.runs):
        trial.report("squashes", run, config.runs)
        graph, seed = _planted(config, generator), int(generator.integers(2**32))
        for name, squash in (("projected", "sparse"), ("summed", "sum")):
            draws = np.random.default_rng(seed)
            groups = collect(graph, 2, generator=draws, squash=squash).groups
            found[name].append(_accuracy(config, graph, groups, graph.splits[0], draws))
    return {name: float(np.mean(scores)) for name, scores in found.items()}


class AdviceResult(TypedDict):
    """What the meter chose, what it read, and accuracies of a linear read-out by width and iterations."""

    width: int
    iterations: int
    shares: list[float]
    scores: list[list[float]]
    advised: float
    best: float
    narrowest: float


def advice(config: RphgnnConfig, trial: Trial) -> AdviceResult:
    """Ridge regression on what is collected with every width and number of iterations."""
    graph, seed = _planted(config, trial.generator), int(trial.generator.integers(2**32))
    measured = retention(
        graph, MOST_ITERATIONS, generator=np.random.default_rng(seed), widths=config.widths,
        keep=config.keep,
    )  # fmt: skip
    scores = []
    for width in config.widths:
        draws = np.random.default_rng(seed)
        made = collect(
            graph, MOST_ITERATIONS, generator=draws, squash_width=width, use_input=False
        ).groups
        scores.append(
            [
                _ridge({name: group[:, :k] for name, group in made.items()}, graph)
                for k in range(1, MOST_ITERATIONS + 1)
            ]
        )
    place = config.widths.index(measured.width)
    return {
        "width": measured.width,
        "iterations": measured.iterations,
        "shares": [float(measured.worst(width)[0]) for width in config.widths],
        "scores": scores,
        "advised": scores[place][measured.iterations - 1],
        "best": max(map(max, scores)),
        "narrowest": scores[0][measured.iterations - 1],
    }


def real(config: RphgnnConfig, trial: Trial, *, name: str) -> dict[str, Any]:
    """Test accuracies in percent on one of HeCo's splits, and tensors stored."""
    graph: TypedGraph = trial.load(name)
    use_input, use_all_feat, merge = SETTINGS[name]
    split = graph.splits[trial.seed % len(graph.splits)]
    seed, width, number = int(trial.generator.integers(2**32)), config.width, config.iterations

    def collected(squash: str) -> Groups:
        return collect(
            graph, number, generator=np.random.default_rng(seed), width=width,
            project_features=True, use_all_feat=use_all_feat, use_input=use_input, squash=squash,
        ).groups  # fmt: skip

    inputs = inputs_of(
        graph, generator=np.random.default_rng(seed), width=width, project_features=True,
        use_all_feat=use_all_feat,
    )  # fmt: skip
    arms = {
        "rphgnn": lambda: collected("sparse"),
        "summed": lambda: collected("sum"),
        "homogenised": lambda: mixed_groups(graph, inputs, hops=2 * number),
        "paths": lambda: metapath_groups(graph, inputs, hops=config.hops),
    }
    found: dict[str, Any] = {"tensors": {}}
    for done, (arm, make) in enumerate(arms.items()):
        trial.report(f"{arm} on {name}", done, len(arms))
        groups, draws = make(), np.random.default_rng(seed)
        found["tensors"][arm] = sum(group.shape[1] for group in groups.values())
        found[arm] = 100 * _accuracy(config, graph, groups, split, draws, merge)
    return found


def _planted(config: RphgnnConfig, generator: np.random.Generator) -> TypedGraph:
    return opposite_signs(
        generator, targets=2 * config.nodes, others=config.nodes, noise=config.noise,
        train=config.nodes // 10, validation=config.nodes // 2,
    )  # fmt: skip


def _accuracy(
    config: RphgnnConfig,
    graph: TypedGraph,
    groups: Groups,
    split: Split,
    draws: np.random.Generator,
    merge: Any = "concat",
) -> float:
    network = RpHGNN(graph.num_classes, config.hidden, merge=merge)
    return fit_rows(
        network, groups, graph.labels, split, generator=draws, steps=config.steps, batch=BATCH
    ).test


def _ridge(groups: Groups, graph: TypedGraph) -> float:
    """Test accuracy of a linear read-out whose penalty validation picks; columns have variance 1."""
    x = np.concatenate([group.reshape(len(group), -1) for group in groups.values()], 1)
    x = (x - x.mean(0)) / np.maximum(x.std(0), 1e-9)
    labels, split, found = graph.labels, graph.splits[0], []
    for penalty in (1e0, 1e1, 1e2, 1e3, 1e4):
        fitted = RidgeClassifier(alpha=penalty).fit(x[split.train], labels[split.train])
        held, test = (
            float((fitted.predict(x[part]) == labels[part]).mean())
            for part in (split.validation, split.test)
        )
        found.append((held, test))
    return max(found, key=lambda pair: pair[0])[1]


STUDIES = Studies(
    configs={
        "quick": RphgnnConfig(),
        "standard": RphgnnConfig(steps=500, hidden=256, iterations=6, width=512),
    },
    tiny=RphgnnConfig(
        nodes=60, runs=1, widths=(4, 16), steps=5, hidden=4, iterations=1, width=4, hops=1
    ),
    functions={
        "walk": study_exact.walk,
        "projection": study_exact.projection,
        "reach": study_exact.reach,
        "counts": study_exact.counts,
        "squashes": squashes,
        "advice": advice,
        **{name: functools.partial(real, name=name) for name in SETTINGS},
    },
    slow=("squashes", *SETTINGS),
)
