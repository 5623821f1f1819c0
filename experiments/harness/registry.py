"""The ports that are there: every folder of an area that holds an about.toml."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import experiments
from experiments.harness.about import FILE, About, read_about
from ntkexec.errors import ExperimentError, did_you_mean

if TYPE_CHECKING:
    from experiments.harness.experiment import Experiment

AREAS = ("graphs", "vision", "language", "systems")


def folders() -> dict[str, Path]:
    """The folder of every port by its slug, by area and then by name."""
    root = Path(experiments.__path__[0])
    found = (path.parent for area in AREAS for path in sorted((root / area).glob(f"*/{FILE}")))
    return {folder.name.replace("_", "-"): folder for folder in found}


def slugs() -> tuple[str, ...]:
    """Names of all ports, by area and then by name."""
    return tuple(folders())


def abouts() -> tuple[About, ...]:
    """What is known of every port without loading it, by area and then by name."""
    return tuple(read_about(folder) for folder in folders().values())


def about_of(slug: str) -> About:
    """What is known of a port without loading it.

    Raises:
        ExperimentError: names those that exist.
    """
    known = folders()
    slug = slug.replace("_", "-")  # as the package is imported
    if slug not in known:
        hint = did_you_mean(slug, known) or f"; there are {', '.join(known)}"
        raise ExperimentError(f"no experiment {slug!r}{hint}")
    return read_about(known[slug])


def find(slug: str) -> "Experiment[Any]":
    """The port of that name, loaded.

    Raises:
        ExperimentError: names those that exist.
    """
    from experiments.harness.experiment import Experiment

    found = about_of(slug)
    own = (found.folder / "application.py").is_file()
    return Experiment(
        found,
        _part(found, "study", "STUDIES"),
        _part(found, "claims", "CLAIMS"),
        _part(found, "application", "APPLICATION") if own else None,
    )


def exports(about: About) -> list[str]:
    """Public names of a port's package.

    Raises:
        ExperimentError: the package lists none.
    """
    package = importlib.import_module(about.package)
    if not hasattr(package, "__all__"):
        raise ExperimentError(f"{about.folder / '__init__.py'} is missing or defines no __all__")
    return list(package.__all__)


def _part(about: About, module: str, name: str) -> Any:
    """What a module of a port defines under a name that every port has."""
    file = about.folder / f"{module}.py"
    if not file.is_file():
        raise ExperimentError(f"{about.slug} lacks {file}, which defines {name}")
    loaded = importlib.import_module(f"{about.package}.{module}")
    if not hasattr(loaded, name):
        raise ExperimentError(f"{file} defines no {name}")
    return getattr(loaded, name)
