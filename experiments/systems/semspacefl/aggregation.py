"""Two tiers of averages: satellites into gateways, gateways into the cloud; dense, and over a mesh.

A scheme says with which weights. Where all satellites are served all the time, `mobility` is FedAvg,
whoever serves them; a satellite that several gateways serve counts once, and in `naive` once for each.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from experiments.kits.federated.averages import mean_over, sum_over, weighted_mean
from ntkexec.errors import ExperimentError

Weights = tuple[Float[np.ndarray, "S G"], Float[np.ndarray, "G"]]
Tree = Any


def mobility(samples: np.ndarray, shares: np.ndarray) -> Weights:
    """The paper's, as we read it: samples times the share of the round that a gateway serves them."""
    given = samples[:, None] * shares
    return given, given.sum(0)


def naive(samples: np.ndarray, shares: np.ndarray) -> Weights:
    """Every gateway that served a satellite counts its samples in full."""
    given = samples[:, None] * (shares > 0)
    return given, given.sum(0)


def uniform(samples: np.ndarray, shares: np.ndarray) -> Weights:
    """As `mobility` at the gateways, which then all count alike, unless they served nobody."""
    given = samples[:, None] * shares
    return given, (given.sum(0) > 0).astype(float)


def unbiased(samples: np.ndarray, shares: np.ndarray) -> Weights:
    """As `mobility`, over each satellite's coverage: whoever was served at all counts its samples once."""
    covered = shares.sum(1, keepdims=True)
    given = samples[:, None] * np.divide(
        shares, covered, out=np.zeros_like(shares), where=covered > 0
    )
    return given, given.sum(0)


SCHEMES: Mapping[str, Callable[[np.ndarray, np.ndarray], Weights]] = {
    "mobility": mobility,
    "naive": naive,
    "uniform": uniform,
    "unbiased": unbiased,
}


def weights_by(
    scheme: str, samples: Float[np.ndarray, "S"], shares: Float[np.ndarray, "S G"]
) -> Weights:
    """Weights of satellites at every gateway, and of gateways at the cloud.

    Args:
        scheme: one of `SCHEMES`.
        samples: of each satellite, positive.
        shares: of the round that each satellite is served by each gateway; at most 1 together.

    Raises:
        ExperimentError: there is no such scheme, or shares are none.
    """
    if scheme not in SCHEMES:
        raise ExperimentError(f"there is no scheme {scheme!r}, but {', '.join(SCHEMES)}")
    samples, shares = np.asarray(samples, float), np.asarray(shares, float)
    if shares.ndim != 2 or not shares.shape[1] or samples.shape != shares.shape[:1]:
        raise ExperimentError(
            f"{samples.shape} samples and shares of {shares.shape} do not fit: every satellite has "
            "a number of samples, and a share with each of some gateways"
        )
    if not (np.isfinite(samples) & (samples > 0)).all():
        raise ExperimentError("every satellite has a positive number of samples")
    if not ((shares >= 0).all() and (shares.sum(1) <= 1 + 1e-9).all()):
        raise ExperimentError("shares of a round are not negative, and at most 1 for a satellite")
    return SCHEMES[scheme](samples, shares)


def effective_weights(weights: Weights) -> Float[np.ndarray, "S"]:
    """With which weight each satellite ends up in the cloud's model; they sum to 1."""
    satellites, gateways = weights
    total = satellites.sum(0)
    within = np.divide(satellites, total, out=np.zeros_like(satellites), where=total > 0)
    served = np.where(total > 0, gateways, 0)
    if not served.sum() > 0:
        raise ExperimentError("no gateway served anybody: there is no mean")
    effective: np.ndarray = within @ (served / served.sum())
    return effective


def two_tier_average(
    models: Tree,
    satellites: Float[np.ndarray, "S G"],
    gateways: Float[np.ndarray, "G"],
    *,
    before: Tree | None = None,
) -> tuple[Tree, Tree]:
    """The cloud's model and every gateway's.

    Args:
        models: of the satellites, stacked.
        satellites: weights of each satellite at each gateway.
        gateways: weights at the cloud; a gateway that served nobody has no influence whatever its own.
        before: models of the gateways, stacked, which they keep where they served nobody; by default
            zeros. Where nobody was served at all, the cloud has the mean of these.

    Returns:
        The cloud's model; those of the gateways, stacked.
    """
    given, above = jnp.asarray(satellites), jnp.asarray(gateways)
    if before is None:
        shape = (len(above),)
        before = jax.tree.map(lambda leaf: jnp.zeros(shape + leaf.shape[1:], leaf.dtype), models)

    def tier(weights: Array, kept: Tree) -> Tree:
        return weighted_mean(models, weights, otherwise=kept)

    means = jax.vmap(tier, in_axes=(1, 0))(given, before)
    served = jnp.where(given.sum(0) > 0, above, 0)
    rest = jax.tree.map(lambda leaf: leaf.mean(0), before)
    return weighted_mean(means, served, otherwise=rest), means


def two_tiers_inside(
    models: Tree, satellites: Float[Array, "s"], gateway: Float[Array, ""]
) -> tuple[Tree, Tree]:
    """`two_tier_average` without `before`, on one device of a mesh: one psum of a model for each tier.

    Args:
        models: of some satellites, stacked; those along the axis `sat` are all.
        satellites: their weights at this device's gateway, which the axis `gateway` counts.
        gateway: its weight at the cloud.

    Returns:
        The cloud's model and this gateway's.
    """
    zeros = jax.tree.map(lambda leaf: jnp.zeros_like(leaf[0]), models)
    block = weighted_mean(models, satellites, otherwise=zeros)
    # The weights' sum comes with that of the models: who served nobody needs no further message.
    total, summed = sum_over("sat", block, satellites.sum())
    some = jnp.where(total > 0, total, 1)
    mean = jax.tree.map(lambda leaf, mine: (leaf / some).astype(mine.dtype), summed, block)
    return mean_over("gateway", mean, jnp.where(total > 0, gateway, 0), otherwise=zeros), mean


def over_mesh(mesh: Mesh) -> Callable[[Tree, Any, Any], tuple[Tree, Tree]]:
    """`two_tier_average` without `before`, over devices; compile it.

    Args:
        mesh: with the axes `gateway`, of as many devices as there are gateways, and `sat`, which divides
            the satellites; a satellite's model is on every device of its column, as it is sent to every
            gateway.

    Returns:
        `(models, satellites, gateways) -> (the cloud's model, the gateways')`.
    """

    def inside(models: Tree, satellites: Array, gateways: Array) -> tuple[Tree, Tree]:
        cloud, mean = two_tiers_inside(models, satellites[:, 0], gateways[0])
        return cloud, jax.tree.map(lambda leaf: leaf[None], mean)

    # Axes of the explicit kind would want arguments that are laid out over the mesh already.
    return jax.shard_map(
        inside,
        mesh=Mesh(mesh.devices, mesh.axis_names, axis_types=(AxisType.Auto,) * 2),
        in_specs=(P("sat"), P("sat", "gateway"), P("gateway")),
        out_specs=(P(), P("gateway")),
        check_vma=False,
    )
