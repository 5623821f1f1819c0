"""Counting in a user's own picture, from the command line."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.files.pixels import rgb_pixels
from experiments.files.sources import check_regular
from experiments.files.storage import check_writable, write_atomically
from experiments.harness.digest import code_digest
from experiments.harness.experiment import Application
from experiments.vision.lvlm_count.counting import Counted, Counter, count_by_dividing
from experiments.vision.lvlm_count.endpoint import Endpoint, png_bytes
from experiments.vision.lvlm_count.learned_counter import NUM_SCENES, NUM_STEPS, train_counter
from experiments.vision.lvlm_count.segmentation import Image, segment_by_colour, target_of
from ntkexec.errors import ExperimentError

OPTIONS = {
    "image": "picture of separate objects on a plain background",
    "question": "'How many red discs are there?'; a colour (red, green, blue, purple) selects",
    "picture": "PNG that is written, with the lines; by default IMAGE-divided.png",
    "endpoint": "address of an OpenAI-compatible server, up to /v1; the key is OPENAI_API_KEY",
    "model": "the server's name of the model",
}
LINE = (255, 127, 14)
SIZES = {"num_scenes": NUM_SCENES, "num_steps": NUM_STEPS}
TYPICAL_AREA = 90.0
"""Median pixels of an object in the learned counter's training scenes."""


@dataclasses.dataclass(frozen=True)
class Applied:
    """What was counted in a user's picture, by whom, and where its division can be seen."""

    counted: Counted
    counter: str
    picture: Path

    def to_data(self) -> dict[str, Any]:
        return {
            **self.counted.to_data(),
            "counter": self.counter,
            "picture": str(self.picture),
        }

    def __str__(self) -> str:
        found = self.counted
        parts = zip(found.counts, found.objects, strict=True)
        return "\n".join(
            [
                f"counted by {self.counter}: {found.target}",
                *(
                    f"part {i}: {number} (segmenter: {masks})"
                    for i, (number, masks) in enumerate(parts, 1)
                ),
                f"sum: {found.total}",
                f"whole picture at once: {found.direct}",
                f"objects found by the segmenter: {found.segmented}",
                f"division: {self.picture}",
            ]
        )


def count_in_picture(
    options: Mapping[str, str], out: Path, report: Callable[[str, int, int], None]
) -> Applied:
    """The count in the picture that the options name.

    Args:
        options: see `OPTIONS`; `image` and `question` are needed.
        out: folder where the trained counter is kept.
        report: told about progress.

    Raises:
        ExperimentError: for a missing option, an unreadable picture, or one without objects.
    """
    for needed in ("image", "question"):
        if needed not in options:
            raise ExperimentError(f"lvlm-count needs --{needed} as well")
    if ("endpoint" in options) != ("model" in options):
        raise ExperimentError("--endpoint and --model need one another")
    source, target = Path(options["image"]), target_of(options["question"])
    check_regular(source)
    where = Path(options.get("picture") or source.with_name(f"{source.stem}-divided.png"))
    if where.suffix.lower() != ".png" or os.path.realpath(where) == os.path.realpath(source):
        raise ExperimentError(f"{where} must end in .png and not be the picture itself")
    check_writable(where, "the picture")
    image = rgb_pixels(source)
    objects = segment_by_colour(image, target)
    if not objects.any():
        raise ExperimentError(f"no {target} on a plain background found in {source}")
    counter: Counter
    if "endpoint" in options:
        counter = Endpoint(options["endpoint"], options["model"])
        name = f"{options['model']} at {options['endpoint']}"
    else:
        area = float(np.median(np.bincount(objects.ravel())[1:]))
        counter = _learned((TYPICAL_AREA / area) ** 0.5, out, report)
        name = "the small network, trained on up to 15 objects"
    counted = count_by_dividing(image, target, counter, report=report)
    write_atomically(where, png_bytes(drawn(image, counted.paths)))
    return Applied(counted, name, where)


def _learned(scale: float, out: Path, report: Callable[[str, int, int], None]) -> Counter:
    code = code_digest(train_counter)
    learned = train_counter(
        **SIZES,
        key=jax.random.key(0),
        generator=np.random.default_rng(0),
        report=report,
        checkpoint=out / "lvlm-count" / f"counter-{code}.safetensors",
    )
    return dataclasses.replace(learned, scale=scale)


def drawn(image: Image, paths: tuple[np.ndarray, ...]) -> Image:
    """The picture with its lines."""
    made = image.copy()
    for path in paths:
        made[tuple(path.T)] = LINE
    return made


APPLICATION = Application(OPTIONS, count_in_picture)
