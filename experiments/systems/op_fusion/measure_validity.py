"""Studies of the predictor: how well validity is predicted, by it and by what knows no graph."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from experiments.harness.experiment import Result, Trial
from experiments.systems.op_fusion.config import OpFusionConfig
from experiments.systems.op_fusion.cost import KB, CostModel, Fusion
from experiments.systems.op_fusion.dataset import examples, random_groups
from experiments.systems.op_fusion.networks import network
from experiments.systems.op_fusion.predictor import Example, Predictor, fit, scores, summed_features

Report = Callable[[str, int, int], None]


@functools.lru_cache(maxsize=2)
def trained(
    config: OpFusionConfig, fusion: Fusion, seed: int, report: Report
) -> tuple[Predictor, tuple[Example, ...], tuple[Example, ...]]:
    """A predictor, the groups that it was trained on, and those that it was not.

    It depends on the seed alone, so that the studies of one seed explain the one that was tested.
    """
    generator = np.random.default_rng([seed, 1])
    networks = config.networks if fusion == "lbdf" else config.brr_networks
    buffers = config.buffers_kb if fusion == "lbdf" else config.brr_buffers_kb
    data = examples(networks, fusion, buffers, config.groups, generator, report)
    order = generator.permutation(len(data))
    num_train = len(data) * 9 // 10
    train_set = tuple(data[i] for i in order[:num_train])
    test_set = tuple(data[i] for i in order[num_train:])
    predictor = _fit(config, train_set, jax.random.key(seed), generator, report)
    return predictor, train_set, test_set


def _fit(
    config: OpFusionConfig,
    train_set: Sequence[Example],
    key: jax.Array,
    generator: np.random.Generator,
    report: Report,
) -> Predictor:
    return fit(
        train_set,
        key=key,
        generator=generator,
        steps=config.steps,
        hidden=config.hidden,
        layers=config.layers,
        batch_size=min(64, len(train_set)),
        report=report,
    )


def compare(
    predictor: Predictor, train_set: Sequence[Example], test_set: Sequence[Example]
) -> dict[str, Any]:
    """Accuracy and F1 of the predictor and of its baselines."""
    truth = np.array([e.invalid for e in test_set])
    seen = np.array([e.invalid for e in train_set])
    majority = np.full(len(truth), seen.mean() > 0.5)
    simple = majority
    if 0 < seen.sum() < len(seen):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=100.0, max_iter=2000))
        model.fit(summed_features(train_set), seen)
        simple = model.predict(summed_features(test_set)).astype(bool)
    return {
        "gnn": scores(truth, predictor(test_set) > 0.5),
        "logistic": scores(truth, simple),
        "majority": scores(truth, majority),
        "num_test": len(truth),
        "invalid": float(truth.mean()),
    }


def validity(config: OpFusionConfig, trial: Trial) -> Result:
    """Scores for both types of fusion, and under LBDF on a network that was not trained on; also
    the share of valid groups at each buffer."""
    found: dict[str, Any] = {}
    for fusion in ("lbdf", "brr"):
        found[fusion] = compare(*trained(config, fusion, trial.seed, quiet))
        trial.report(f"{fusion} predictor", len(found), 3)
    _, train_set, test_set = trained(config, "lbdf", trial.seed, quiet)
    both = (*train_set, *test_set)
    known = [e for e in both if e.network != config.held_out]
    unknown = [e for e in both if e.network == config.held_out]
    predictor = _fit(config, known, trial.key, trial.generator, quiet)
    found["unseen network"] = compare(predictor, known, unknown)
    return found


def buffers(config: OpFusionConfig, trial: Trial) -> Result:
    """The share of valid groups at each buffer, over the same groups."""
    fits = np.zeros(len(config.buffers_kb))
    num = 0
    for name in config.networks:
        graph = network(name).graph
        smallest = CostModel(graph, "lbdf", min(config.buffers_kb) * KB)
        for group in random_groups(smallest, config.groups, trial.generator):
            memory = smallest(group).memory
            fits += [memory < buffer * KB for buffer in config.buffers_kb]
            num += 1
    return {"buffers_kb": config.buffers_kb, "valid": fits / num, "groups": num}


def quiet(what: str, done: int, total: int) -> None:
    """Progress that nobody is told of; one function, so that what was trained is found again."""
