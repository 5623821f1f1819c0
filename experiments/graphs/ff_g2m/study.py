"""What of FF-G2M is measured: identities of its losses, and students on drawn and on real graphs."""

import dataclasses
import functools
import re
from typing import Any, TypedDict

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import optax

from experiments.data.nodes import NodeData
from experiments.graphs.ff_g2m.losses import (
    averaged_teacher,
    high_frequency_loss,
    low_frequency_loss,
    node_loss,
)
from experiments.graphs.ff_g2m.spectrum import adjacency, frequency_report, frequency_split
from experiments.graphs.ff_g2m.student import Student, StudentNetwork, distil
from experiments.harness.configuration import check_types, require
from experiments.harness.study import Studies, Trial
from experiments.kits.graph.baselines import GCN, SAGE
from experiments.kits.graph.convert import assembled, from_networkx
from experiments.kits.graph.operators import normalised
from experiments.kits.graph.segments import GraphsTuple
from experiments.kits.initialisation import FLAX, glorot_uniform, initial_by_numpy
from experiments.kits.nodes.fitting import Fitted, accuracy, fit, graph_of
from experiments.kits.nodes.generators import contextual_sbm
from ntkexec.runtime.precision import float64

STUDENTS = ("mlp", "glnn", "low", "full", "signed")
DECAY = 5e-4  # of the public code
TUNING = tuple((dropout, decay) for dropout in (0.5, 0.8) for decay in (DECAY, 10 * DECAY))
# Degree and homophily of drawn graphs, and a teacher that can use such neighbours.
KINDS: dict[str, tuple[float, float, Any, Any]] = {
    "alike": (3.4, 0.71, GCN, normalised),
    "unlike": (6.2, 0.08, SAGE, functools.partial(normalised, how="mean", self_loops=False)),
}


@dataclasses.dataclass(frozen=True)
class FfG2mConfig:
    """Sizes of all studies.

    Args:
        exact_nodes: of the graph on which identities are measured.
        nodes: of the drawn graphs.
        signal: length of a class's mean in their features, beside noise of length 1.
        hidden: of students; teachers of drawn graphs have half of it.
        layers: of students.
        drawn_steps: of students on drawn graphs; teachers take 200 at most.
        steps: at most, of students on real graphs.
        patience: of students on real graphs.
        decay: of students that have a teacher; the plain network has 5e-4, as teachers have.
        teacher_hidden: of the teacher on real graphs.
    """

    exact_nodes: int = 60
    nodes: int = 600
    signal: float = 0.34
    hidden: int = 64
    layers: int = 2
    drawn_steps: int = 200
    steps: int = 250
    patience: int = 100
    decay: float = 0.0
    teacher_hidden: int = 16

    def __post_init__(self) -> None:
        check_types(self)
        require(self, exact_nodes=self.exact_nodes >= 10, nodes=self.nodes >= 300)
        require(self, signal=self.signal >= 0, hidden=self.hidden > 1, layers=self.layers > 1)
        require(self, drawn_steps=self.drawn_steps > 0, steps=self.steps > 0)
        require(self, patience=self.patience >= 0, decay=self.decay >= 0)
        require(self, teacher_hidden=self.teacher_hidden > 0)


class ExactResult(TypedDict):
    """Deviations from the identities, each beside the one with a premise taken out; edge arrays."""

    split: float
    split_row: float
    averaged: float
    not_averaged: float
    sign: float
    sign_signed: float
    student_edge_arrays: int
    teacher_edge_arrays: int


