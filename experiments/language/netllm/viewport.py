"""Where a viewer will look: windows of head traces, errors on a circle, and what needs no learning.

```python
import numpy as np
from experiments.language.netllm.viewport import velocity, wrapped_error

past = np.zeros((1, 10, 3))
past[0, :, 2] = [170, 172, 174, 176, 178, -180, -178, -176, -174, -172]  # a steady turn
future = velocity(past, 20)
print(future[0, 0, 2], wrapped_error(future[:, :1], np.array([[[0, 0, -170.0]]])))  # 190.0 0.0
```
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from experiments.data.formats.viewports import ViewportSet
from ntkexec.errors import ExperimentError, did_you_mean

PAST, FUTURE, STRIDE = 10, 20, 15
"""Samples seen, samples foretold, and from one window to the next, at 5 Hz."""
LARGEST_GAP = 0.5
"""Seconds; a window across a longer pause of the recording is left out."""


@dataclasses.dataclass(frozen=True)
class ViewerSplit:
    """Videos and viewers of the three parts; no part has a video or a viewer of another.

    Args:
        videos, users: for "train", "valid" and "test".
    """

    videos: Mapping[str, tuple[int, ...]]
    users: Mapping[str, tuple[int, ...]]


SPLITS = {
    "viewports-jin2022": ViewerSplit(
        {
            "train": (1, 5, 9, 2, 6, 11, 15, 16, 13, 17, 21, 22, 26, 19, 23),
            "valid": (3, 7, 12, 10, 20, 27),
            "test": (4, 8, 14, 18, 24, 25),
        },
        {
            "train": (
                *(
                    50,
                    54,
                    6,
                    34,
                    66,
                    63,
                    52,
                    39,
                    62,
                    46,
                    75,
                    28,
                    65,
                    18,
                    37,
                    13,
                    80,
                    33,
                    69,
                    78,
                    19,
                ),
                *(40, 10, 43, 61, 72, 56, 41, 79, 82, 27, 71, 57, 67, 8, 2, 12, 81, 1, 64, 32, 42),
            ),
            "valid": (
                *(9, 25, 73, 29, 31, 70, 58, 11, 14, 38, 16, 76, 77, 74, 24, 5, 17, 20, 51, 68, 36),
            ),
            "test": (
                *(83, 15, 3, 35, 48, 22, 55, 4, 45, 60, 26, 21, 44, 23, 53, 84, 59, 49, 7, 47, 30),
            ),
        },
    ),
    "viewports-wu2017": ViewerSplit(
        {"train": (9, 7, 4, 1, 6), "valid": (8, 2), "test": (3, 5)},
        {
            "train": (
                *(
                    23,
                    3,
                    19,
                    24,
                    18,
                    28,
                    9,
                    26,
                    6,
                    15,
                    21,
                    25,
                    32,
                    38,
                    45,
                    34,
                    48,
                    44,
                    29,
                    43,
                    4,
                    36,
                ),
                *(39, 8, 17, 42, 30, 11, 22, 37),
            ),
            "valid": (40, 20, 14, 1, 31, 12, 33, 27, 10),
            "test": (16, 7, 46, 5, 35, 2, 41, 47, 13),
        },
    ),
}
"""The published splits; of the videos named, those that a file lacks are passed over."""


@dataclasses.dataclass(frozen=True, eq=False)
class Windows:
    """What was seen, and what came next: roll, pitch and yaw in degrees, as recorded.

    Args:
        past, future: yaw jumps by 360 behind the viewer.
    """

    past: Float[np.ndarray, "N 10 3"]
    future: Float[np.ndarray, "N 20 3"]


def windows(found: ViewportSet, part: str, *, stride: int = STRIDE) -> Windows:
    """Windows of one part of the published split, placed as in the public code.

    Args:
        found: the traces.
        part: "train", "valid" or "test".
        stride: samples from one window to the next; the public code's is 15.

    Returns:
        Ten samples before and twenty from each of the samples 30, 45, ... to 61 before the end, of
        every viewer of every video of the part. Windows across a pause are left out (ours).

    Raises:
        ExperimentError: a set without a published split, or no such part.

    Source: the public code of Wu et al., NetLLM, SIGCOMM 2024.
    """
    if found.name not in SPLITS or part not in SPLITS[found.name].videos:
        raise ExperimentError(
            f"there is no part {part!r} of {found.name!r}{did_you_mean(found.name, SPLITS)}"
        )
    split = SPLITS[found.name]
    past, future = [], []
    for trace in found.traces:
        if trace.video in split.videos[part] and trace.user in split.users[part]:
            for now in range(3 * PAST, len(trace.seconds) - 3 * FUTURE, stride):
                inside = slice(now - PAST, now + FUTURE)
                if np.diff(trace.seconds[inside]).max() <= LARGEST_GAP:
                    past.append(trace.degrees[now - PAST : now])
                    future.append(trace.degrees[now : now + FUTURE])
    if not past:
        raise ExperimentError(f"{found.name} has no window of the part {part!r}")
    return Windows(np.array(past, np.float64), np.array(future, np.float64))


def unwrapped(degrees: Float[np.ndarray, "N T 3"]) -> Float[np.ndarray, "N T 3"]:
    """The same directions without jumps: neighbours differ by at most 180 degrees."""
    return np.unwrap(degrees, period=360.0, axis=1)


def turned(degrees: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Differences of angles the shorter way round, from -180 to below 180."""
    return (degrees + 180.0) % 360.0 - 180.0


