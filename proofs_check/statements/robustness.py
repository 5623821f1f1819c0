"""Where exactness ends, continued: coarse products, noise in templates and states, silent networks."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import stats

from ntkexec.check import Check, Measurement, Scale
from ntkexec.ensemble import TwoLayerNetwork, evaluation
from ntkexec.theory import kernel, predictor, rounding
from proofs_check.fixtures import plots, statistics, trained_networks
from proofs_check.statements import concentration
from proofs_check.statements.complete_certificates import ensemble_for
from proofs_check.statements.descent import edge

# Coarse products.


def measure_products(scale: Scale, believe: bool = False) -> Measurement:
    """Largest ratio of the error of real bfloat16 products to its bound, over all match sets of BFS.

    Factors are rounded to bfloat16, products and sums taken in float32 by XLA.

    Args:
        scale: size of the program.
        believe: compare with the bound for float32, for counter-cases.
    """
    networks, _ = ensemble_for("bfs", *((1, 2) if scale == "quick" else (3, 4)))
    worst = 0.0
    for index, component in enumerate(networks.problem.components):
        count = len(component.templates)
        matched = (np.arange(1, 1 << min(count, 10))[:, None] >> np.arange(count)) & 1 == 1
        members = evaluation.networks_of(networks, index)
        found = evaluation.evaluate(members, matched)
        off = np.abs(_in_bfloat16(members, matched) - found.mean)
        factors = 0.0 if believe else rounding.PRODUCTS["bfloat16"]
        worst = max(worst, float((off / found.error(factors=factors)).max()))
    return Measurement(worst)


def _in_bfloat16(members: evaluation.Networks, matched: np.ndarray) -> np.ndarray:
    """The mean of the members, factors of both layers rounded to bfloat16."""
    count, num_inputs, width = members.hidden.shape
    hidden = jnp.concatenate(list(members.hidden[:, : matched.shape[1]]), axis=1)
    output = jnp.concatenate(list(members.output)) * np.float32(width**-0.5 / count)
    x = jnp.asarray(matched / np.sqrt(matched.sum(axis=1, keepdims=True)), jnp.float32)

    def product(left: Array, right: Array) -> Array:
        return jnp.matmul(
            left.astype(jnp.bfloat16),
            right.astype(jnp.bfloat16),
            preferred_element_type=jnp.float32,
        )

    active = jax.nn.relu(product(x, hidden * np.float32(num_inputs**-0.5)))
    return np.asarray(product(active, output), float)


# Noise in the templates.

NOISE = (0.0, 0.1, 0.2, 0.4, 0.6)
DESCENT_STEPS = 40


@functools.partial(jax.jit, static_argnames=("width", "steps"))
def descended(
    inputs: Float[Array, "s i"],
    targets: Float[Array, "e i k"],
    rate: Float[Array, ""],
    *,
    width: int,
    steps: int,
) -> Float[Array, "e s k"]:
    """Outputs of networks after gradient descent, each on targets of its own."""
    network = TwoLayerNetwork(inputs.shape[1], width, targets.shape[2])
    apply: Any = network.apply

    def of_member(pair: tuple[Array, Array]) -> Array:
        key, own = pair
        slope = jax.grad(lambda w: 0.5 * jnp.sum((apply(w, method="on_basis") - own) ** 2))

        def step(weights: Any, _: None) -> tuple[Any, None]:
            return jax.tree.map(lambda w, g: w - rate * g, weights, slope(weights)), None

        weights: Any = network.init(key, method="on_basis")
        return apply(jax.lax.scan(step, weights, length=steps)[0], inputs)

    keys = jax.random.split(jax.random.key(21), len(targets))
    return jax.lax.map(of_member, (keys, targets), batch_size=8)


def measure_targets(scale: Scale, believed: float = 1.0) -> Measurement:
    """Largest difference of the share of wrong bits of networks trained on noise from what tails say.

    Noise of standard deviation s in every target adds s^2 (m alpha^2 + (n0 - m) beta^2) to the
    variance of an output at m matches. Shares are over all decisions at m matches, for every level of
    noise and every m.

    Args:
        scale: how many networks.
        believed: factor of the noise in the prediction, for counter-cases.
    """
    members, width = {"quick": (400, 1024), "standard": (1000, 2048), "full": (2000, 4096)}[scale]
    _, mean, bits, threshold, covariance = concentration.decisions()
    _, targets = trained_networks.problem().program.training_set()
    n0 = len(targets)
    matched = trained_networks.match_sets()
    m = matched.sum(axis=1)
    alpha, beta = predictor.coefficients(m, n0)
    gain = (m * alpha**2 + (n0 - m) * beta**2)[:, None]
    rng = np.random.default_rng(22)
    differences, found, claimed = [], [], []
    for noise in NOISE:
        noisy = targets + noise * rng.normal(size=(members, *targets.shape))
        outputs = descended(
            jnp.asarray(matched / np.sqrt(m)[:, None], jnp.float32),
            jnp.asarray(noisy, jnp.float32),
            jnp.asarray(edge(n0) / 2, jnp.float32),
            width=width,
            steps=DESCENT_STEPS,
        )
        wrong = (np.asarray(outputs) > threshold) != bits
        spread = np.sqrt(np.diag(covariance)[:, None] + (believed * noise) ** 2 * gain)
        expected = stats.norm.sf(np.abs(mean - threshold) / spread)
        for one in np.unique(m):
            shares = wrong[:, m == one].mean(axis=(1, 2))
            differences.append(shares - expected[m == one].mean())
            found.append(float(shares.mean()))
            claimed.append(float(expected[m == one].mean()))
    value, interval, reach = statistics.largest(np.stack(differences, axis=1))
    rows = [np.reshape(part, (len(NOISE), -1)).T.tolist() for part in (found, claimed)]
    return Measurement(
        value,
        interval,
        details={
            "noise": list(NOISE),
            "matches": np.unique(m).tolist(),
            "trained": rows[0],
            "limit": rows[1],
            "half-width": reach,
        },
    )


def plot_targets(found: Measurement) -> Any:
    """Share of wrong bits over the noise, by number of matches."""
    figure, axes = plots.axes("noise in the targets of the templates", "share of wrong bits")
    rows = zip(
        found.details["matches"], found.details["trained"], found.details["limit"], strict=True
    )
    for index, (m, trained, limit) in enumerate(rows):
        axes.plot(found.details["noise"], limit, "-", color=f"C{index}", label=f"m = {m}")
        axes.plot(found.details["noise"], trained, "o", color=f"C{index}")
    axes.legend(title="lines: limit, dots: trained")
    return figure


# Noise in a state's encoding.


def steepest(cosines: np.ndarray) -> np.ndarray:
    """Norm of the gradient of the kernel with one training pair, by cosine: a closed form.

    K(x, e) = |x| k(u) has the gradient k x/|x| + k' (e - u x/|x|).
    """
    u = np.clip(cosines, -1, 1)
    along = np.sqrt(1 - u**2)
    slope = (u + 2 * along * (math.pi - np.arccos(u))) / (2 * math.pi)  # k' sqrt(1 - u^2)
    return np.hypot(kernel.ntk(u), slope)


def measure_encoding(scale: Scale, widen: float = 1.0) -> Measurement:
    """Smallest distance at which noise in an encoding flips a bit, over the radius that is safe.

    The mean sum_i a_i K(x, e_i) changes by at most G sum_i |a_i| a unit, G the steepest slope of the
    kernel; so no noise shorter than the margin over that flips a bit. It is sought along the
    gradient and in random directions, in the mean.

    Args:
        scale: how many directions.
        widen: factor of the radius, for counter-cases.
    """
    directions = {"quick": 20, "standard": 200, "full": 2000}[scale]
    _, mean, bits, threshold, _ = concentration.decisions()
    _, targets = trained_networks.problem().program.training_set()
    n0 = len(targets)
    weights = np.linalg.solve(kernel.ntk(np.eye(n0)), targets)
    slope = steepest(np.linspace(-1, 1, 20_001)).max()
    matched = trained_networks.match_sets()
    x = matched / np.sqrt(matched.sum(axis=1))[:, None]

    def outputs(states: np.ndarray) -> np.ndarray:
        size = np.linalg.norm(states, axis=-1, keepdims=True)
        return size * kernel.ntk(states / size) @ weights

    rng, ratios = np.random.default_rng(23), []
    for state, row in enumerate(x):
        step = 1e-6 * np.eye(n0)
        gradient = (outputs(row + step) - outputs(row - step)).T / 2e-6
        for bit in range(bits.shape[1]):
            radius = abs(mean[state, bit] - threshold[state, bit]) / (
                slope * np.abs(weights[:, bit]).sum()
            )
            ways = rng.normal(size=(directions, n0))
            ways[0] = gradient[bit] * (-1 if bits[state, bit] else 1)
            ways /= np.linalg.norm(ways, axis=1, keepdims=True)
            for factor in (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0):
                moved = row + factor * radius * ways
                flipped = (outputs(moved)[:, bit] > threshold[state, bit]) != bits[state, bit]
                if flipped.any():
                    ratios.append(factor)
                    break
    return Measurement(
        min(ratios) / widen, details={"steepest": float(slope), "flipped": len(ratios)}
    )


# Silent networks.

SIZES, SILENT = (2, 4, 8), (0.0, 0.25, 0.5, 0.75)


def measure_silent(scale: Scale, forget: bool = False) -> Measurement:
    """Largest difference of how often ensembles with silent members fail from what the limit says.

    The mean over all members of which k of N say 0 is that of the others times (N - k) / N, as if
    the thresholds were N / (N - k) times as high.

    Args:
        scale: how many networks.
        forget: leave the factor out of the prediction, for counter-cases.
    """
    outputs = trained_networks.many(scale)
    _, _, bits, threshold, _ = concentration.decisions()
    trials = {"quick": 10_000, "standard": 20_000, "full": 50_000}[scale]
    trained, limit = [], []
    for size in SIZES:
        groups = len(outputs) // size
        members = outputs[: groups * size].reshape(groups, size, *bits.shape)
        for silent in SILENT:
            heard = size - int(silent * size)
            means = members[:, :heard].sum(axis=1) / size
            failed = int(((means > threshold) != bits).any(axis=(1, 2)).sum())
            raised = 1.0 if forget else size / heard
            trained.append((failed, groups))
            limit.append((concentration.failing(heard, trials, seed=24, raised=raised), trials))
    found, interval, reach = statistics.largest_difference(trained, limit)
    rows = [
        np.reshape([failed / number for failed, number in part], (len(SIZES), -1)).tolist()
        for part in (trained, limit)
    ]
    return Measurement(
        found,
        interval,
        details={
            "networks": list(SIZES),
            "silent": list(SILENT),
            "trained": rows[0],
            "limit": rows[1],
            "half-width": reach,
        },
    )


def plot_silent(found: Measurement) -> Any:
    """Share of ensembles with a wrong bit, by members and silent share: a phase diagram."""
    figure, axes = plots.axes("share of silent networks", "networks N")
    picture = axes.imshow(found.details["trained"], vmin=0, vmax=1, cmap="viridis", aspect="auto")
    axes.set_xticks(range(len(SILENT)), [f"{share:g}" for share in found.details["silent"]])
    axes.set_yticks(range(len(SIZES)), [str(size) for size in found.details["networks"]])
    for row, (trained, limit) in enumerate(
        zip(found.details["trained"], found.details["limit"], strict=True)
    ):
        for column, (one, other) in enumerate(zip(trained, limit, strict=True)):
            axes.text(
                column,
                row,
                f"{one:.2f}\n({other:.2f})",
                ha="center",
                va="center",
                color="black" if one > 0.5 else "white",
            )
    figure.colorbar(picture, label="share of ensembles with any wrong bit\ntrained (limit)")
    return figure


CHECKS = (
    Check(
        name="robust-products",
        claim="products of factors in bfloat16, summed in float32, are off by less than their bound",
        formula=r"\gamma_p \mapsto (1 + f)^2 (1 + \gamma_p) - 1, \quad f = 2^{-8}",
        source="Higham, Accuracy and Stability of Numerical Algorithms, section 3.1",
        how="largest ratio of error to bound over match sets of a trained BFS ensemble",
        bound=1,
        bound_from="the claim",
        measure=measure_products,
        broken=functools.partial(measure_products, believe=True),
    ),
    Check(
        name="robust-targets",
        claim="networks that learned noisy templates err as often as noise in alpha and beta says, up to 0.1",
        formula=(
            r"P(\text{wrong}) = \Phi \left( \frac{-|\mu - \theta|}"
            r"{\sqrt{\sigma^2 + s^2 (m \alpha^2 + (n_0 - m) \beta^2)}} \right)"
        ),
        source="the predictor is linear in the targets",
        how="largest difference of the shares of wrong bits, by noise and matches, simultaneous upper limit",
        bound=0.1,
        bound_from="a tolerance; power: half-width 0.05 (0.03 at standard scale), so that a difference of "
        "0.15 is refuted; 1e-6 in all",
        measure=measure_targets,
        broken=functools.partial(measure_targets, believed=0.0),
        plot=plot_targets,
    ),
    Check(
        name="robust-encoding",
        claim="no noise in an encoding that is shorter than margin / (G sum |a|) flips a bit in the mean",
        formula=r"|f(x + \delta) - f(x)| \le \|\delta\| \, G \sum_i |a_i|, \quad "
        r"G = \max_u \sqrt{\kappa(u)^2 + \kappa'(u)^2 (1 - u^2)}",
        source="gradient of the kernel, which is homogeneous of degree 1",
        how="smallest noise found that flips a bit over the safe radius, along gradients and at random",
        bound=1,
        bound_from="the claim",
        relation="at least",
        measure=measure_encoding,
        broken=functools.partial(measure_encoding, widen=20.0),
    ),
    Check(
        name="robust-silent",
        claim="silent members act as thresholds raised by N / (N - k) on an ensemble of N - k, up to 0.2",
        source="the mean over all members is linear in each",
        how="largest difference of the shares of failing ensembles, N = 2 to 8, simultaneous upper limit",
        bound=0.2,
        bound_from="a tolerance; power: half-width 0.15 (0.1 at standard scale), so that a difference of "
        "0.35 is refuted; exact intervals, 1e-6 in all",
        measure=measure_silent,
        broken=functools.partial(measure_silent, forget=True),
        plot=plot_silent,
    ),
)
