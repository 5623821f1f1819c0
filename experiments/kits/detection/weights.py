"""Trained weights on disk: a file of what trained them, in the folder of a study under a seed, found again.

```python
import tempfile
from pathlib import Path
import numpy as np
from experiments.kits.detection.weights import find_weights, kept_weights, read_weights

study = Path(tempfile.mkdtemp())  # trial.folder.parent: named by configuration, code and versions
variables = {"params": {"conv": {"kernel": np.ones((1, 1, 3, 8), np.float32)}}}
kept_weights(study / "seed-1000", "detector", {"steps": 300}, lambda: variables)
print(read_weights(find_weights(study, "detector"))["params"]["conv"]["kernel"].shape)
```
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.files.storage import load_tensors
from experiments.kits.transformer.keeping import kept
from ntkexec.errors import ExperimentError

SEED = re.compile(r"seed-(\d+)")
JOINT = "/"


def kept_weights(
    folder: Path | None, what: str, made_from: Mapping[str, Any], train: Callable[[], Any]
) -> dict[str, Any]:
    """A network's variables: read from the folder if they are there, else trained and kept.

    Args:
        folder: `trial.folder` of a study, which its configuration, its code and the versions of
            libraries name; None keeps nothing.
        what: is trained: small letters, digits and hyphens; a file's name begins with it.
        made_from: what else decides about them, as plain data, such as the arm's own settings.
        train: gives nested mappings with arrays as leaves.

    Raises:
        ExperimentError: see `transformer.keeping.kept`; or variables that are no nested mappings.
    """
    return _nested(kept(folder, what, made_from, lambda: dict(_flat(train()))))


def find_weights(study: Path, what: str) -> Path | None:
    """The file that `kept_weights` wrote under the lowest seed; none if there is none.

    Args:
        study: the folder above those of the seeds.
        what: was trained.

    Raises:
        ExperimentError: there are several under that seed, made from different things.
    """
    found: list[tuple[int, str, Path]] = []
    for path in study.glob(f"seed-*/{what}-*.safetensors"):
        seed = SEED.fullmatch(path.parent.name)
        rest = path.stem.removeprefix(f"{what}-")
        # Not those of another name that begins alike, nor what a crash left half written.
        if seed and re.fullmatch(r"[0-9a-f]{12}", rest):
            found.append((int(seed[1]), path.name, path))
    lowest = [path for seed, _, path in sorted(found) if seed == min(found)[0]]
    if len(lowest) > 1:
        raise ExperimentError(
            f"{lowest[0].parent} holds {len(lowest)} files of {what}, made from different things: "
            f"{', '.join(path.name for path in lowest)}; delete all but one"
        )
    return lowest[0] if lowest else None


def read_weights(path: Path) -> dict[str, Any]:
    """Variables from a file of `kept_weights`.

    Raises:
        ExperimentError: names the file that is missing, damaged or another one under this name.
    """
    tensors, notes = load_tensors(path)
    if notes.get("kept") != path.stem:
        raise ExperimentError(f"{path} holds other weights than it is named by; delete it")
    return _nested(tensors)


def check_fitting(network: Any, variables: Any, images: np.ndarray, file: Path) -> None:
    """Refuses weights of another network, before it is applied.

    Args:
        network: a Flax module that takes `images` and `train`.
        variables: of `read_weights`.
        images: as it is to look at.
        file: of the weights, for the message.

    Raises:
        ExperimentError: names a part that is missing, or of another shape.
    """
    wanted = jax.eval_shape(
        lambda shown: network.init(jax.random.key(0), shown, train=False),
        jax.ShapeDtypeStruct(images.shape, np.float32),
    )
    there = {path: leaf.shape for path, leaf in _flat(variables, shapes=True)}
    for path, leaf in _flat(wanted, shapes=True):
        if there.get(path) != leaf.shape:
            has = f"the shape {there[path]}" if path in there else "none"
            raise ExperimentError(
                f"{file} holds the weights of another network: {path} has {has}, and {leaf.shape} would fit"
            )


def _flat(tree: Any, above: str = "", *, shapes: bool = False) -> list[tuple[str, Any]]:
    """Leaves by their paths: as arrays, or as they are, of which only shapes may be known."""
    if not isinstance(tree, Mapping):
        return [(above, tree if shapes else np.asarray(tree))]
    found = []
    for name, inner in tree.items():
        if not isinstance(name, str) or not name or JOINT in name:
            raise ExperimentError(f"weights cannot be kept under the name {name!r}")
        found += _flat(inner, f"{above}{JOINT}{name}" if above else name, shapes=shapes)
    return found


def _nested(flat: Mapping[str, np.ndarray]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, leaf in flat.items():
        *above, name = path.split(JOINT)
        inner = found
        for part in above:
            inner = inner.setdefault(part, {})
        inner[name] = leaf
    return found
