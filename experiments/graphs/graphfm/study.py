"""What is measured: losses and their cost, leaks on null graphs, and both protocols on citation graphs."""

import functools
from typing import Any

import numpy as np

from experiments.data.nodes import NodeData
from experiments.graphs.graphfm.auditing import RELEASED, STRICT, Protocol, audit
from experiments.graphs.graphfm.methods import METHODS
from experiments.graphs.graphfm.pretraining import Pretrained, pretrain
from experiments.graphs.graphfm.probes import selection_inflation
from experiments.graphs.graphfm.study_config import GraphfmConfig
from experiments.graphs.graphfm.study_exact import blocks, closed_forms, cost
from experiments.harness.study import Result, Studies, Trial
from experiments.kits.graph.segments import GraphsTuple
from experiments.kits.nodes.generators import null_graph

PROTOCOLS = {"strict": STRICT, "released": RELEASED}


class _Kept:
    """A method of the six that keeps what the last pre-training returned."""

    def __init__(self, method: str, config: GraphfmConfig, steps: int, room: int) -> None:
        self.method = method
        self.settings: dict[str, Any] = {
            "steps": steps,
            "checkpoints": config.checkpoints,
            "width": config.width,
            "room": room,
            "among": tuple(METHODS),
        }
        self.found: Pretrained | None = None

    def __call__(self, graph: GraphsTuple, generator: np.random.Generator) -> np.ndarray:
        self.found = pretrain(self.method, graph, generator=generator, **self.settings)
        return self.found.checkpoints


def null(config: GraphfmConfig, trial: Trial) -> Result:
    """Audits of both protocols and all methods on the same null graphs."""
    found: dict[str, Any] = {name: {} for name in PROTOCOLS}
    generator = trial.generator
    base = null_graph(generator, nodes=config.null_nodes, features=64, degree=4)
    seed = int(generator.integers(2**32))
    for done, method in enumerate(METHODS):
        trial.report("audits", done, len(METHODS))
        for name, protocol in PROTOCOLS.items():
            made = _Kept(method, config, config.null_steps, len(base.edges))
            told = audit(
                protocol,
                made,
                generator=np.random.default_rng(seed),  # the same graphs for all
                data=base,
                draws=config.null_draws,
                runs_on_data=False,  # they mean as little as their nulls
            )
            found[name][method] = {
                "shown": told.shown,
                "moved": told.moved,
                "auc": told.auc.value,
                "accuracy": told.accuracy.value,
                "clean": float(told.clean),
            }
            found["chance"] = told.chance
    return found


def citation(config: GraphfmConfig, trial: Trial, *, name: str) -> Result:
    """All methods under both protocols on a citation graph; links, nodes and, if strict, clusters."""
    data: NodeData = trial.load(name)
    found: dict[str, Any] = {"strict": {}, "released": {}}
    right: list[np.ndarray] = []
    for done, method in enumerate(METHODS):
        trial.report(f"methods on {name}", done, len(METHODS))
        for kind in PROTOCOLS:
            protocol = Protocol(kind == "released", kind == "released", clusters=kind == "strict")
            generator = trial.generator  # the same held-out edges and nodes for all
            made = _Kept(method, config, config.steps, len(data.edges))
            told = protocol(made, data, generator)
            numbers = {"auc": told.auc, "accuracy": told.accuracy, **told.extras}
            hits = numbers.pop("right")
            if kind == "strict":
                right += hits
                if made.found is not None and "untrained" not in found:
                    # All begin with the same weights, since each draws them by the same generator.
                    plain = protocol(_answer(made.found.untrained), data, trial.generator)
                    untrained = {"auc": plain.auc, "accuracy": plain.accuracy, **plain.extras}
                    del untrained["right"]
                    found["untrained"] = untrained
            found[kind][method] = numbers
    reported, fresh = selection_inflation(np.array(right), trial.generator)
    return {**found, "selection": {"reported": reported, "fresh": fresh}}


def _answer(z: np.ndarray) -> Any:
    def given(graph: GraphsTuple, generator: np.random.Generator) -> np.ndarray:
        return z

    return given


STUDIES = Studies(
    configs={
        "quick": GraphfmConfig(),
        "standard": GraphfmConfig(width=256, null_steps=200, null_draws=10, steps=400),
    },
    tiny=GraphfmConfig(width=16, null_steps=4, null_draws=2, null_nodes=200, steps=4),
    functions={
        "losses": closed_forms,
        "blocks": blocks,
        "cost": cost,
        "null": null,
        "cora": functools.partial(citation, name="cora"),
        "citeseer": functools.partial(citation, name="citeseer"),
    },
    num_seeds=3,
    slow=("null", "cora", "citeseer"),
)
