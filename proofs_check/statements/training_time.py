"""When training is done: the first step with all bits right, by learning rate."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ntkexec.check import Check, Measurement, Scale
from ntkexec.ensemble import TwoLayerNetwork
from ntkexec.theory import kernel
from proofs_check.fixtures import plots, trained_networks
from proofs_check.statements import concentration
from proofs_check.statements.descent import edge


@functools.partial(jax.jit, static_argnames=("members", "width", "steps"))
def trajectory(
    inputs: jax.Array, rate: jax.Array, *, members: int, width: int, steps: int
) -> jax.Array:
    """Mean outputs of trained networks at the inputs, before every step; (steps, inputs, bits)."""
    _, targets = trained_networks.problem().program.training_set()
    network = TwoLayerNetwork(inputs.shape[1], width, targets.shape[1])
    apply: Any = network.apply

    def loss(weights: Any) -> jax.Array:
        return 0.5 * jnp.sum((apply(weights, method="on_basis") - targets) ** 2)

    def of_member(key: jax.Array) -> jax.Array:
        def step(weights: Any, _: None) -> tuple[Any, jax.Array]:
            after = jax.tree.map(lambda w, g: w - rate * g, weights, jax.grad(loss)(weights))
            return after, apply(weights, inputs)

        weights: Any = network.init(key, method="on_basis")
        return jax.lax.scan(step, weights, length=steps)[1]

    outputs = jax.lax.map(of_member, jax.random.split(jax.random.key(12), members), batch_size=8)
    return outputs.mean(axis=0)


RATES = (1 / 64, 1 / 32, 1 / 16)
STEPS = 64


def measure_time(scale: Scale, faster: float = 1.0) -> Measurement:
    """By how much later than in linear theory all bits are right, relative.

    In the limit the mean after t steps is Theta(x, X) Theta^-1 (1 - (1 - eta Theta)^t) y. The
    largest of several learning rates, in parts of the edge of stability. The last decisions are
    those whose mean has just passed its threshold: finite width, the sampling error of the mean and
    whole steps all make them later, and nothing makes them earlier.

    Args:
        scale: how many networks.
        faster: factor of the rate in the prediction, for counter-cases.
    """
    members = {"quick": 60, "standard": 200, "full": 1000}[scale]
    _, mean, bits, threshold, _ = concentration.decisions()
    _, targets = trained_networks.problem().program.training_set()
    n0 = len(targets)
    matched = trained_networks.match_sets()
    x = matched / np.sqrt(matched.sum(axis=1))[:, None]
    gram = kernel.ntk(np.eye(n0))
    wrong: dict[str, list[list[float]]] = {"claimed": [], "found": []}
    for share in RATES:
        rate = share * edge(n0)
        left, decay = np.eye(n0), np.eye(n0) - faster * rate / n0 * gram
        claimed = []
        for _ in range(STEPS):
            claimed.append(kernel.ntk(x) @ np.linalg.solve(gram, (np.eye(n0) - left) @ targets))
            left = left @ decay
        found = np.asarray(
            trajectory(
                jnp.asarray(x, jnp.float32),
                jnp.asarray(rate, jnp.float32),
                members=members,
                width=2048,
                steps=STEPS,
            )
        )
        assert mean.shape == found.shape[1:]
        for name, trace in (("claimed", np.array(claimed)), ("found", found)):
            wrong[name].append(((trace > threshold) != bits).mean(axis=(1, 2)).tolist())
    first = {name: [row.index(0.0) for row in rows] for name, rows in wrong.items()}
    later = [a / b - 1 for a, b in zip(first["found"], first["claimed"], strict=True)]
    return Measurement(
        max(later, key=abs),
        details={"rates": list(RATES), "first": first, "later by": later, "wrong": wrong},
    )


def plot_time(found: Measurement) -> Any:
    """Share of wrong bits by learning rate and step, and where theory says that it ends."""
    figure, axes = plots.axes("gradient steps", "learning rate / edge of stability")
    rates, wrong = found.details["rates"], found.details["wrong"]["found"]
    edges = [rates[0] / 2**0.5, *(rate * 2**0.5 for rate in rates)]
    picture = axes.pcolormesh(
        range(STEPS + 1), edges, wrong, cmap="viridis", vmin=0, edgecolors="face"
    )
    axes.plot(
        found.details["first"]["claimed"], rates, "o-", color="white", mec="black", label="theory"
    )
    axes.plot(found.details["first"]["found"], rates, "x", color="#d55e00", label="found")
    axes.set_yscale("log", base=2)
    axes.legend()
    figure.colorbar(picture, label="share of wrong bits")
    return figure


CHECK = Check(
    name="phase-time",
    claim="training decides all bits right up to a fifth later than linear dynamics says",
    formula=r"\mu_t = \Theta(x, X) \Theta^{-1} \left( 1 - (1 - \eta \Theta)^t \right) y",
    source="Lee et al., arXiv:1902.06720, equation 8",
    how="by how much later, relative to the claimed step, networks of width 2,048, three learning rates",
    bound=0.2,
    bound_from="measured 6 to 15 % later: sampling error of the mean, finite width, whole steps",
    measure=measure_time,
    broken=functools.partial(measure_time, faster=2.0),
    plot=plot_time,
)
