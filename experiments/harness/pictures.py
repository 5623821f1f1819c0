"""A trained detector on a user's own picture: `ntkexec experiment run SLUG --image FILE`.

A port's application.py holds no more than this:

```python
from experiments.harness.pictures import picture_application
from experiments.kits.detection.digits import NAMES
from experiments.kits.detection.small_detector import SmallDetector


def network_of(config):
    return SmallDetector(len(NAMES), config.width)


APPLICATION = picture_application(
    "damo-yolo", study="detectors", what="distilled", network=network_of, names=NAMES
)
```

The study keeps the weights by `kits.detection.weights.kept_weights(trial.folder, "distilled", ...)`.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.files.pixels import rgb_pixels
from experiments.files.sources import check_regular
from experiments.files.storage import check_writable, write_atomically
from experiments.harness.experiment import Application
from experiments.harness.trained_weights import CUSTOM, given_weights, longest_trained
from experiments.kits.detection.detections import Detections
from experiments.kits.detection.drawing import drawn
from experiments.kits.detection.fitting import detect
from experiments.kits.detection.letterbox import Placement, letterboxed
from experiments.kits.detection.precision import overlaps
from experiments.kits.detection.weights import check_fitting, read_weights
from ntkexec.errors import ExperimentError

OPTIONS = {
    "image": "PNG, JPEG or other picture in which objects are looked for",
    "score": "least certainty from 0 to 1 of what is drawn; by default 0.3",
    "weights": "file of weights that a run has kept; by default those of the longest training",
    "side": "pixels to which the longer side is brought, a multiple of 32; by default that of training",
}
LONGEST_SIDE = 1024
LEAST_SCORE = 0.3
MULTIPLE = 32


@dataclasses.dataclass(frozen=True)
class FoundInPicture:
    """What a detector found in a user's picture, by which weights, and where it can be seen.

    Args:
        found: boxes in pixels of the picture.
        names: of the classes.
        size: height and width of the picture.
        weights: the file that was used.
        scale: of the run that trained them, or `CUSTOM`.
        picture, boxes: the files that were written.
    """

    found: Detections
    names: tuple[str, ...]
    size: tuple[int, int]
    weights: Path
    scale: str
    picture: Path
    boxes: Path

    def to_data(self) -> dict[str, Any]:
        rows = zip(self.found.boxes, self.found.scores, self.found.labels, strict=True)
        return {
            "height": self.size[0],
            "width": self.size[1],
            "objects": [
                {
                    "box": np.round(box, 2).tolist(),
                    "name": self.names[label],
                    "label": int(label),
                    "score": round(float(score), 4),
                }
                for box, score, label in rows
            ],
            "weights": str(self.weights),
            "scale": self.scale,
            "picture": str(self.picture),
        }

    def __str__(self) -> str:
        data = self.to_data()
        lines = [
            f"{one['name']} ({one['score']:.2f}): left {one['box'][0]:g}, top {one['box'][1]:g}, right "
            f"{one['box'][2]:g}, bottom {one['box'][3]:g}"
            for one in data["objects"]
        ]
        number = len(lines)
        by = self.weights if self.scale == CUSTOM else f"weights of the scale {self.scale}"
        return "\n".join(
            [
                f"{number} object{'s' * (number != 1)} found by {by}",
                *lines,
                f"picture: {self.picture}",
                f"boxes: {self.boxes}",
            ]
        )


def picture_application(
    slug: str,
    *,
    study: str,
    what: str,
    network: Callable[[Any], Any],
    names: Sequence[str],
    side: int = 64,
    iou: float = 0.6,
) -> Application:
    """The application of a port whose study trains a detector and keeps its weights.

    Args:
        slug: of the port.
        study: that trains.
        what: the weights are called, as for `kept_weights`.
        network: from a configuration to the Flax module whose weights they are; see `fitting.detect`.
        names: of the classes.
        side: of the pictures in training, in pixels.
        iou: overlap up to which two boxes may both stay.
    """

    def find(
        options: Mapping[str, str], out: Path, report: Callable[[str, int, int], None]
    ) -> FoundInPicture:
        if "image" not in options:
            raise ExperimentError(f"{slug} needs --image as well")
        source = Path(options["image"])
        least = _number(options, "score", LEAST_SCORE, 0, 1)
        longer = round(_number(options, "side", side, MULTIPLE, LONGEST_SIDE))
        if longer % MULTIPLE:
            raise ExperimentError(f"--side is a multiple of {MULTIPLE}, got {longer}")
        check_regular(source)
        target = out / f"{source.stem}-detections.png"
        listed = target.with_suffix(".json")
        for path in (target, listed):
            check_writable(path, "what is found")
            if path.resolve() == source.resolve():
                raise ExperimentError(f"{source} would be written over; give another --out")
        image = rgb_pixels(source)
        scale, config, weights = (
            given_weights(slug, study, Path(options["weights"]))
            if "weights" in options
            else longest_trained(slug, study, what, out)
        )
        report("looking for objects", 0, 1)
        shown, place = letterboxed(image, longer)
        variables = read_weights(weights)
        check_fitting(network(config), variables, shown[None], weights)
        raw = detect(network(config), variables, shown[None], score=least, iou=iou, group=1)[0]
        one_each = apart(raw, iou)
        found = in_picture(one_each, place)
        told = FoundInPicture(found, tuple(names), image.shape[:2], weights, scale, target, listed)
        write_atomically(target, drawn(image, found, names))
        write_atomically(listed, (json.dumps(told.to_data(), indent=1) + "\n").encode())
        return told

    return Application(OPTIONS, find)


def in_picture(found: Detections, place: Placement) -> Detections:
    """Detections of a square in its picture's own pixels, without those that lie beside the picture."""
    boxes = place.out_of_square(found.boxes)
    # To the hundredth of a pixel, as they are told.
    kept = (np.round(boxes[:, 2:] - boxes[:, :2], 2) > 0).all(1)
    return Detections(boxes[kept], found.scores[kept], found.labels[kept])


def apart(found: Detections, iou: float) -> Detections:
    """Detections, best first, that no better one of whatever class overlaps by more than `iou`.

    Average precision asks for every class that a thing may have; who looks at a picture, for the best.
    """
    shared = overlaps(found.boxes, found.boxes, np.zeros(len(found), bool))
    kept: list[int] = []
    for place in range(len(found)):
        if all(shared[place, better] <= iou for better in kept):
            kept.append(place)
    return Detections(found.boxes[kept], found.scores[kept], found.labels[kept])


def _number(
    options: Mapping[str, str], name: str, default: float, least: float, most: float
) -> float:
    try:
        found = float(options.get(name, default))
    except ValueError:
        found = float("nan")
    if not least <= found <= most:
        raise ExperimentError(
            f"--{name} is a number from {least:g} to {most:g}, got {options[name]!r}"
        )
    return found
