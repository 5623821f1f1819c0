"""Packages whose names are loaded on first use: listing ports, or lifting out one method, stays quick."""

import importlib
from collections.abc import Callable
from typing import Any


def lazy(
    package: str, **names: tuple[str, ...]
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """What a package's `__init__` needs for `__all__`, `__getattr__` and `__dir__`.

    Args:
        package: the package's own `__name__`.
        names: by module of the package, the public names that it defines.

    Returns:
        The sorted names; the function that loads one; the function that lists them.

    Example:
        ```python
        __all__, __getattr__, __dir__ = lazy(__name__, model=("DAGNN",), depth=("advise_depth",))
        ```
    """
    homes = {name: f"{package}.{module}" for module, found in names.items() for name in found}

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(homes[name]), name)

    return sorted(homes), load, lambda: sorted(homes)
