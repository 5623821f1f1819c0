"""Import of neural-tangents on current JAX: the only module that knows that package's age.

Its last release, 0.6.5 of 2024, does not import on JAX >= 0.6, and imports TensorFlow for a
subpackage that we do not use. What is missing is put in place while the import runs and taken away
again: nothing that we call (kernels, `predict`, empirical NTK implementations 1 and 2) needs it
later. Structured derivatives, implementation 3, do not work on current JAX.
"""

import contextlib
import functools
import importlib
import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any

import jax.core
import jax.extend.core
from jax.interpreters import ad

from ntkexec.errors import MissingExtraError

_NAME = "neural_tangents"
# From jax.core to jax.extend.core.
_MOVED = ("Jaxpr", "JaxprEqn", "Literal", "Primitive", "Var")


# Any: the functions below stand in for untyped ones and are only ever called by neural-tangents.
def _safe_map(function: Callable[..., Any], *columns: Iterable[Any]) -> list[Any]:
    return [function(*row) for row in zip(*columns, strict=True)]


def _safe_zip(*columns: Iterable[Any]) -> list[Any]:
    return list(zip(*columns, strict=True))


@contextlib.contextmanager
def _attributes(owner: ModuleType, values: dict[str, object]) -> Iterator[None]:
    """Sets those attributes that `owner` lacks, and removes them afterwards."""
    # Not hasattr: it asks the module's __getattr__, which warns of names that are on their way out.
    added = [name for name in values if name not in vars(owner)]
    try:
        for name in added:
            setattr(owner, name, values[name])
        yield
    finally:
        for name in added:
            delattr(owner, name)


@contextlib.contextmanager
def _module(name: str, **values: object) -> Iterator[None]:
    """Lets `import name` find a module with these attributes, for the duration of the block."""
    module = ModuleType(name)
    vars(module).update(values)
    sys.modules[name] = module
    try:
        yield
    finally:
        del sys.modules[name]


@contextlib.contextmanager
def _names_of_old_jax() -> Iterator[None]:
    moved = {name: vars(jax.extend.core)[name] for name in _MOVED}
    # Only ever a dictionary key, so any primitive will do.
    zeros_like = jax.extend.core.Primitive("zeros_like")
    with contextlib.ExitStack() as stack:
        stack.enter_context(_attributes(jax.core, moved))
        stack.enter_context(_attributes(ad, {"zeros_like_p": zeros_like}))
        if importlib.util.find_spec("jax.util") is None:
            stack.enter_context(_module("jax.util", safe_map=_safe_map, safe_zip=_safe_zip))
        yield


# Any: neural-tangents is typed too loosely to be worth passing on.
@functools.cache
def load() -> Any:
    """The package `neural_tangents`, imported without TensorFlow and without `experimental`.

    If it has been imported already, that is returned and nothing is touched. Afterwards JAX's
    modules are as before, and `import neural_tangents.experimental` finds the real subpackage.

    Raises:
        MissingExtraError: neural-tangents is not installed.
    """
    package = sys.modules.get(_NAME)
    if package is not None:
        return package
    with _names_of_old_jax(), _module(f"{_NAME}.experimental"), warnings.catch_warnings():
        # It is old; a deprecation in it is no news, and must not become an error under -W error.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            package = importlib.import_module(_NAME)
        except ModuleNotFoundError as error:
            if error.name != _NAME:
                raise
            raise MissingExtraError(
                "the oracle needs neural-tangents, which is not installed: install ntkexec[oracle]"
            ) from None
    vars(package).pop("experimental", None)
    return package
