"""What names a computation whose results are kept: plain data, and functions by all that they hold.

```python
from experiments.kits.transformer.decoder import Shape
from experiments.kits.transformer.naming import described
from experiments.kits.transformer.sentence_states import InnerStates

shape = Shape(blocks=2, width=8, heads=2, key_heads=1, hidden=8, vocabulary=11)
print(described(InnerStates(shape, first=0)) == described(InnerStates(shape, first=1)))  # False
```
"""

import dataclasses
import enum
import functools
import hashlib
import inspect
import operator
import types
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from experiments.files.storage import digest, plain
from experiments.files.words import quoted
from ntkexec.errors import ExperimentError

_JITTED = type(jax.jit(lambda: None))


def named(made_from: Mapping[Any, Any]) -> str:
    """Twelve hexadecimal digits that name plain data; other data has another name.

    Args:
        made_from: mappings with strings as keys, lists and tuples, numbers, strings, arrays.

    Raises:
        ExperimentError: a key that is no string, since JSON would make 1 and "1" the same, or a value that
            JSON cannot hold.
    """
    _refuse_keys(made_from)
    try:
        return digest(plain(made_from))
    except (TypeError, ValueError, RecursionError) as error:
        raise ExperimentError(f"{quoted(made_from)} is no plain data: {error}") from error


def described(value: Any) -> Any:
    """A function, and all that it holds, as plain data by which another one can be told from it.

    Functions and classes of importable modules are known by their names, and their code is not looked at;
    dataclasses (of which Flax modules are), partial functions and bound methods by what they hold as well,
    arrays by a digest. A dataclass's field that holds the class's own default is left to the class.

    Args:
        value: the function, or a part of one.

    Raises:
        ExperimentError: for what two runs may mean different things by: functions and classes made within
            functions or by a script, lambdas, instances that tell nothing of themselves.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (bytes, complex, np.dtype)):
        return [type(value).__name__, repr(value)]
    if isinstance(value, enum.Enum):
        return [described(type(value)), value.name]
    if isinstance(value, (np.ndarray, np.generic, jax.Array)):
        return ["array", array_digest(value)]
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, [described(one) for one in value]]
    if isinstance(value, Mapping):
        _refuse_keys(value)
        return ["mapping", {name: described(value[name]) for name in sorted(value)}]
    if isinstance(value, functools.partial):
        return ["partial", *(described(one) for one in (value.func, value.args, value.keywords))]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [described(type(value)), _fields(value)]
    owner = getattr(value, "__self__", None)
    if owner is not None and not isinstance(owner, types.ModuleType):
        return ["method", described(owner), value.__name__]
    if isinstance(value, _JITTED) and not _is_importable(value):
        return described(value.__wrapped__)  # type: ignore[attr-defined]
    if not _is_importable(value):
        raise ExperimentError(
            f"{quoted(value)} cannot be told from others by a name: give made_from, which names what is "
            "kept, or no folder"
        )
    return ["code", f"{value.__module__}.{value.__qualname__}"]


def array_digest(array: Any) -> str:
    """Of its type, shape and numbers; keys of random numbers are arrays as well."""
    if isinstance(array, jax.Array) and jax.dtypes.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    array = np.asarray(array)
    found = hashlib.blake2b(f"{array.dtype} {array.shape}".encode())
    found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:32]


def _fields(value: Any) -> dict[str, Any]:
    found = {}
    for field in dataclasses.fields(value):
        # What a Flax module belongs to changes nothing that it computes.
        if isinstance(value, nn.Module) and field.name == "parent":
            continue
        held = getattr(value, field.name, None)
        found[field.name] = "its default" if held is field.default else ["is", described(held)]
    return found


def _is_importable(value: Any) -> bool:
    """Whether its module has it under its name; a script's may be another one's tomorrow."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__":
        return False
    try:
        return operator.attrgetter(name)(inspect.getmodule(value)) is value
    except AttributeError:
        return False


def _refuse_keys(value: Any) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if not isinstance(name, str):
                raise ExperimentError(
                    f"what is kept is named by entries with strings as keys, not {quoted(name)}"
                )
            _refuse_keys(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _refuse_keys(inner)
