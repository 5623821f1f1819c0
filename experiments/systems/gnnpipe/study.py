"""What is measured: schemes on devices and processes, how history heals, real bytes, accuracies."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.data.nodes import NodeData
from experiments.harness.configuration import check_types, require
from experiments.harness.study import Studies, Trial
from experiments.kits.graph.operators import normalised
from experiments.kits.mesh.children import run_with_devices
from experiments.kits.nodes.fitting import accuracy, graph_of
from experiments.kits.nodes.generators import contextual_sbm
from experiments.systems.gnnpipe.chunked import fresh_edges
from experiments.systems.gnnpipe.layouts import cut
from experiments.systems.gnnpipe.networks import Network
from experiments.systems.gnnpipe.planning import plan_parallelism
from experiments.systems.gnnpipe.study_devices import (
    GRID_WIDTH,
    apart,
    case,
    on_all_processes,
    on_one_process,
)
from experiments.systems.gnnpipe.training import train_by_chunks

DEVICES, PROCESSES = 8, 2
ARMS = ("parallel", "pipeline", "dropped")


@dataclasses.dataclass(frozen=True)
class GnnpipeConfig:
    """Sizes of all studies, for each seed.

    Args:
        nodes: of the graphs on devices.
        layers: of the networks there, a multiple of eight.
        width: of those networks.
        chunks: of every pipeline.
        steps: of Adam where trainings are compared to the last digit.
        repeats: of an epoch whose time is taken.
        depth: layers of the trained networks, and of the plan for a real graph.
        hidden: their width.
        epochs: of each training.
        warm: of them exact, at the beginning.
        drawn: vertices of the drawn graph to learn on.
    """

    nodes: int = 240
    layers: int = 16
    width: int = 8
    chunks: int = 16
    steps: int = 20
    repeats: int = 3
    depth: int = 16
    hidden: int = 16
    epochs: int = 100
    warm: int = 5
    drawn: int = 1000

    def __post_init__(self) -> None:
        check_types(self)
        require(self, nodes=self.nodes >= 64 and self.nodes % (DEVICES * GRID_WIDTH) == 0)
        require(self, layers=self.layers > 0 and self.layers % DEVICES == 0, width=self.width > 0)
        require(self, chunks=1 < self.chunks <= self.nodes // 4, steps=self.steps > 0)
        require(self, repeats=self.repeats > 0, depth=self.depth > 0, hidden=self.hidden > 0)
        require(self, depth=self.depth % DEVICES == 0, drawn=self.drawn >= 200)
        require(self, epochs=self.epochs > 0, warm=0 < self.warm < self.epochs)


def devices(config: GnnpipeConfig, trial: Trial) -> dict[str, Any]:
    """Every scheme on eight host devices of one process, each program over all of them."""
    sizes = (config.nodes, config.layers, config.width, config.chunks)
    seed = int(trial.generator.integers(2**31))
    found: dict[str, Any] = run_with_devices(
        on_one_process, seed, *sizes, config.steps, config.repeats, devices=DEVICES
    )
    return found


def processes(config: GnnpipeConfig, trial: Trial) -> dict[str, Any]:
    """The two pure schemes on eight devices of two processes."""
    sizes = (config.nodes, config.layers, config.width, config.chunks)
    seed = int(trial.generator.integers(2**31))
    found: dict[str, Any] = run_with_devices(
        on_all_processes, seed, *sizes, devices=DEVICES // PROCESSES, processes=PROCESSES
    )
    return found


def healing(config: GnnpipeConfig, trial: Trial) -> dict[str, Any]:
    """With frozen weights: the deviation of each layer's output from the exact one, epoch by epoch.

    `later` is the worst one of layer l from epoch l + 1 on, counted from 1 and 1; `sooner` the least one
    of layer l in epoch l.
    """
    generator = trial.generator
    with jax.enable_x64(True):
        one = case(generator, config.nodes, config.layers, config.width, skips=True)
        _, chunk = cut(one.graph, 1, config.chunks)
        exact = _outputs(one.exact())
        history: Any = one.history
        rows = []
        for _ in range(config.layers + 2):
            order = generator.permutation(config.chunks)
            now = dataclasses.replace(one, history=history)
            found = now.reference(fresh_edges(one.graph, chunk, order))
            history = found.hidden
            rows.append([apart(a, b) for a, b in zip(_outputs(found), exact, strict=True)])
    errors = np.array(rows)  # of epoch and layer; history is wrong before the first epoch
    layers = range(config.layers)
    return {
        "later": max(float(errors[layer + 1 :, layer].max()) for layer in layers),
        "sooner": min(float(errors[layer, layer]) for layer in layers),
    }


def _outputs(found: Any) -> list[np.ndarray]:
    """What each layer made: the next one's input, and of the last the logits."""
    return [*found.hidden[1:], found.logits]


