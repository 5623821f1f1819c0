"""Low-level views of a picture: what its neighbours, or a filter, do not already tell of each pixel."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float
from scipy import ndimage

from experiments.kits.convnets.products import convolve
from experiments.vision.alei.pictures import check_floats, coloured
from ntkexec.errors import ExperimentError

SRM = (
    np.array([
        [-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1],
    ]) / 12,
    np.pad(np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]]), 1) / 4,
    np.pad(np.array([[1, -2, 1]]), ((2, 2), (1, 1))) / 2,
)  # fmt: skip
"""The three kernels of 5 x 5 that forensic networks take from the spatial rich model."""


Images = TypeVar("Images", np.ndarray, Array)


def neighbouring_pixels(images: Images) -> Images:
    """NPR: the difference of each pixel from the first one of its cell of 2 x 2.

    It is the picture minus itself halved and doubled again by nearest neighbours: exactly 0 on whatever
    was doubled so on the same grid, linear, and blind to constants.

    Args:
        images: pictures (..., h, w, c) of floating-point numbers, NumPy's or JAX's; the result is of the
            same kind and shape.

    Raises:
        ExperimentError: they are bytes or other integers, whose differences would wrap around, or have
            fewer axes; height or width is odd: cut the picture, since scaling it moves the grid.

    Source: Tan et al., CVPR 2024, arXiv:2312.10461, section 3.
    """
    check_floats(images)
    if images.ndim < 3:
        raise ExperimentError(f"pictures are an array (..., h, w, c), got {images.shape}")
    *_, height, width, channels = images.shape
    if height % 2 or width % 2:
        raise ExperimentError(
            f"cells of 2 x 2 do not fill pictures of {height} x {width} pixels: cut them, do not scale them"
        )
    cells = images.reshape(*images.shape[:-3], height // 2, 2, width // 2, 2, channels)
    return (cells - cells[..., :1, :, :1, :]).reshape(images.shape)


def noise_residual(
    images: Float[np.ndarray, "n h w 3"], kind: str = "srm"
) -> Float[np.ndarray, "n h w 3"]:
    """What a fixed filter leaves of pictures.

    Args:
        images: red, green and blue, floating-point numbers.
        kind: "srm" for three kernels of the rich model, a channel each, on the mean of the colours;
            "median" for the difference from the median of 3 x 3 pixels, colour by colour.

    Raises:
        ExperimentError: there is no such kind, or pictures are integers or of another shape.

    Source: Fridrich and Kodovsky, IEEE TIFS 2012; three kernels as Zhou et al., CVPR 2018, arXiv:1805.04953.
    """
    if kind not in RESIDUALS:
        raise ExperimentError(f"there is no residual {kind!r}; there are {', '.join(RESIDUALS)}")
    return RESIDUALS[kind](coloured(images))


def _srm(images: np.ndarray) -> np.ndarray:
    grey = images.mean(-1)
    found = [ndimage.correlate(grey, kernel[None], mode="mirror") for kernel in SRM]
    return np.stack(found, -1)


def _median(images: np.ndarray) -> np.ndarray:
    return images - ndimage.median_filter(images, (1, 3, 3, 1), mode="mirror")


RESIDUALS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {"srm": _srm, "median": _median}
VIEWS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "rgb": lambda images: images,
    "npr": neighbouring_pixels,
    "srm": _srm,
    "median": _median,
}
"""By name, from pictures to pictures of the same shape."""


def views_of(
    images: Float[np.ndarray, "n h w 3"], names: Sequence[str]
) -> Float[np.ndarray, "n v h w 3"]:
    """Several views beside each other, as `Detector` takes them.

    Args:
        images: red, green and blue, floating-point numbers.
        names: some of `VIEWS`, in the order of the result.

    Raises:
        ExperimentError: there is no such view, or none is asked for, or pictures are integers or of
            another shape.
    """
    if isinstance(names, str) or not len(names):
        raise ExperimentError(f"names of views are a list of {', '.join(VIEWS)}, got {names!r}")
    if unknown := set(names) - set(VIEWS):
        raise ExperimentError(f"there is no view {min(unknown)!r}; there are {', '.join(VIEWS)}")
    given = coloured(images)
    return np.stack([VIEWS[name](given) for name in names], 1)


def bayar_constrained(kernel: Float[Array, "k k i o"]) -> Float[Array, "k k i o"]:
    """The kernel as a prediction error: -1 in the middle, the others scaled so that they sum to 1.

    Every pair of an input and an output channel is a filter of its own.

    Args:
        kernel: of odd sides, its weights beside the middle with another sum than 0; begin with
            positive ones.

    Returns:
        The kernel; within `jax.jit`, where values are not known, filters that sum to 0 become infinite
        or not a number.

    Raises:
        ExperimentError: there is no middle, or nothing beside it; or, where values are known, a filter's
            other weights sum to 0, so that they cannot be scaled.

    Source: Bayar and Stamm, IH&MMSec 2016, algorithm 1.
    """
    middle = _middle(kernel)
    others = jnp.where(middle, 0, kernel)
    return jnp.where(middle, -1, others / others.sum((0, 1), keepdims=True))


def _middle(kernel: Any) -> Bool[np.ndarray, "k k 1 1"]:
    """Where a kernel's middle is, of one that can be constrained."""
    if kernel.ndim != 4:
        raise ExperimentError(f"a kernel is an array (k, k, i, o), got {kernel.shape}")
    tall, wide = kernel.shape[:2]
    if tall % 2 == 0 or wide % 2 == 0:
        raise ExperimentError(f"a kernel of {tall} x {wide} has no middle")
    if tall == wide == 1:
        raise ExperimentError("a kernel of 1 x 1 has nothing beside its middle to predict it from")
    middle = np.zeros((tall, wide, 1, 1), bool)
    middle[tall // 2, wide // 2] = True
    if not isinstance(kernel, jax.core.Tracer):
        others = np.where(middle, 0, np.asarray(kernel, float))
        floating = jnp.issubdtype(kernel.dtype, jnp.floating)
        rounding = tall * wide * float(jnp.finfo(kernel.dtype).eps) if floating else 0.0
        sums, most = np.abs(others.sum((0, 1))), np.abs(others).sum((0, 1))
        # Not numbers are refused as well.
        if len(lost := np.argwhere(~(sums > rounding * most))):
            source, target = lost[0].tolist()
            raise ExperimentError(
                f"beside the middle, weights of the filter from channel {source} to {target} sum to "
                f"{others.sum((0, 1))[source, target]:g} and cannot be scaled to 1: begin with positive ones"
            )
    return middle


def constrained_residual(
    images: Float[Array, "n h w i"], kernel: Float[Array, "k k i o"]
) -> Float[Array, "n h2 w2 o"]:
    """Errors of predicting pixels from their neighbours by learned weights; the rim is left out."""
    return convolve(images, kernel)


def keep_bayar() -> optax.GradientTransformation:
    """The last link of an Optax chain, after which all kernels fulfil Bayar's constraint.

    `optax.chain(optax.adam(1e-3), keep_bayar())`; `update` needs the parameters, kernels (k, k, i, o).
    `init` refuses what `bayar_constrained` refuses; other parameters are kept from it by `optax.masked`.
    """

    def init(params: optax.Params) -> optax.OptState:
        jax.tree.map(_middle, params)
        return optax.EmptyState()

    def update(updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None):  # type: ignore[no-untyped-def] # noqa: ANN202
        if params is None:
            raise ExperimentError("keep_bayar needs the parameters: update(updates, state, params)")
        moved = optax.apply_updates(params, updates)
        return jax.tree.map(lambda new, old: bayar_constrained(new) - old, moved, params), state

    return optax.GradientTransformation(init, update)