def exact(config: FfG2mConfig, trial: Trial) -> ExactResult:
    """Identities on a random graph without isolated nodes, in float64."""
    generator, n, classes = trial.generator, config.exact_nodes, 4
    joined = nx.gnp_random_graph(n, 6 / n, seed=trial.seed)
    nx.add_cycle(joined, range(n))
    graph = from_networkx(joined, generator.normal(size=(n, 8)).astype(np.float32))
    # One shape for all seeds: the losses do not count self-loops.
    filled = _filled(graph, 10 * n + 1)
    with float64():
        teacher, student = jnp.asarray(generator.normal(size=(2, n, classes)))
        moved = -teacher + jnp.asarray(generator.normal(size=(1, classes)))
        split, split_row = (_split_deviation(graph, teacher, how) for how in ("sym", "row"))
        averaged, not_averaged = _averaging(filled, teacher, student)
        sign, signed = (
            float(high_frequency_loss(moved, teacher, filled, signed=kind))
            for kind in (False, True)
        )
    network, gcn, operator = StudentNetwork(classes), GCN(classes), normalised(graph)
    learner = Student(
        network, initial_by_numpy(network, generator, graph), np.asarray(student), 0, 0, 0.0
    )
    weights = initial_by_numpy(gcn, generator, operator)

    def teaching(features: np.ndarray) -> jax.Array:
        return jnp.asarray(gcn.apply(weights, operator._replace(nodes=features)))

    return ExactResult(
        split=split,
        split_row=split_row,
        averaged=averaged,
        not_averaged=not_averaged,
        sign=sign,
        sign_signed=signed,
        student_edge_arrays=_edge_arrays(learner, graph),
        teacher_edge_arrays=_edge_arrays(teaching, operator),
    )


def _split_deviation(graph: GraphsTuple, signal: jax.Array, how: Any) -> float:
    """The largest deviation of the parts' sum, energies, product and edge differences, by |x|²."""
    x, operator = np.asarray(signal), adjacency(graph, how)
    (low, high), near = frequency_split(operator, x), operator @ x
    scaled = x / np.sqrt(np.bincount(np.asarray(graph.receivers)))[:, None]
    deviations = [
        np.abs(low + high - x).max(),
        np.sum(low**2 + high**2) - np.sum(x**2 + near**2) / 2,
        np.sum(low * high) - np.sum(x**2 - near**2) / 4,
        np.sum(x * high) - np.sum((scaled[graph.senders] - scaled[graph.receivers]) ** 2) / 4,
    ]
    return float(np.max(np.abs(deviations)) / np.sum(x**2))


def _averaging(graph: GraphsTuple, teacher: jax.Array, student: jax.Array) -> tuple[float, float]:
    """LFD less GLNN on the averaged teacher, values and gradients; the same with no average."""
    log_mean, share, constant = averaged_teacher(teacher, graph)

    def glnn(h: jax.Array, target: jax.Array) -> jax.Array:
        losses = optax.losses.kl_divergence_with_log_targets(jax.nn.log_softmax(h), target)
        return jnp.sum(share * losses) + constant

    value, slope = jax.value_and_grad(lambda h: low_frequency_loss(h, teacher, graph))(student)

    def apart(target: jax.Array) -> float:
        its_value, its_slope = jax.value_and_grad(glnn)(student, target)
        change = jnp.abs(slope - its_slope).max() / jnp.abs(slope).max()
        return float(jnp.maximum(jnp.abs(value - its_value) / value, change))

    edgeless = graph._replace(senders=graph.receivers)
    alone = low_frequency_loss(student, teacher, edgeless) - node_loss(student, teacher)
    nothing = high_frequency_loss(student, teacher, edgeless)
    limits = max(abs(float(alone)), abs(float(nothing)))
    return max(apart(log_mean), limits), apart(jax.nn.log_softmax(teacher))


def _edge_arrays(function: Any, graph: GraphsTuple) -> int:
    """Arrays in the traced program of which a dimension is the number of the graph's edges."""
    shapes = re.findall(r"\[(\d+(?:,\d+)*)\]", str(jax.make_jaxpr(function)(graph.nodes)))
    return sum(str(len(graph.senders)) in shape.split(",") for shape in shapes)


class DrawnResult(TypedDict):
    """By kind of graph: test accuracy of each model; what students missed of low and high parts."""

    accuracy: dict[str, dict[str, float]]
    missed: dict[str, dict[str, dict[str, float]]]


