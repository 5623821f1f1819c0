"""An ensemble's mean is one wide network's output, which is how ensembles are executed."""

import dataclasses
import functools

import jax
import numpy as np

from ntkexec import ensemble
from ntkexec.check import Check, Measurement, Scale
from ntkexec.engines.trained import wide_stack
from ntkexec.ensemble import EnsembleConfig
from proofs_check.fixtures import trained_networks

SIZES: dict[Scale, tuple[int, int]] = {"quick": (4, 64), "standard": (8, 128), "full": (32, 512)}
# Roundings beside those of the two sums: scales, square root, encoding, products.
OTHER_ROUNDINGS = 16


def measure(scale: Scale, power: float = 0.5) -> Measurement:
    """Largest distance of the mean of trained networks to one network's output, over rounding.

    N networks of width h are averaged one by one in float64. The one network has the width N h, all
    their hidden units, and their output weights divided by sqrt(N); it is evaluated in float32 by
    the library, as an ensemble of one.

    Args:
        scale: members and width.
        power: of N in the divisor of the output weights, for counter-cases.
    """
    members, width = SIZES[scale]
    problem = trained_networks.problem()
    config = EnsembleConfig(members=members, width=width, seed=3)
    (weights,) = ensemble.train(problem, config).weights
    (stack,) = problem.stacks
    hidden, output = (part[:, 0].astype(np.float64) for part in (weights.hidden, weights.output))
    num_inputs = hidden.shape[1]
    matched = np.arange(1, 1 << num_inputs)[:, None] >> np.arange(num_inputs) & 1
    x = matched / np.sqrt(matched.sum(axis=1, keepdims=True))
    each = [
        np.maximum(x @ a / num_inputs**0.5, 0) @ b / width**0.5
        for a, b in zip(hidden, output, strict=True)
    ]
    one = weights._replace(
        hidden=np.concatenate(list(weights.hidden), axis=-1)[None],
        output=np.concatenate(list(weights.output), axis=-2)[None]
        / np.float32(members) ** np.float32(power),
    )
    wide = wide_stack(
        dataclasses.replace(config, members=1, width=members * width), one, problem, stack
    )
    found = jax.tree.map(lambda part: part[0], wide).outputs(x.astype(np.float32))
    sizes = [
        x @ np.abs(a) / num_inputs**0.5 @ np.abs(b) / width**0.5
        for a, b in zip(hidden, output, strict=True)
    ]
    operations = members * width + num_inputs + OTHER_ROUNDINGS
    rounding = operations * np.finfo(np.float32).eps / 2 * np.mean(sizes, axis=0)
    distance = np.abs(np.asarray(found, np.float64) - np.mean(each, axis=0))
    return Measurement(
        float((distance / rounding).max()),
        details={"distance": float(distance.max()), "members": members, "width": width},
    )


CHECK = Check(
    name="one-network",
    claim="the mean of N two-layer networks of width h is a two-layer network of width N h",
    formula=r"\frac1N \sum_i f_i(x) = \frac{1}{\sqrt{N h}} \frac{V}{\sqrt N} \text{relu}(W x)",
    source="hidden units side by side; output weights over sqrt(N) in the NTK parametrisation",
    how="largest distance, in units of the float32 rounding bound, over all sets of matches",
    bound=1,
    bound_from="rounding: p u times the sum of absolute values, p operations on each term",
    measure=measure,
    broken=functools.partial(measure, power=1.0),
)
