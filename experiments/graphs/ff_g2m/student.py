"""A student without a graph, taught by any teacher's logits: FF-G2M and what it is compared with."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy import sparse

from experiments.data.nodes import Split
from experiments.graphs.ff_g2m.losses import high_frequency_loss, low_frequency_loss, node_loss
from experiments.kits.graph.features import Dense, Dropout, Features, SparseFeatures
from experiments.kits.graph.segments import GraphsTuple
from experiments.kits.nodes.fitting import Forward, Problem, fit, masked_cross_entropy
from ntkexec.errors import ExperimentError, did_you_mean, shown

# Which of node_loss, low_frequency_loss, high_frequency_loss and its signed form a mode learns from.
MODES: Mapping[str, tuple[int, int, int, int]] = {
    "mlp": (0, 0, 0, 0),
    "glnn": (1, 0, 0, 0),
    "low": (0, 1, 0, 0),
    "high": (0, 0, 1, 0),
    "full": (0, 1, 1, 0),
    "signed": (0, 1, 0, 1),
}


class StudentNetwork(nn.Module):
    """A multilayer perceptron on the nodes of a graph, whose edges it does not read.

    Args:
        classes: of the output.
        hidden: width of each layer but the last.
        layers: dense ones.
        dropout: after each ReLU, as in the public code.
    """

    classes: int
    hidden: int = 64
    layers: int = 2
    dropout: float = 0.5

    @nn.compact
    def __call__(self, graph: GraphsTuple, train: bool = False) -> Float[Array, "n classes"]:
        x = graph.nodes
        for _ in range(self.layers - 1):
            x = Dropout(self.dropout)(nn.relu(Dense(self.hidden)(x)), train=train)
        logits: Array = Dense(self.classes)(x)
        return logits


@dataclasses.dataclass(frozen=True)
class Student:
    """A trained student; call it with features of any nodes, also of nodes that are in no graph.

    Features are an array, a SciPy sparse matrix or `SparseFeatures`.

    Args:
        network: what it is.
        variables: at the step that was picked.
        logits: (n, classes) on the features that it was taught with.
        step: the picked one, counted from 1.
        steps: taken before it stopped.
        validation: accuracy at the picked step on the nodes that picked it.
    """

    network: StudentNetwork
    variables: Any
    logits: Float[np.ndarray, "n classes"]
    step: int
    steps: int
    validation: float

    def __call__(self, features: Any) -> Float[Array, "m classes"]:
        nodes_alone = GraphsTuple(_readable(features), *(None,) * 6)
        return jnp.asarray(self.network.apply(self.variables, nodes_alone))


def _readable(features: Any) -> Features:
    """Features as a network takes them: of SciPy's sparse matrices the entries."""
    found: Features = SparseFeatures.of(features) if sparse.issparse(features) else features
    return found


def factors_of(mode: str, lam: float) -> Float[np.ndarray, "5"]:
    """Weights of cross-entropy and of the four losses of `MODES`: lam, and 1 - lam for those in use."""
    if mode not in MODES:
        raise ExperimentError(
            f"mode {shown(mode)} is none of {', '.join(MODES)}{did_you_mean(mode, MODES)}"
        )
    used = np.asarray(MODES[mode], np.float32)
    return np.append(np.float32(lam if used.any() else 1), (1 - np.float32(lam)) * used)


def distilling(forward: Forward, problem: Problem, key: jax.Array) -> Float[Array, ""]:
    """All losses times factors that are data, so that one program serves every mode.

    Args:
        forward: the student with dropout.
        problem: its `extras` are the teacher's logits, factors from `factors_of`, and the temperature
            of the differences.
        key: of dropout.
    """
    teacher, factors, temperature = problem.extras
    graph, logits = problem.graph, forward(problem.graph, key)
    parts = [
        masked_cross_entropy(logits, problem.labels, problem.train),
        node_loss(logits, teacher),
        low_frequency_loss(logits, teacher, graph),
        high_frequency_loss(logits, teacher, graph, temperature=temperature),
        high_frequency_loss(logits, teacher, graph, temperature=temperature, signed=True),
    ]
    return jnp.sum(factors * jnp.stack(parts))


def distil(
    teacher_logits: Float[np.ndarray, "n classes"],
    graph: GraphsTuple,
    features: Any,
    *,
    generator: np.random.Generator,
    labels: Int[np.ndarray, " n"] | None = None,
    train: Bool[np.ndarray, " n"] | None = None,
    validation: Bool[np.ndarray, " n"] | None = None,
    mode: str = "full",
    lam: float = 0.3,
    temperature: float = 1.5,
    hidden: int = 64,
    layers: int = 2,
    dropout: float = 0.5,
    learning_rate: float = 0.01,
    weight_decay: float = 5e-4,
    steps: int = 500,
    patience: int = 50,
) -> Student:
    """A student that maps features to classes and never sees the graph again.

    Args:
        teacher_logits: of any model at all; a constant of the training.
        graph: every edge both ways; it is read for what the teacher knows along its edges.
        features: (n, F), an array, a SciPy sparse matrix or `SparseFeatures`: all that the student
            sees.
        generator: draws weights and dropout.
        labels: classes; -1 where unknown. Without them the teacher alone teaches, `lam` is 0, and
            agreement with it picks the step.
        train: nodes whose labels are learnt from; given with `labels`.
        validation: nodes whose accuracy picks the step; given with `labels`.
        mode: of `MODES`: `full` is FF-G2M, `glnn` distils node by node, `mlp` has labels alone, `low`
            and `high` have one of the two losses, `signed` is `full` with signed differences.
        lam: weight of the labels; 1 - lam is that of each other loss.
        temperature: of the differences across edges.
        hidden, layers, dropout: of the student.
        learning_rate, weight_decay: Adam's, the decay added to the gradient.
        steps: at most.
        patience: steps without a better one before it stops; 0 never stops.

    Raises:
        ExperimentError: an unknown mode, labels without `train` and `validation`, `mlp` without
            labels, or arrays of other lengths.

    Source: arXiv:2305.10758. The public code keeps the accuracy of the best step, not its weights.
    """
    size, given = features.shape[0], (labels, train, validation)
    lengths = [len(x) for x in (teacher_logits, *given) if x is not None]
    if set(lengths) != {size} or len(lengths) not in (1, 4) or (mode == "mlp" and labels is None):
        raise ExperimentError(
            f"mode {shown(mode)} with {size} rows of features and arrays of lengths {lengths}: logits "
            "alone, or logits, labels, train and validation (`mlp` needs all), with one row a node"
        )
    if labels is None or train is None or validation is None:
        # What `fit` wants to train on has no weight; agreement on all others picks.
        lam, labels, train = 0.0, np.argmax(teacher_logits, axis=1), np.arange(size) == 0
        validation = ~train
    network = StudentNetwork(np.shape(teacher_logits)[1], hidden, layers)
    extras = np.asarray(teacher_logits, np.float32), factors_of(mode, lam), np.float32(temperature)
    fitted = fit(
        network, graph._replace(nodes=_readable(features), edges=None), labels,
        Split(train, validation, np.zeros(size, bool)), generator=generator, steps=steps,
        learning_rate=learning_rate, weight_decay=weight_decay, patience=patience,
        fields={"dropout": dropout}, objective=distilling, extras=extras,
    )  # fmt: skip
    found = fitted.variables, fitted.logits, fitted.step, fitted.steps, fitted.validation
    return Student(network, *found)
