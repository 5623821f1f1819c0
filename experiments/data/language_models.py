"""A pretrained language model as it lies in a file: settings, tokens, and tensors read when asked for."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float32


@dataclasses.dataclass(frozen=True)
class LanguageModel:
    """A decoder with its tokens.

    Args:
        name: that the file gives it.
        settings: numbers and words of the file by their names, such as `llama.block_count`.
        tokens: the text of every token, bytes in the printable alphabet of byte-level BPE.
        merges: pairs of tokens in the order in which they are merged, with a space between.
        special: numbers of the tokens that text never becomes.
        shapes: of every tensor.
        read: a tensor in float32 by its name, decoded anew at each call.
    """

    name: str
    settings: Mapping[str, int | float | str | bool]
    tokens: tuple[str, ...]
    merges: tuple[str, ...]
    special: tuple[int, ...]
    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], Float32[np.ndarray, "..."]]

    @property
    def num_parameters(self) -> int:
        """Numbers in all tensors."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())