def drawn(config: FfG2mConfig, trial: Trial) -> DrawnResult:
    """Students of a tuned teacher where neighbours are mostly alike, and where they mostly differ."""
    result = DrawnResult(accuracy={}, missed={})
    for kind, (degree, homophily, network, operator_of) in KINDS.items():
        generator = trial.generator
        data = contextual_sbm(
            generator, nodes=config.nodes, classes=5, features=64, degree=degree,
            homophily=homophily, signal=config.signal,
        )  # fmt: skip
        plain = graph_of(data)
        # One shape for all graphs: self-loops of weight 0 count for neither side.
        graph, operator = (_filled(one, 8 * config.nodes) for one in (plain, operator_of(plain)))
        fitted = [
            fit(
                network(data.num_classes, config.hidden // 2), operator, data.labels,
                data.splits[0], generator=generator, steps=200, patience=50, weight_decay=decay,
                fields={"dropout": dropout},
            )
            for dropout, decay in TUNING
        ]  # fmt: skip
        teacher = max(fitted, key=lambda found: found.validation)
        scores, missed = {"untuned": fitted[0].test, "teacher": teacher.test}, {}
        for mode in STUDENTS:
            student, scores[mode] = _taught(
                config, data, graph, teacher, mode, generator=generator, steps=config.drawn_steps,
                patience=0,
            )  # fmt: skip
            if mode in ("glnn", "full"):
                report = frequency_report(teacher.logits, student.logits, plain)
                missed[mode] = {"low": report.low, "high": report.high}
            trial.report(f"{kind}, {mode}", STUDENTS.index(mode) + 1, len(STUDENTS))
        result["accuracy"][kind], result["missed"][kind] = scores, missed
    return result


def _filled(graph: GraphsTuple, room: int) -> GraphsTuple:
    """The graph with self-loops of weight 0 on its first node, up to so many edges."""
    more = np.zeros(max(0, room - len(graph.senders)), int)
    weights = None if graph.edges is None else np.append(graph.edges, 0.0 * more)
    ends = np.append(graph.senders, more), np.append(graph.receivers, more)
    return assembled(graph.nodes, *ends, weights)


def _taught(
    config: FfG2mConfig,
    data: NodeData,
    graph: GraphsTuple,
    teacher: Fitted,
    mode: str,
    **given: Any,
) -> tuple[Student, float]:
    """A student, and its accuracy on the test nodes."""
    split = data.splits[0]
    student = distil(
        teacher.logits, graph, graph.nodes, labels=data.labels, train=split.train,
        validation=split.validation, mode=mode, hidden=config.hidden, layers=config.layers,
        weight_decay=DECAY if mode == "mlp" else config.decay, **given,
    )  # fmt: skip
    found = (jnp.asarray(part) for part in (student.logits, data.labels, split.test))
    return student, float(accuracy(*found))


def real(name: str, lam: float, config: FfG2mConfig, trial: Trial) -> dict[str, float]:
    """Test accuracy in per cent on the standard split; seeds differ in initialisation and dropout."""
    data, generator = trial.load(name), trial.generator
    graph = graph_of(data, rows="sum")
    # As the GCN paper trains it: picked by accuracy, some teachers are early, and too flat to teach.
    teacher = fit(
        GCN(data.num_classes, config.teacher_hidden), normalised(graph), data.labels,
        data.splits[0], generator=generator, steps=200, pick="loss", window=10,
        weight_decay={"first": DECAY}, rules={**FLAX, "kernel": glorot_uniform},
    )  # fmt: skip
    scores = {"teacher": 100 * teacher.test}
    for mode in ("mlp", "glnn", "full"):
        scores[mode] = 100 * _taught(
            config, data, graph, teacher, mode, generator=generator, lam=lam, steps=config.steps,
            patience=config.patience,
        )[1]  # fmt: skip
    return scores


STUDIES = Studies(
    configs={
        "quick": FfG2mConfig(),
        # The size and settings that the public code has for Cora.
        "standard": FfG2mConfig(
            hidden=512, layers=3, steps=500, patience=50, decay=DECAY, teacher_hidden=512
        ),
    },
    tiny=FfG2mConfig(exact_nodes=20, nodes=300, hidden=8, drawn_steps=2, steps=2, teacher_hidden=4),
    functions={
        "exact": exact,
        "drawn": drawn,
        "cora": functools.partial(real, "cora", 0.4),
        "citeseer": functools.partial(real, "citeseer", 0.1),
    },
    num_seeds=5,
    slow=("drawn", "cora", "citeseer"),
)
