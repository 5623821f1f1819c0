"""Adapters of several source tasks, one of each after every block: what is combined for a target task."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from experiments.files.storage import load_tensors, save_tree
from experiments.files.words import quoted
from ntkexec.errors import ExperimentError

Arrays = Mapping[str, Any]  # of NumPy or of JAX
PARTS = ("down", "down_bias", "up", "up_bias")
NAMES = "names"


def adapted(own: Arrays, hidden: Float[Array, "... D"]) -> Float[Array, "S ... D"]:
    """What the adapters of all sources make of states, before anything is added: U relu(D h + b) + c.

    Args:
        own: one block's part of a bank: down (S, D, r), up (S, r, D), and their biases (S, r), (S, D).
        hidden: states that the adapters read.

    Source: Pfeiffer et al., AdapterFusion, arXiv:2005.00247, section 2.2.
    """
    between = range(1, hidden.ndim)
    inner = jnp.einsum("...d,sdr->s...r", hidden, own["down"])
    inner = jax.nn.relu(inner + jnp.expand_dims(own["down_bias"], between))
    return jnp.einsum("s...r,srd->s...d", inner, own["up"]) + jnp.expand_dims(
        own["up_bias"], between
    )


@dataclasses.dataclass(frozen=True)
class SourceBank:
    """Adapters by block and source.

    Args:
        names: of the source tasks.
        arrays: down (L, S, D, r), up (L, S, r, D), down_bias (L, S, r), up_bias (L, S, D); blocks come
            first, so that a scan over blocks takes each block its own.
    """

    names: tuple[str, ...]
    arrays: Arrays

    def __post_init__(self) -> None:
        if tuple(sorted(self.arrays)) != tuple(sorted(PARTS)):
            raise ExperimentError(
                f"a bank has the arrays {', '.join(PARTS)}, not {', '.join(sorted(self.arrays))}"
            )
        shape = np.shape(self.arrays["down"])
        blocks, sources, width, rank = shape if len(shape) == 4 else (0, 0, 0, 0)
        wanted = {
            "down": (blocks, sources, width, rank), "down_bias": (blocks, sources, rank),
            "up": (blocks, sources, rank, width), "up_bias": (blocks, sources, width),
        }  # fmt: skip
        for name, sides in wanted.items():
            if not min(sides) or np.shape(self.arrays[name]) != sides:
                raise ExperimentError(
                    f"the bank's {name} has shape {np.shape(self.arrays[name])}, beside down of {shape}"
                )
        if len(self.names) != sources or len(set(self.names)) != sources:
            raise ExperimentError(
                f"{sources} sources need as many different names, not {quoted(self.names, 80)}"
            )

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Blocks, sources and width."""
        blocks, sources, width, _ = np.shape(self.arrays["down"])
        return blocks, sources, width

    @classmethod
    def initial(
        cls, names: Sequence[str], generator: np.random.Generator, *, blocks: int, width: int,
        rank: int, deviation: float = 0.02,
    ) -> "SourceBank":  # fmt: skip
        """Adapters before training: `down` normal of deviation width ** -0.5, `up` nearly nothing."""
        if min(blocks, width, rank) < 1:
            raise ExperimentError(
                f"no adapter of rank {rank} fits {blocks} blocks of width {width}"
            )
        down = generator.normal(size=(blocks, len(names), width, rank)) * width**-0.5
        up = generator.normal(size=(blocks, len(names), rank, width)) * deviation
        return cls.from_arrays(np.swapaxes(down, 0, 1), np.swapaxes(up, 0, 1), names)

    @classmethod
    def from_arrays(
        cls, down: Float[ArrayLike, "S L D r"], up: Float[ArrayLike, "S L r D"], names: Sequence[str],
        *, down_bias: Float[ArrayLike, "S L r"] | None = None,
        up_bias: Float[ArrayLike, "S L D"] | None = None,
    ) -> "SourceBank":  # fmt: skip
        """Adapters that were trained elsewhere, source by source; rows of matrices are inputs.

        Raises:
            ExperimentError: names the array whose shape does not fit the others.
        """
        given = {"down": down, "up": up, "down_bias": down_bias, "up_bias": up_bias}
        if np.ndim(down) != 4 or np.ndim(up) != 4:
            raise ExperimentError(
                f"down and up have four axes, not shapes {np.shape(down)} and {np.shape(up)}"
            )
        empty = {"down_bias": np.delete(np.shape(down), 2), "up_bias": np.delete(np.shape(up), 2)}
        made = {
            name: np.swapaxes(np.zeros(empty[name]) if one is None else np.asarray(one), 0, 1)
            for name, one in given.items()
        }
        return cls(tuple(names), {name: one.astype(np.float32) for name, one in made.items()})

    @classmethod
    def joined(cls, banks: Sequence["SourceBank"]) -> "SourceBank":
        """The sources of several banks in one."""
        names = tuple(name for bank in banks for name in bank.names)
        return cls(
            names, {part: np.concatenate([b.arrays[part] for b in banks], 1) for part in PARTS}
        )

    def only(self, names: Sequence[str]) -> "SourceBank":
        """Some of the sources, in this order.

        Raises:
            ExperimentError: names one that is not there.
        """
        if missing := [name for name in names if name not in self.names]:
            raise ExperimentError(f"{quoted(missing[0])} is none of {', '.join(self.names)}")
        places = np.array([self.names.index(name) for name in names])
        return SourceBank(tuple(names), {part: one[:, places] for part, one in self.arrays.items()})

    def save(self, path: Path) -> None:
        """Stores the bank as safetensors."""
        save_tree(path, dict(self.arrays), names="\n".join(self.names))

    @classmethod
    def load(cls, path: Path) -> "SourceBank":
        """A bank that `save` stored.

        Raises:
            ExperimentError: the file is damaged, or holds something else.
        """
        arrays, notes = load_tensors(path)
        if NAMES not in notes:
            raise ExperimentError(f"{path} holds no adapters with names")
        return cls(tuple(notes[NAMES].split("\n")), arrays)
