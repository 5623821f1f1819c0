"""Packages that lie beside `ntkexec`, in a checkout or an installation, and have commands of their own."""

import importlib
import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

from ntkexec.errors import NtkexecError

ROOT = Path(__file__).parents[2]


def load(name: str) -> ModuleType:
    """A module of such a package, found beside `ntkexec` and nowhere else.

    With `python -m` the working directory comes first among the places where Python looks, and it may
    hold a package of the same name.

    Args:
        name: such as `package.module`.

    Raises:
        NtkexecError: there is no such package here, or the program has loaded another of its name.
    """
    package = name.partition(".")[0]
    spec = PathFinder.find_spec(package, [str(ROOT)])
    if spec is None or spec.loader is None:
        raise NtkexecError(f"this command is in the package {package}, which is not in {ROOT}")
    loaded = sys.modules.get(package)
    if loaded is None:
        loaded = sys.modules[package] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
    where = getattr(loaded, "__file__", None)
    if where is None or Path(where).resolve() != Path(str(spec.origin)).resolve():
        raise NtkexecError(
            f"this command is in the package {package} of {ROOT}, and this program has already loaded "
            f"another {package}, {where}"
        )
    return importlib.import_module(name)
