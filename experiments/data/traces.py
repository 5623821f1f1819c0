"""Traces of bandwidth and sizes of a video's chunks as data."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int


@dataclasses.dataclass(frozen=True)
class Trace:
    """The bandwidth of a link over time.

    Args:
        name: of its file.
        seconds: growing.
        megabits: a second, since the time before; of the first, before the trace.
    """

    name: str
    seconds: Float[np.ndarray, "S"]
    megabits: Float[np.ndarray, "S"]


@dataclasses.dataclass(frozen=True)
class TraceSet:
    """Traces of one kind.

    Args:
        name: of the set.
        train, validation, test: parts; where the files have no parts, all are test.
    """

    name: str
    train: tuple[Trace, ...]
    validation: tuple[Trace, ...]
    test: tuple[Trace, ...]


@dataclasses.dataclass(frozen=True)
class VideoSizes:
    """Bytes of a video's chunks.

    Args:
        name: of the video.
        sizes: of every chunk in every quality, from the worst to the best.
    """

    name: str
    sizes: Int[np.ndarray, "chunks qualities"]
