"""Other networks through the same formula: a dot-product kernel enters through c, lambda and f_m alone.

On the standard basis the Gram matrix of any dot-product kernel has one value on the diagonal and one,
c, off it. So alpha, beta and the interference criterion follow from c, lambda = k(1) - c and
f_m = k(1/sqrt m) as they do for the two-layer ReLU network.
"""

import functools
import math
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from ntkexec import _neural_tangents
from ntkexec.check import Check, Measurement, Scale
from ntkexec.runtime.precision import float64
from ntkexec.theory.dot_product import DotProductKernel, writers_below
from proofs_check.fixtures import plots

SIZES = ((4, 20), (13, 44), (15, 100), (27, 206))
"""(m, n0) of joint programs: small, flooding at D = 2, BFS at D = 3, Bellman-Ford at D = 3."""


NETWORKS: Mapping[str, DotProductKernel] = {
    "ReLU NTK": DotProductKernel(),
    "ReLU NNGP": DotProductKernel(trained="nngp"),
    "ReLU NTK, depth 3": DotProductKernel(depth=3),
    "ReLU NTK, depth 5": DotProductKernel(depth=5),
    "ReLU NTK, biases": DotProductKernel(bias_std=1.0),
    "erf NTK": DotProductKernel(activation="erf"),
    "linear NTK": DotProductKernel(activation="linear"),
}


COSINES = (1.0, 0.0, *(m**-0.5 for m, _ in SIZES))


@functools.cache
def by_library(network: DotProductKernel) -> Mapping[float, float]:
    """The same kernel at all cosines that occur, between unit vectors, by neural-tangents.

    Its NNGP kernel is scaled to 1/2 at the cosine 1, and the NTK with it.

    Raises:
        MissingExtraError: neural-tangents is not installed.
    """
    stax = _neural_tangents.load().stax
    layer = {"relu": lambda: stax.Relu(do_stabilize=True), "erf": stax.Erf}.get(network.activation)
    deviation, bias = 2**0.5 if network.activation == "relu" else 1.0, network.bias_std
    vectors = np.array([[u, (1 - u**2) ** 0.5] for u in COSINES])
    # The factor 1/n0 of the first layer is taken out.
    layers = [stax.Dense(1, W_std=vectors.shape[1] ** 0.5, b_std=bias)]
    for _ in range(network.depth):
        layers += [layer()] if layer is not None else []
        layers += [stax.Dense(1, W_std=deviation, b_std=bias)]
    *_, of = stax.serial(*layers)
    with float64():
        both = of(jnp.asarray(vectors), jnp.asarray(vectors), ("nngp", "ntk"))
    found = np.asarray(both.ntk if network.trained == "ntk" else both.nngp)
    scale = 0.5 / float(both.nngp[0, 0])
    return dict(zip(COSINES, (scale * found[0]).tolist(), strict=True))


def measure_values(_: Scale, factor: float = 1.0) -> Measurement:
    """Largest deviation of the recursion from neural-tangents, at all cosines that occur."""
    found = [
        abs(factor * float(network.learned(np.float64(cosine))) - value)
        for network in NETWORKS.values()
        for cosine, value in by_library(network).items()
    ]
    return Measurement(max(found))


def measure_table(_: Scale, shift: float = 0.0) -> Measurement:
    """Cells in which the first wrong number of writers, by a dense solve, is not the criterion's.

    The solve is with the Gram matrix of neural-tangents, and tries every number of writers that there
    can be, n0 - m + 1 at most.

    Args:
        shift: added to the criterion, for counter-cases.
    """
    against, table = 0, {}
    for name, network in NETWORKS.items():
        row: list[float | None] = []
        value = by_library(network)
        for m, n0 in SIZES:
            gram = np.where(np.eye(n0) > 0, value[1.0], value[0.0])
            cross = np.where(np.arange(n0) < m, value[m**-0.5], value[0.0])
            weights = np.linalg.solve(gram, cross)
            # One writer matches, the first template; the others stand at the end.
            means = weights[0] + np.cumsum(np.r_[0.0, weights[m:][::-1]])
            wrong = np.flatnonzero(means <= 1e-9)
            found = int(wrong[0]) + 1 if len(wrong) else math.inf
            limit = writers_below(network, m, n0)
            row.append(limit if math.isfinite(limit) else None)
            claimed = math.ceil(limit + shift) if math.isfinite(limit) else math.inf
            against += found != (claimed if claimed <= n0 - m + 1 else math.inf)
        table[name] = row
    return Measurement(against, details={"m, n0": list(SIZES), "writers below": table})


def plot_table(found: Measurement) -> Any:
    """Writers that one threshold for all bits allows; nothing drawn where there is no limit."""
    figure, axes = plots.axes("(m, n0)", "writers of a bit, less than")
    places = np.arange(len(SIZES))
    table = found.details["writers below"]
    for index, (name, row) in enumerate(table.items()):
        values = [np.nan if limit is None else limit for limit in row]
        label = name if None not in row else f"{name} (none: no limit)"
        axes.bar(places + 0.8 * index / len(table), np.array(values, float), 0.11, label=label)
    axes.set_xticks(places + 0.35, [f"({m}, {n0})" for m, n0 in found.details["m, n0"]])
    axes.legend(fontsize=7)
    return figure


CHECKS = (
    Check(
        name="kernels-recursion",
        claim="the kernels of other depths, activations and biases are those of the recursion over layers",
        formula=r"\Theta_{l+1} = K_{l+1} + \dot K_{l+1} \Theta_l",
        source="Jacot et al., arXiv:1806.07572, theorem 1",
        how="largest deviation from neural-tangents at the cosines that occur, seven networks",
        bound=1e-10,
        bound_from="float64 rounding, through five layers",
        measure=measure_values,
        broken=functools.partial(measure_values, factor=1 + 1e-8),
    ),
    Check(
        name="kernels-interference",
        claim="any dot-product kernel interferes from w (m - lambda/Delta) >= n0 + lambda/c on, not below",
        formula=r"w \left( m - \frac{\lambda}{\Delta_m} \right) < n_0 + \frac{\lambda}{c}, \quad "
        r"c = k(0), \; \lambda = k(1) - c, \; \Delta_m = k(1/\sqrt m) - c",
        source="the Gram matrix is lambda I + c 11^T for every dot-product kernel",
        how="cells of seven networks and four sizes whose first wrong number of writers, by dense solves "
        "with neural-tangents, is another; at c = 0 or m <= lambda/Delta none must be wrong",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_table,
        broken=functools.partial(measure_table, shift=1.0),
        plot=plot_table,
    ),
)
