"""The experiments that are there: every package in this folder but `shared`."""

import difflib
import importlib
import pkgutil
from pathlib import Path
from typing import Any

import experiments
from experiments.experiment import Experiment
from ntkexec.errors import ExperimentError


def slugs() -> tuple[str, ...]:
    """Names of all experiments, in alphabetical order; imports none of them."""
    found = (m.name for m in pkgutil.iter_modules(experiments.__path__) if m.ispkg)
    return tuple(sorted(name.replace("_", "-") for name in found if name != "shared"))


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
    module = importlib.import_module(f"experiments.{slug.replace('-', '_')}")
    found = module.EXPERIMENT
    if found.slug != slug:
        raise ExperimentError(f"the folder of {slug!r} holds the experiment {found.slug!r}")
    return found


def page_of(slug: str) -> Path:
    """The README of an experiment."""
    return Path(experiments.__path__[0]) / slug.replace("-", "_") / "README.md"
