"""The experiments that are there: every package in a folder of `AREAS`."""

import difflib
import importlib
import pkgutil
from pathlib import Path
from typing import Any

import experiments
from experiments.harness.experiment import Experiment
from ntkexec.errors import ExperimentError

AREAS = ("graphs", "vision", "language", "systems")
_ROOT = Path(experiments.__path__[0])


def folders() -> dict[str, Path]:
    """The folder of every experiment by its slug, in alphabetical order; imports none of them."""
    found = {
        module.name.replace("_", "-"): _ROOT / area / module.name
        for area in AREAS
        for module in pkgutil.iter_modules([str(_ROOT / area)])
        if module.ispkg
    }
    return dict(sorted(found.items()))


def slugs() -> tuple[str, ...]:
    """Names of all experiments, in alphabetical order; imports none of them."""
    return tuple(folders())


def find(slug: str) -> Experiment[Any]:
    """The experiment of that name.

    Raises:
        ExperimentError: names those that exist.
    """
    known = slugs()
    if slug not in known:
        near = difflib.get_close_matches(slug, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
        raise ExperimentError(f"no experiment {slug!r}; {hint}")
    folder = folders()[slug]
    module = importlib.import_module(f"experiments.{folder.parent.name}.{folder.name}")
    found = module.EXPERIMENT
    if found.slug != slug:
        raise ExperimentError(f"the folder of {slug!r} holds the experiment {found.slug!r}")
    return found


def page_of(slug: str) -> Path:
    """The README of an experiment."""
    return folders()[slug] / "README.md"