def drawn(config: GnnpipeConfig, trial: Trial) -> dict[str, float]:
    """Test accuracies on a contextual stochastic block model."""
    generator = trial.generator
    data = contextual_sbm(generator, nodes=config.drawn, train=20, validation=100)
    return _accuracies(config, trial, generator, data, "raw", ARMS)


def cora(config: GnnpipeConfig, trial: Trial) -> dict[str, Any]:
    """Test accuracies on Cora's standard split, and what eight devices would send for it."""
    data: NodeData = trial.load("cora")
    network = Network(data.num_features, config.hidden, data.num_classes, config.depth)
    plan = plan_parallelism(normalised(graph_of(data)), network, DEVICES, chunks=config.chunks)
    graph_parallel, pipeline = plan.divisions[0], plan.divisions[-1]
    return {
        **_accuracies(config, trial, trial.generator, data, "norm", ARMS[:2]),
        "alpha": graph_parallel.alpha,
        "layers": config.depth,
        "fewer_bytes": graph_parallel.bytes.useful / pipeline.bytes.useful,
        "fewer_bytes_in_all": graph_parallel.bytes.total / pipeline.bytes.total,
        "best_stages": plan.best.stages,
    }


def _accuracies(
    config: GnnpipeConfig,
    trial: Trial,
    generator: np.random.Generator,
    data: NodeData,
    rows: Any,
    names: tuple[str, ...],
) -> dict[str, float]:
    """Of exact training, as graph parallelism has it, of the pipeline's, and without edges to history."""
    network = Network(data.num_features, config.hidden, data.num_classes, config.depth)
    parameters = network.initial(generator)
    orders = generator.permuted(np.tile(np.arange(config.chunks), (config.epochs, 1)), axis=1)
    arms = {"parallel": (config.epochs, 1.0), "pipeline": (config.warm, 1.0)}
    arms["dropped"] = (config.warm, 0.0)
    graph = normalised(graph_of(data, rows=rows))
    _, chunk = cut(graph, 1, config.chunks)
    split = data.splits[0]
    accuracies = {}
    for number, arm in enumerate(names):
        trial.report(f"{arm} on {data.name}", number, len(names))
        warm, kept = arms[arm]
        fit = train_by_chunks(
            network,
            parameters,
            graph,
            chunk,
            data.labels,
            split.train,
            orders,
            warm=warm,
            kept=kept,
        )
        accuracies[arm] = 100 * float(
            accuracy(fit.logits, jnp.asarray(data.labels), jnp.asarray(split.test))
        )
        if arm == "pipeline":
            accuracies["stale"] = float(np.mean(fit.staleness[config.warm :]))
    return accuracies


STUDIES = Studies(
    configs={
        "quick": GnnpipeConfig(),
        "standard": GnnpipeConfig(depth=32, hidden=64, epochs=300),
    },
    tiny=GnnpipeConfig(
        nodes=96,
        layers=8,
        width=4,
        chunks=8,
        steps=2,
        depth=8,
        hidden=8,
        epochs=8,
        drawn=300,
    ),
    functions={
        "devices": devices,
        "processes": processes,
        "healing": healing,
        "drawn": drawn,
        "cora": cora,
    },
    num_seeds=3,
    slow=("devices", "processes", "healing", "drawn", "cora"),
)
