"""Generated pictures with the truth about every object: boxes, classes, masks; a canvas to make them on.

```python
import numpy as np
from experiments.kits.detection.top_view import top_view_scenes

scenes = top_view_scenes(np.random.default_rng(0), 4)
print(scenes.images.shape, scenes.boxes[0, 0], scenes.names[scenes.labels[0, 0]])
print(scenes[:2].images.shape)  # some of them
```
"""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32

from ntkexec.errors import ExperimentError

ATTEMPTS = 40
"""Places that are tried for an object before it is left out."""
Mask = Bool[np.ndarray, "h w"]


@dataclasses.dataclass(frozen=True, eq=False)
class Scenes:
    """Pictures and what is in them, padded to one number of objects.

    Args:
        images: RGB from 0 to 1.
        boxes: left, top, right and bottom of an object's visible pixels, half-open, so that right minus
            left is its width; zeros where there is no object.
        labels: classes from 0; -1 where there is no object, always after those that are.
        names: of the classes.
        masks: visible pixels of each object; none where nobody asked for them.
        attributes: numbers from 0 that describe each object, -1 where there is none.
        captions: a sentence for each picture; empty where nobody asked for them.

    Raises:
        ExperimentError: pictures of bytes, parts of other numbers of scenes or objects, a label without a
            name, or an object behind an entry that is none. That pictures are from 0 to 1, `fit_detector`
            and `detect` see to.
    """

    images: Float32[np.ndarray, "n h w 3"]
    boxes: Float32[np.ndarray, "n m 4"]
    labels: Int32[np.ndarray, "n m"]
    names: tuple[str, ...]
    masks: Bool[np.ndarray, "n m h w"] | None = None
    attributes: Int32[np.ndarray, "n m f"] | None = None
    captions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape, labels = np.shape(self.images), np.asarray(self.labels)
        if len(shape) != 4 or shape[3] != 3:
            raise ExperimentError(f"pictures are (n, height, width, 3), got the shape {shape}")
        if np.asarray(self.images).dtype.kind != "f":
            raise ExperimentError(
                f"pictures hold numbers from 0 to 1, got {np.asarray(self.images).dtype}; divide bytes by 255"
            )
        if labels.ndim != 2 or labels.dtype.kind != "i":
            raise ExperimentError(
                "labels of scenes are (n, objects), whole numbers with -1 for none, got "
                f"{labels.dtype} of the shape {labels.shape}"
            )
        number, most = shape[0], labels.shape[1]
        words = () if self.attributes is None else np.shape(self.attributes)[2:]
        wanted = {
            "labels": (number, most),
            "boxes": (number, most, 4),
            "masks": (number, most, *shape[1:3]),
            "attributes": (number, most, *words),
        }
        for name, fitting in wanted.items():
            given = getattr(self, name)
            if given is not None and np.shape(given) != fitting:
                raise ExperimentError(
                    f"{name} of {number} scenes have the shape {fitting}, got {np.shape(given)}"
                )
        if self.captions and len(self.captions) != number:
            raise ExperimentError(f"{number} scenes have {len(self.captions)} captions")
        if labels.size and labels.max() >= len(self.names):
            raise ExperimentError(f"label {labels.max()} has no name among {len(self.names)}")
        there = labels >= 0
        if (there[:, 1:] & ~there[:, :-1]).any():
            raise ExperimentError(
                "labels of -1 are no objects and come last, as `padded` puts them: a scene has an object "
                "behind one"
            )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: Any) -> "Scenes":
        """Some of the scenes: a slice, numbers of scenes, or a truth value for each."""
        chosen = np.arange(len(self))[rows].reshape(-1)
        return dataclasses.replace(
            self,
            images=self.images[chosen],
            boxes=self.boxes[chosen],
            labels=self.labels[chosen],
            masks=None if self.masks is None else self.masks[chosen],
            attributes=None if self.attributes is None else self.attributes[chosen],
            captions=tuple(self.captions[row] for row in chosen) if self.captions else (),
        )

    @property
    def present(self) -> Bool[np.ndarray, "n m"]:
        """Which entries are objects."""
        return self.labels >= 0


@dataclasses.dataclass(frozen=True)
class SceneObject:
    """One object of a scene that is being made.

    Args:
        label: its class.
        mask: its pixels.
        attributes: as in `Scenes`.
    """

    label: int
    mask: Mask
    attributes: tuple[int, ...] = ()


