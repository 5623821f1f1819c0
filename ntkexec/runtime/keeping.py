"""Results of long computations, kept in the process by all that they depend on."""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import numpy as np

Value = TypeVar("Value")
Numbers = TypeVar("Numbers", bound=np.ndarray)


class Kept(Generic[Value]):
    """Values by key; the one that was not asked for longest makes room.

    Args:
        most: how many are kept.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        # The least recently asked for first.
        self._values: dict[Hashable, Value] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """The value of a key, computed if it is not there.

        Args:
            key: all that the value depends on: equal keys share it. Types count: 1 is not 1.0.
            compute: called without arguments, perhaps by several threads at once. What it raises is
                not kept.
        """
        typed = _typed(key)
        with self._lock:
            if typed in self._values:
                self._values[typed] = value = self._values.pop(typed)
                return value
        value = compute()
        with self._lock:
            self._values[typed] = value
            while len(self._values) > self.most:
                del self._values[next(iter(self._values))]
        return value

    def clear(self) -> None:
        """Forgets all values."""
        with self._lock:
            self._values.clear()

    def __len__(self) -> int:
        return len(self._values)


def read_only(array: Numbers) -> Numbers:
    """The same array, into which nobody writes: what is kept is shared by all who ask for it."""
    found = array.view()
    found.flags.writeable = False
    return found


def _typed(key: Hashable) -> Hashable:
    if isinstance(key, tuple):
        return tuple(map(_typed, key))
    return type(key), key
