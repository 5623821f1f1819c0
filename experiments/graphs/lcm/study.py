"""What is trained: sets, graphs, and a real set."""

from typing import Any

import jax
import numpy as np

from experiments.graphs.lcm import study_exact
from experiments.graphs.lcm.networks import NodeNetwork
from experiments.graphs.lcm.study_config import QUICK, STANDARD, TINY, LcmConfig
from experiments.graphs.lcm.training import (
    Arm,
    Setup,
    random_graphs,
    trained_on_graphs,
    trained_on_sets,
)
from experiments.harness.study import Studies, Trial
from experiments.kits.initialisation import initial_by_numpy
from experiments.kits.nodes.fitting import fit, graph_of

FIXED = {"sum": (1.0, 0.0, 0.0), "mean": (0.0, 1.0, 0.0), "max": (0.0, 0.0, 1.0)}


def sets(config: LcmConfig, trial: Trial) -> dict[str, dict[str, Any]]:
    """Of each aggregator, shares of exact matches by size, and how it keeps the law that is trained."""
    most = config.most
    sizes = (most, 2 * most, 4 * most)
    arms = {
        "lcm": ("lcm", Arm(config.associativity)),
        "lcm_free": ("lcm", Arm(0.0)),
        "recurrent": ("recurrent", Arm(config.order)),
        "recurrent_free": ("recurrent", Arm(0.0)),
        **{name: ("fixed", Arm(0.0, shares)) for name, shares in FIXED.items()},
    }
    found = {}
    for done, (name, (aggregator, arm)) in enumerate(arms.items()):
        trial.report(f"sets, {name}", done, len(arms))
        setup = _setup(config, aggregator, most, config.steps)
        result = jax.device_get(
            trained_on_sets(setup, sizes, _begun(setup, trial), _numbers(arm), trial.key)
        )
        matches = {f"at_{n}x": float(m) for n, m in zip((1, 2, 4), result["matches"], strict=True)}
        found[name] = matches | {k: float(result[k]) for k in ("loss", "law", "permutation")}
    return found


def graphs(config: LcmConfig, trial: Trial) -> dict[str, dict[str, float]]:
    """Of each aggregator, shares of nodes that tell the second-smallest label of their neighbours."""
    generator, nodes = trial.generator, config.nodes
    train, most = random_graphs(generator, config.pool, nodes, nodes * config.degree // 2)
    test, more = random_graphs(generator, config.pool, nodes, nodes * config.test_degree // 2)
    # One number for all seeds, so that the program is compiled once.
    longest = max(min(nodes, 2 * config.test_degree + 16), most, more)
    arms = {
        "lcm": ("lcm", Arm(config.associativity)),
        "recurrent": ("recurrent", Arm(config.order)),
        **{name: ("fixed", Arm(0.0, shares)) for name, shares in FIXED.items()},
    }
    found = {}
    for done, (name, (aggregator, arm)) in enumerate(arms.items()):
        trial.report(f"graphs, {name}", done, len(arms))
        setup = _setup(config, aggregator, longest, config.graph_steps)
        result = jax.device_get(
            trained_on_graphs(
                setup, nodes, _begun(setup, trial), _numbers(arm), trial.key, train, test
            )
        )
        found[name] = {k: float(v) for k, v in result.items()}
    return found


def real(config: LcmConfig, trial: Trial) -> dict[str, float]:
    """Test accuracies on texas in percent, one of the ten splits a seed, by aggregator."""
    data = trial.load("texas")
    graph, split = graph_of(data, rows="sum"), data.splits[trial.seed % len(data.splits)]
    longest, found = int(np.bincount(graph.receivers).max()), {}
    arms: dict[str, tuple[str, dict[str, float]]] = {"lcm": ("lcm", {})} | {
        name: ("fixed", dict(zip(("sum_weight", "mean_weight", "max_weight"), shares, strict=True)))
        for name, shares in FIXED.items()
    }
    for done, (name, (aggregator, fields)) in enumerate(arms.items()):
        trial.report(f"texas, {name}", done, len(arms))
        network = NodeNetwork(data.num_classes, aggregator, config.real_width, longest=longest)
        fitted = fit(
            network, graph, data.labels, split, generator=trial.generator,
            steps=config.real_steps, weight_decay=5e-4, fields={"dropout": 0.5, **fields},
        )  # fmt: skip
        found[name] = 100 * fitted.test
    return found


def _setup(config: LcmConfig, aggregator: str, most: int, steps: int) -> Setup:
    return Setup(aggregator, config.bits, config.width, most, config.batch, steps, config.rate)


def _begun(setup: Setup, trial: Trial) -> Any:
    """The same first parameters for all arms of a seed: a fixed aggregator's GRU is never used."""
    labels = np.zeros((1, 2), np.int32)
    return initial_by_numpy(setup.network, trial.generator, labels)


def _numbers(arm: Arm) -> Arm:
    return Arm(np.float32(arm.strength), np.asarray(arm.shares, np.float32))


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={
        "laws": study_exact.kept_laws, "counts": study_exact.counts, "sets": sets, "graphs": graphs,
        "real": real,
    },
    slow=("sets", "graphs", "real"),
)  # fmt: skip