class Canvas:
    """A picture that objects are painted on, each where there is room.

    Args:
        image: the background, shape (size, size, 3); it is painted over.
        gap: free pixels between the parts of any two objects that `paint` reserves, at least.
    """

    def __init__(self, image: Float[np.ndarray, "h w 3"], *, gap: int = 1) -> None:
        self.image = image
        self.placed: list[SceneObject] = []
        self._gap = gap
        self._taken = np.zeros(image.shape[:2], bool)

    def paint(
        self,
        top: int,
        left: int,
        cover: Float[np.ndarray, "a b"],
        colour: Float[np.ndarray, "..."],
        *,
        label: int,
        attributes: tuple[int, ...] = (),
        whole: bool = True,
    ) -> bool:
        """Paints an object unless it would touch another or leave the picture; says whether it did.

        Args:
            top, left: of the part of the picture that is painted on.
            cover: from 0, the picture shows, to 1, the colour does; from a half on a pixel is the
                object's.
            colour: of shape (3,), or (a, b, 3) for one of each pixel.
            label, attributes: of the object.
            whole: whether its box is kept free from others, not its pixels alone.
        """
        down, across = slice(top, top + cover.shape[0]), slice(left, left + cover.shape[1])
        part = self.image[down, across]
        own = cover >= 0.5
        if min(top, left) < 0 or part.shape[:2] != cover.shape or not own.any():
            return False
        mask = np.zeros(self._taken.shape, bool)
        mask[down, across] = own
        kept_free = filled_box(mask) if whole else mask
        if self._taken[kept_free].any():
            return False
        part += cover[..., None] * (colour - part)
        self._taken |= widened(kept_free, self._gap)
        self.placed.append(SceneObject(label, mask, attributes))
        return True


def gathered(
    canvases: list[Canvas],
    names: tuple[str, ...],
    *,
    most: int,
    masks: bool,
    captions: tuple[str, ...] = (),
) -> Scenes:
    """Scenes from painted canvases of one size.

    Args:
        canvases: a scene each; colours are cut to 0 to 1.
        names: of the classes.
        most: objects in a scene, to which all are padded.
        masks: whether they are kept.
        captions: see `Scenes`.
    """
    number, size = len(canvases), canvases[0].image.shape[:2]
    images = np.clip(np.stack([canvas.image for canvas in canvases]), 0, 1).astype(np.float32)
    boxes = np.zeros((number, most, 4), np.float32)
    labels = np.full((number, most), -1, np.int32)
    kept = np.zeros((number, most, *size), bool) if masks else None
    width = max((len(p.attributes) for canvas in canvases for p in canvas.placed), default=0)
    attributes = np.full((number, most, width), -1, np.int32) if width else None
    for row, canvas in enumerate(canvases):
        for place, found in enumerate(canvas.placed):
            boxes[row, place] = box_of(found.mask)
            labels[row, place] = found.label
            if kept is not None:
                kept[row, place] = found.mask
            if attributes is not None:
                attributes[row, place] = found.attributes
    return Scenes(images, boxes, labels, names, kept, attributes, captions)


def box_of(mask: Mask) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the least box around a mask's pixels, half-open.

    Raises:
        ExperimentError: it has none.
    """
    down, across = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(down):
        raise ExperimentError("a mask without pixels has no box")
    return int(across[0]), int(down[0]), int(across[-1]) + 1, int(down[-1]) + 1


def filled_box(mask: Mask) -> Mask:
    """The least box around a mask's pixels, as a mask."""
    left, top, right, bottom = box_of(mask)
    filled = np.zeros_like(mask)
    filled[top:bottom, left:right] = True
    return filled


def widened(mask: Mask, pixels: int) -> Mask:
    """A mask with all pixels that lie so near, by the larger of both distances."""
    for axis in (0, 1):
        found = mask.copy()
        for step in range(1, pixels + 1):
            ahead, behind = np.roll(mask, step, axis), np.roll(mask, -step, axis)
            first, last = (
                (slice(None),) * axis + (slice(None, step),),
                (slice(None),) * axis + (slice(-step, None),),
            )
            # What rolled around the edge does not count.
            ahead[first] = False
            behind[last] = False
            found |= ahead | behind
        mask = found
    return mask


def ground(
    generator: np.random.Generator, size: int, *, noise: float, levels: tuple[float, float]
) -> Float[np.ndarray, "size size 3"]:
    """A background: a linear passage between two random colours in a random direction, under white noise.

    Args:
        generator: of all of it.
        size: height and width in pixels.
        noise: standard deviation, of each colour by itself.
        levels: between which the two colours' parts lie.
    """
    ends = generator.uniform(*levels, size=(2, 3))
    angle = generator.uniform(0, 2 * np.pi)
    rows, columns = (np.mgrid[:size, :size] + 0.5) / size - 0.5
    along = 0.5 + (np.cos(angle) * columns + np.sin(angle) * rows) / 2**0.5
    clean = ends[0] + along[..., None] * (ends[1] - ends[0])
    return clean + noise * generator.normal(size=clean.shape)


def check_sizes(
    count: int, size: int, objects: tuple[int, int], pixels: tuple[int, int], *, least: int
) -> None:
    """Refuses scenes that cannot be made.

    Args:
        count: scenes.
        size: height and width in pixels.
        objects: fewest and most in a scene.
        pixels: the objects' smallest and largest longer side.
        least: side that an object of this kind can have.

    Raises:
        ExperimentError: names the value, and what would fit.
    """
    if count < 1:
        raise ExperimentError(f"at least one scene can be drawn, not {count}")
    if not 1 <= objects[0] <= objects[1]:
        raise ExperimentError(f"a scene holds 1 object or more, fewest first; got {objects}")
    if not least <= pixels[0] <= pixels[1] <= size:
        raise ExperimentError(
            f"objects of these scenes have sides from {least} to the picture's {size} pixels, "
            f"smallest first; got {pixels}"
        )
