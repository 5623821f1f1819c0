"""The data room: real data sets in their public formats, found where the user has them."""

from experiments.data.room import DataMissingError, find, load

__all__ = ["DataMissingError", "find", "load"]
