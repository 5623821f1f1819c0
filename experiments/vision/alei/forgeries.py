"""Pictures made 'fake' by generators that run anywhere, each of the same content as a real one."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float
from scipy import fft, ndimage

from experiments.vision.alei.pictures import check_floats, coloured, within_white
from ntkexec.errors import ExperimentError

BLOCK = 8
"""Side of the blocks of `quantised` and of the patches of `autoencoder`."""
COMPONENTS = 24
"""Of the 192 directions of a patch, how many the autoencoder keeps."""
LUMINANCE = np.array([
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55], [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62], [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
])  # fmt: skip
"""Steps of JPEG's quality 50 for brightness (ITU-T T.81, annex K)."""

Pixels = Float[np.ndarray, "n h w 3"]
Generator = Callable[[Pixels], Pixels]


@dataclasses.dataclass(frozen=True)
class Drawn:
    """What a generator is drawn from and fitted to.

    Args:
        generator: of its weights, and of whatever it draws for each picture.
        examples: real pictures, for what is fitted.
    """

    generator: np.random.Generator
    examples: Pixels


def forger(name: str, generator: np.random.Generator, examples: Pixels) -> Generator:
    """A generator of fakes: a function from pictures to fakes of the same content and size.

    Args:
        name: one of `FORGERIES`: "upconvolved" halves and doubles by nearest neighbours and a 3 x 3
            convolution with weights drawn for each picture, as ProGAN's layers double; "transposed" by a
            transposed convolution of stride 2 with drawn weights, whose four phases differ; "expanded"
            by zeros and a drawn, nearly smooth kernel of 5 x 5; "nearest" and "bilinear" double
            without weights; "autoencoder" keeps the principal components of patches; "quantised" rounds
            cosines of blocks as JPEG does; "spectral" adds the faint waves that up-sampling leaves in
            spectra; "renoised" blurs and adds white noise of the same energy.
        generator: draws weights, and noise picture by picture.
        examples: real pictures as those that are forged, at least one, for the autoencoder; others do
            not look at them.

    Returns:
        From pictures (n, h, w, 3) between 0 and 1, sides multiples of 8, to fakes rounded to 8 bits.

    Raises:
        ExperimentError: there is no such forgery, or examples do not fit; or later, pictures do not:
            they are bytes or other integers, values are outside 0 to 1, or sides do not fit.
    """
    if name not in FORGERIES:
        raise ExperimentError(f"there is no forgery {name!r}; there are {', '.join(FORGERIES)}")
    made = FORGERIES[name](Drawn(generator, examples))

    def forge(pictures: Pixels) -> Pixels:
        return rounded(made(_fitting(within_white(pictures))))

    return forge


def _fitting(pictures: Pixels) -> Pixels:
    if pictures.shape[1] % BLOCK or pictures.shape[2] % BLOCK:
        raise ExperimentError(
            f"forgeries take coloured pictures whose sides are multiples of {BLOCK}, got "
            f"{' x '.join(map(str, pictures.shape[1:]))}"
        )
    return pictures


