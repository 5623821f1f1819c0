"""Gradient descent on the templates: where it converges, how fast, and how linear it is."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntkexec.check import Check, Measurement, Scale
from ntkexec.ensemble import TwoLayerNetwork
from ntkexec.theory import kernel
from proofs_check.fixtures import plots, statistics

NUM_INPUTS = 12
WIDTH = 8192


def edge(n0: int) -> float:
    """The claimed largest learning rate, 2 / (largest eigenvalue of the NTK Gram)."""
    return 2 * n0 / (kernel.NTK_GAP + kernel.NTK_ORTHOGONAL * n0)


@functools.partial(jax.jit, static_argnames=("n0", "width", "steps"))
def errors(
    key: Array,
    rate: Float[Array, ""],
    momentum: Float[Array, ""],
    *,
    n0: int,
    width: int,
    steps: int,
) -> Float[Array, "t n0"]:
    """Errors on the training set before every step of descent, for one output and random targets."""
    network = TwoLayerNetwork(n0, width, 1)
    own, targets = jax.random.split(key)
    weights: Any = network.init(own, method="on_basis")
    # Half of the bits are 1; their mean excites the top eigenvector, their spread the others.
    target = jax.random.permutation(targets, jnp.arange(n0) % 2).astype(jnp.float32)

    def error(weights: Any) -> Float[Array, "n0"]:
        outputs: Any = network.apply(weights, method="on_basis")
        return outputs[:, 0] - target

    slope = jax.grad(lambda weights: 0.5 * jnp.sum(error(weights) ** 2))

    def step(carry: Any, _: None) -> tuple[Any, Array]:
        weights, velocity = carry
        velocity = jax.tree.map(lambda v, g: momentum * v - rate * g, velocity, slope(weights))
        return (jax.tree.map(jnp.add, weights, velocity), velocity), error(weights)

    start = weights, jax.tree.map(jnp.zeros_like, weights)
    return jax.lax.scan(step, start, length=steps)[1]


def measure_edge(scale: Scale, factor: float = 1.0) -> Measurement:
    """Relative distance between the claimed and the found edge, over several networks.

    The edge is found by bisection: above it the top mode of the error grows. Early on, for when it
    has grown for long, the network leaves the linear regime and finds a flatter minimum.
    """
    found = []
    for seed in range({"quick": 4, "standard": 12, "full": 40}[scale]):
        low, high = 0.7, 1.3
        for _ in range(10):
            middle = (low + high) / 2
            rate = jnp.asarray(middle * edge(NUM_INPUTS), jnp.float32)
            traces = errors(
                jax.random.key(seed), rate, jnp.zeros(()), n0=NUM_INPUTS, width=WIDTH, steps=6
            )
            mode = np.abs(np.asarray(traces).sum(axis=1))
            low, high = (low, middle) if mode[5] > mode[1] else (middle, high)
        found.append(low)
    ratio = np.array(found) / factor
    spread = 5 * float(ratio.std(ddof=1)) / math.sqrt(len(ratio))
    off = float(ratio.mean() - 1)
    interval = statistics.magnitude((off - spread, off + spread))
    return Measurement(abs(off), interval, details={"edges": found})


def measure_rate(scale: Scale, factor: float = 1.0) -> Measurement:
    """Relative deviation of the contraction a step of the modes that are not the top one."""
    gap = factor * kernel.NTK_GAP / NUM_INPUTS
    rate = edge(NUM_INPUTS) / 2
    logs = []
    for seed in range({"quick": 4, "standard": 12, "full": 40}[scale]):
        traces = errors(
            jax.random.key(seed),
            jnp.asarray(rate, jnp.float32),
            jnp.zeros(()),
            n0=NUM_INPUTS,
            width=WIDTH,
            steps=9,
        )
        rest = np.asarray(traces, float)
        rest = np.linalg.norm(rest - rest.mean(axis=1, keepdims=True), axis=1)
        logs.append(np.log(rest[8] / rest[2]) / 6)
    found = np.array(logs) / math.log(1 - rate * gap)
    spread = 5 * float(found.std(ddof=1)) / math.sqrt(len(found))
    off = float(found.mean() - 1)
    interval = statistics.magnitude((off - spread, off + spread))
    return Measurement(abs(off), interval, details={"ratios": found.tolist()})


def _train_and_linearise(key: Array, *, width: int, steps: int) -> Float[Array, "s"]:
    """Outputs of a trained network less those of its linearisation at initialisation, by match set."""
    n0 = 6
    network = TwoLayerNetwork(n0, width, 1)
    weights: Any = network.init(key, method="on_basis")
    target = (jnp.arange(n0) % 2).astype(jnp.float32)
    matched = (jnp.arange(64)[:, None] >> jnp.arange(n0)[None]) & 1
    matched = matched[jnp.array([3, 7, 12, 21, 31, 63])].astype(jnp.float32)
    x = matched / jnp.sqrt(matched.sum(axis=1, keepdims=True))
    inputs = jnp.concatenate([jnp.eye(n0), x])
    apply: Any = network.apply

    def outputs(weights: Any) -> Float[Array, "n"]:
        return apply(weights, inputs)[:, 0]

    jacobian = jax.tree.leaves(jax.jacobian(outputs)(weights))
    features = jnp.concatenate([leaf.reshape(len(inputs), -1) for leaf in jacobian], axis=1)
    gram = jnp.matmul(features, features.T, precision=jax.lax.Precision.HIGHEST)
    before = outputs(weights)
    solved = jnp.linalg.solve(gram[:n0, :n0], target - before[:n0])
    linear = before[n0:] + gram[n0:, :n0] @ solved

    slope = jax.grad(lambda w: 0.5 * jnp.sum((outputs(w)[:n0] - target) ** 2))
    rate = edge(n0) / 2

    def step(weights: Any, _: None) -> tuple[Any, None]:
        return jax.tree.map(lambda w, g: w - rate * g, weights, slope(weights)), None

    trained, _ = jax.lax.scan(step, weights, length=steps)
    return outputs(trained)[n0:] - linear


def measure_linear(scale: Scale, offset: float = 0.0) -> Measurement:
    """Slope of the distance between network and linearisation over width, logarithmic."""
    draws = {"quick": 40, "standard": 100, "full": 400}[scale]
    widths = np.array([64, 256, 1024] if scale == "quick" else [64, 128, 256, 512, 1024, 2048])
    distances, errors_of_log = [], []
    for width in widths.tolist():
        keys = jax.random.split(jax.random.key(width), draws)
        run = jax.jit(jax.vmap(functools.partial(_train_and_linearise, width=width, steps=60)))
        squares = np.mean(np.asarray(run(keys), float) ** 2, axis=1)
        distances.append(math.sqrt(squares.mean()) + offset)
        errors_of_log.append(squares.std(ddof=1) / math.sqrt(draws) / squares.mean() / 2)
    found, interval = statistics.slope_with_errors(
        np.log(widths), np.log(distances), np.array(errors_of_log)
    )
    return Measurement(
        found, interval, details={"width": widths.tolist(), "distance": distances, "slope": found}
    )


def plot_linear(found: Measurement) -> Any:
    """Distance to the linearisation over width."""
    return plots.power_law(
        found.details["width"],
        found.details["distance"],
        -0.5,
        x_label="width",
        y_label="distance to the linearised network",
    )


CHECKS = (
    Check(
        name="descent-edge",
        claim="linear dynamics diverges for learning rates above 2 n0/(1 - c + c n0), and not below",
        formula=r"\eta < \frac{2 n_0}{\lambda + c n_0}",
        source="largest eigenvalue of the NTK Gram, with the factor 1/n0",
        how="relative distance to the rate from which the top mode grows in the first steps, by bisection, "
        "n0 = 12, width 8,192; what a network does later is another matter (descent-catapult)",
        bound=0.05,
        bound_from="finite width moves eigenvalues by about sqrt(n0/width), 4 %",
        measure=measure_edge,
        broken=functools.partial(measure_edge, factor=1.1),
    ),
    Check(
        name="descent-rate",
        claim="at learning rate eta all modes but the top one contract by 1 - eta (1 - c)/n0 a step",
        formula=r"\| e_{t+1} \| = \left( 1 - \frac{\eta \lambda}{n_0} \right) \| e_t \|",
        source="the other eigenvalues of the NTK Gram are 1 - c, with the factor 1/n0",
        how="relative deviation of the logarithmic contraction, steps 2 to 8, n0 = 12, width 8,192",
        bound=0.05,
        bound_from="finite width moves eigenvalues by about sqrt(n0/width), 4 %",
        measure=measure_rate,
        broken=functools.partial(measure_rate, factor=1.1),
    ),
    Check(
        name="descent-linear",
        claim="a trained network of width h differs from its linearisation by at most O(1/sqrt h)",
        formula=r"\| f_h - f_h^{\text{lin}} \| = O(h^{-1/2})",
        source="Lee et al., arXiv:1902.06720, theorem 2.1",
        how="slope of log distance over log width, widths 64 to 2048, n0 = 6",
        bound=-0.4,
        bound_from="-1/2 up to what narrow networks add; the interval misses with probability 1e-6",
        measure=measure_linear,
        broken=functools.partial(measure_linear, offset=0.05),
        plot=plot_linear,
    ),
)
