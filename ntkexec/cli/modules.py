"""A user's own module: a file of Python, or one that Python finds by its name."""

import functools
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from ntkexec.cli.own import of_the_user
from ntkexec.errors import NtkexecError, clean, did_you_mean, shown


def load_module(called: str) -> ModuleType:
    """The module that a user names.

    Args:
        called: a file `my_bounds.py`, or a name such as `package.module`, found in the current folder
            or installed.

    Raises:
        OwnCodeError: its code ends in an error.
        NtkexecError: there is no such file or module.
    """
    if called.endswith(".py"):
        return _from_file(Path(called), called)
    # `bounds.json` could be the module `json` of a package `bounds`, were it not a file.
    is_other_file = "." in called and Path(called).is_file()
    if not all(part.isidentifier() for part in called.split(".")) or is_other_file:
        raise NtkexecError(
            f"{shown(called)} is neither a file that ends in .py nor a module's name"
        )
    with of_the_user(called):
        try:
            return importlib.import_module(called)
        except ModuleNotFoundError as error:
            # One that the module itself misses is the module's own error.
            if error.name is None or not (called + ".").startswith(error.name + "."):
                raise
            raise NtkexecError(
                f"there is no module {shown(error.name)}, neither here nor installed"
            ) from None


def load_function(called: str) -> object:
    """What `FILE.py:name` or `module:name` names.

    Raises:
        NtkexecError: another form, or no such module or name in it; see `load_module`.
    """
    module_name, colon, path = called.rpartition(":")
    if not colon or not all(part.isidentifier() for part in path.split(".")):
        raise NtkexecError(
            f"{shown(called)} is not of the form FILE.py:function or module:function"
        )
    module = load_module(module_name)
    try:
        return functools.reduce(getattr, path.split("."), module)
    except AttributeError:
        public = [
            name for name, value in vars(module).items() if name[0] != "_" and callable(value)
        ]
        raise NtkexecError(
            f"{clean(module_name)} has no {shown(path)}{did_you_mean(path, public)}"
        ) from None


def _from_file(path: Path, called: str) -> ModuleType:
    if not path.is_file():
        raise NtkexecError(f"there is no file {clean(called)}")
    # Under a name that no import meets: a file may be called like a module that is needed.
    name = f"_ntkexec_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise NtkexecError(f"{clean(called)} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    # As under `python FILE.py`: dataclasses look their module up, and the file's neighbours are found.
    sys.modules[name] = module
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        with of_the_user(called):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
