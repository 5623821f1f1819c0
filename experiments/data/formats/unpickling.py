"""What any pickle of a stranger is kept from, whatever names stand for in it."""

import pickle
from typing import Any, ClassVar

from experiments.files.words import quoted
from ntkexec.errors import ExperimentError


def in_short(value: object) -> str:
    """A word or a number as Python writes it, cut; of anything else, which may be endless, its kind."""
    plain = type(value) in (str, int, float, bool, bytes)
    return quoted(value, 40) if plain else f"a {type(value).__name__}"


# The reader in Python, not the faster one in C: what a file gives as the number of an entry of its memo
# is there the length of an array, and a file of ten bytes could ask for all memory.
class CarefulUnpickler(pickle._Unpickler):
    """Keys are words or whole numbers, there are no sets, and attributes are set by stand-ins alone.

    A key that is a tuple of itself, again and again, takes hours to hash; and an attribute that is set
    behind a stand-in's back was checked by nobody.

    Raises:
        ExperimentError: names the file.
    """

    where = "the file"
    stack: list[Any]
    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def _check_keys(self, keys: list[Any]) -> None:
        for key in keys:
            if type(key) not in (str, int):
                raise ExperimentError(
                    f"{self.where} has a key that is no word and no number: {in_short(key)}"
                )

    def load_setitem(self) -> None:
        self._check_keys(self.stack[-2:-1])
        super().load_setitem()  # type: ignore[misc]

    def load_setitems(self) -> None:
        self._check_keys(self.stack[::2])
        super().load_setitems()  # type: ignore[misc]

    def load_dict(self) -> None:
        self._check_keys(self.stack[::2])
        super().load_dict()  # type: ignore[misc]

    def load_build(self) -> None:
        if not hasattr(type(self.stack[-2]), "__setstate__"):
            raise ExperimentError(
                f"{self.where} sets attributes of a {type(self.stack[-2]).__name__}, which has none to set"
            )
        super().load_build()  # type: ignore[misc]

    def no_set(self) -> None:
        raise ExperimentError(f"{self.where} holds a set, which no array needs")

    dispatch |= {
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
        pickle.DICT[0]: load_dict,
        pickle.BUILD[0]: load_build,
        pickle.EMPTY_SET[0]: no_set,
        pickle.FROZENSET[0]: no_set,
    }