def rounded(pictures: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """Values between 0 and 1 as 8 bits have them; others are cut off.

    Raises:
        ExperimentError: they are bytes or other integers.
    """
    check_floats(pictures)
    found: np.ndarray = np.round(np.clip(pictures, 0, 1) * 255) / 255
    return found


def _halved(x: np.ndarray) -> np.ndarray:
    number, height, width, channels = x.shape
    found: np.ndarray = x.reshape(number, height // 2, 2, width // 2, 2, channels).mean((2, 4))
    return found


def _expanded(x: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """Zeros between pixels, then a kernel (k, k) for each colour: a transposed convolution of stride 2."""
    number, height, width, _ = x.shape
    wide = np.zeros((number, 2 * height, 2 * width, 3))
    wide[:, ::2, ::2] = x
    found = [
        ndimage.convolve(wide[..., c], kernel[None], mode="mirror")
        for c, kernel in enumerate(kernels)
    ]
    return np.stack(found, -1)


def _by_kernel(taps: list[int], spread: float) -> Callable[[Drawn], Generator]:
    """Halved and expanded again by a smooth kernel, its weights drawn off by a share."""
    row = np.array(taps) * 2 / sum(taps)

    def drawn(given: Drawn) -> Generator:
        off = 1 + spread * given.generator.normal(size=(3, len(row), len(row)))
        kernels = np.outer(row, row)[None] * off
        kernels *= 4 / kernels.sum((1, 2), keepdims=True)
        return lambda x: _expanded(_halved(x), kernels)

    return drawn


def _nearest(given: Drawn) -> Generator:
    return lambda x: _halved(x).repeat(2, 1).repeat(2, 2)


def _bilinear(given: Drawn) -> Generator:
    def doubled(x: np.ndarray) -> np.ndarray:
        for axis in (1, 2):
            before, after = (_shifted(x, axis, by) for by in (1, -1))
            both = np.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis + 1)
            x = both.reshape(*x.shape[:axis], 2 * x.shape[axis], *x.shape[axis + 1 :])
        return x

    return lambda x: doubled(_halved(x))


def _upconvolved(given: Drawn) -> Generator:
    """Doubled by nearest neighbours, then a 3 x 3 convolution with weights drawn for each picture."""
    row = np.array([1, 2, 1]) / 4

    def doubled(x: np.ndarray) -> np.ndarray:
        off = 1 + 0.3 * given.generator.normal(size=(len(x), 3, 3))
        kernels = np.outer(row, row)[None] * off
        kernels /= kernels.sum((1, 2), keepdims=True)
        large = np.pad(
            _halved(x).repeat(2, 1).repeat(2, 2), ((0, 0), (1, 1), (1, 1), (0, 0)), "edge"
        )
        height, width = x.shape[1:3]
        taps = [
            kernels[:, i, j, None, None, None] * large[:, i : i + height, j : j + width]
            for i in range(3)
            for j in range(3)
        ]
        return np.sum(taps, 0)

    return doubled


def _shifted(x: np.ndarray, axis: int, by: int) -> np.ndarray:
    """Neighbours along an axis; at the border the pixel itself."""
    places = np.clip(np.arange(x.shape[axis]) - by, 0, x.shape[axis] - 1)
    return np.take(x, places, axis)


def _blocks(x: np.ndarray) -> np.ndarray:
    """Blocks (n, rows, columns, 8, 8, 3)."""
    number, height, width, channels = x.shape
    cut = x.reshape(number, height // BLOCK, BLOCK, width // BLOCK, BLOCK, channels)
    return cut.swapaxes(2, 3)


def _whole(blocks: np.ndarray) -> np.ndarray:
    number, rows, columns, *_ = blocks.shape
    return blocks.swapaxes(2, 3).reshape(number, rows * BLOCK, columns * BLOCK, 3)


def _autoencoder(given: Drawn) -> Generator:
    examples = _fitting(within_white(given.examples))
    if not examples.size:
        raise ExperimentError(f"an autoencoder is fitted to examples, got none: {examples.shape}")
    patches = _blocks(examples).reshape(-1, BLOCK * BLOCK * 3)
    centre = patches.mean(0)
    _, directions = np.linalg.eigh((patches - centre[None]).T @ (patches - centre[None]))
    kept = directions[:, -COMPONENTS:]

    def rebuilt(x: np.ndarray) -> np.ndarray:
        blocks = _blocks(x)
        flat = blocks.reshape(-1, BLOCK * BLOCK * 3) - centre[None]
        return _whole((flat @ kept @ kept.T + centre[None]).reshape(blocks.shape))

    return rebuilt


def quantised(pictures: Pixels, quality: int = 50) -> Pixels:
    """Cosines of 8 x 8 blocks rounded to JPEG's steps for brightness, colour by colour.

    Args:
        pictures: between 0 and 1.
        quality: from 1 to 100, as libjpeg scales the steps.

    Raises:
        ExperimentError: there is no such quality, pictures are integers, or sides are no multiples of 8.
    """
    if not 1 <= quality <= 100:
        raise ExperimentError(f"qualities of JPEG are from 1 to 100, got {quality}")
    pictures = _fitting(coloured(pictures))
    scale = 50 / quality if quality < 50 else 2 - quality / 50
    steps = np.maximum(1, np.floor(LUMINANCE * scale + 0.5))[..., None]
    cosines = fft.dctn(_blocks(pictures) * 255 - 128, axes=(3, 4), norm="ortho")
    back = fft.idctn(np.round(cosines / steps) * steps, axes=(3, 4), norm="ortho")
    return _whole((back + 128) / 255)


def _spectral(given: Drawn) -> Generator:
    def waved(x: np.ndarray) -> np.ndarray:
        rows, columns = np.mgrid[: x.shape[1], : x.shape[2]]
        waves = (
            np.cos(np.pi * rows) + np.cos(np.pi * columns) + np.cos(np.pi * (rows + columns) / 2)
        )
        return x + 0.01 * waves[None, ..., None]

    return waved


def _renoised(given: Drawn) -> Generator:
    def again(x: np.ndarray) -> np.ndarray:
        smooth = ndimage.gaussian_filter(x, (0, 0.8, 0.8, 0), mode="mirror")
        energy = (x - smooth).std((1, 2, 3), keepdims=True)
        return smooth + energy * given.generator.normal(size=x.shape)

    return again


FORGERIES: Mapping[str, Callable[[Drawn], Generator]] = {
    "upconvolved": _upconvolved,
    "transposed": _by_kernel([1, 3, 3, 1], 0.15),
    "expanded": _by_kernel([1, 4, 6, 4, 1], 0.05),
    "nearest": _nearest,
    "bilinear": _bilinear,
    "autoencoder": _autoencoder,
    "quantised": lambda given: quantised,
    "spectral": _spectral,
    "renoised": _renoised,
}
"""Each by its name, the first the one that detectors are trained on."""