def wrapped_error(predicted: Float[np.ndarray, "... 3"], true: Float[np.ndarray, "... 3"]) -> float:
    """Mean absolute error in degrees over samples and all three angles, the shorter way round."""
    return float(np.abs(turned(predicted - true)).mean())


def public_error(predicted: Float[np.ndarray, "... 3"], true: Float[np.ndarray, "... 3"]) -> float:
    """The public code's: one turn is taken off at most.

    It equals `wrapped_error` for predictions within 180 degrees, and is larger for those that have
    run farther than one and a half turns from the truth.
    """
    off = predicted - true
    return float(np.minimum(np.abs(off), np.minimum(np.abs(off + 360), np.abs(off - 360))).mean())


def last_value(past: Float[np.ndarray, "N T 3"], ahead: int) -> Float[np.ndarray, "N H 3"]:
    """The viewer stays where he is."""
    return np.repeat(past[:, -1:], ahead, axis=1)


def velocity(
    past: Float[np.ndarray, "N T 3"], ahead: int, *, unwrap: bool = True
) -> Float[np.ndarray, "N H 3"]:
    """The viewer goes on as from the first sample to the last.

    Args:
        past: samples in degrees.
        ahead: samples foretold.
        unwrap: whether jumps of yaw are taken out first; the public code leaves them in, so that a
            viewer who turns past the back is foretold to spin.
    """
    past = unwrapped(past) if unwrap else past
    speed = (past[:, -1] - past[:, 0]) / (past.shape[1] - 1)
    return past[:, -1:] + speed[:, None] * np.arange(1, ahead + 1)[None, :, None]


def linear_regression(
    past: Float[np.ndarray, "N T 3"], ahead: int, *, unwrap: bool = True
) -> Float[np.ndarray, "N H 3"]:
    """The least-squares line through each angle's samples, extended.

    The public code foretells a sample, appends it and fits anew, which leaves the line as it was.

    Args:
        past, ahead, unwrap: as for `velocity`.
    """
    past = unwrapped(past) if unwrap else past
    length = past.shape[1]
    design = np.stack([np.ones(length), np.arange(length)], axis=1)
    line = np.einsum("kt,ntc->nkc", np.linalg.pinv(design), past)
    later = np.arange(length, length + ahead)
    return line[:, :1] + line[:, 1:] * later[None, :, None]


@dataclasses.dataclass(frozen=True, eq=False)
class LinearMap:
    """A fitted map from how a viewer moved to how he will: ours, the rival that any network must beat.

    Args:
        weights: from the displacements of all samples from the last one, and 1.
    """

    weights: Float[np.ndarray, "i o"]

    @classmethod
    def fitted(cls, seen: Windows, *, penalty: float = 1.0) -> "LinearMap":
        """By least squares over all windows.

        Args:
            seen: windows to train on.
            penalty: on squared weights, a window's worth each.
        """
        rows = _displacements(seen.past)
        wanted = displaced(seen).reshape(len(rows), -1)
        gram = rows.T @ rows + penalty * np.eye(rows.shape[1])
        return cls(np.linalg.solve(gram, rows.T @ wanted))

    def __call__(self, past: Float[np.ndarray, "N T 3"], ahead: int) -> Float[np.ndarray, "N H 3"]:
        made = _displacements(past) @ self.weights
        return past[:, -1:] + made.reshape(len(past), -1, 3)[:, :ahead]


def displaced(found: Windows) -> Float[np.ndarray, "N 20 3"]:
    """How far from the last sample seen the viewer has turned at each sample to come, without jumps."""
    whole = unwrapped(np.concatenate([found.past[:, -1:], found.future], axis=1))
    return whole[:, 1:] - whole[:, :1]


def _displacements(past: Float[np.ndarray, "N T 3"]) -> Float[np.ndarray, "N i"]:
    past = unwrapped(past)
    rows = (past[:, :-1] - past[:, -1:]).reshape(len(past), -1)
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
