"""How hidden states are made block by block: what is asked for, checked before anything runs."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from experiments.files.words import quoted
from ntkexec.errors import ExperimentError

Run = Callable[..., Any]
Pooling = Literal["none", "mean", "last"]
POOLINGS: tuple[Pooling, ...] = ("none", "mean", "last")
KINDS = ("float16", "float32")


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def program(
    run: Run, chosen: tuple[int, ...], pooled: Pooling, params: Any, lengths: Any, inputs: Any
) -> tuple[Array, ...]:
    """Chosen layers of one block, pooled in float32; places beyond a text's length are 0."""
    found = run(params, *inputs)
    return tuple(_pooled(found[layer], lengths, pooled) for layer in chosen)


def _pooled(states: Array, lengths: Array | None, pooled: Pooling) -> Array:
    """Of one layer (B, T, ..., D), or as they are where it has no places (B, D)."""
    states = states.astype(jnp.float32)
    if states.ndim < 3:
        return states
    batch, places = states.shape[:2]
    real = jnp.full(batch, places) if lengths is None else lengths
    if pooled == "last":
        return jnp.take_along_axis(states, real[:, None, None] - 1, 1)[:, 0]
    seen = jnp.arange(places)[None] < real[:, None]
    states = jnp.where(jnp.expand_dims(seen, range(2, states.ndim)), states, 0)
    if pooled == "none":
        return states
    inner = range(1, states.ndim - 1)
    counts = real * math.prod(states.shape[2:-1])
    return states.sum(tuple(inner)) / counts[:, None]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is asked for, checked: inputs, which have places, layers, lengths, shapes of what is kept."""

    run: Run
    inputs: tuple[Any, ...]
    placed: tuple[int, ...]
    block: int
    chosen: tuple[int, ...]
    pooled: Pooling
    lengths: Int[np.ndarray, "N"] | None
    bucket: int | None
    sides: tuple[tuple[int, ...], ...]

    @classmethod
    def made(
        cls,
        run: Run,
        params: Any,
        inputs: Sequence[Any],
        block: int,
        layers: Sequence[int] | None,
        pooled: Pooling,
        lengths: Any,
        bucket: int | None,
        kind: str,
        placed: Sequence[int] | None,
    ) -> "Plan":
        given = tuple(one if hasattr(one, "shape") else np.asarray(one) for one in inputs)
        number = {one.shape[:1] for one in given}
        if len(number) != 1 or not min(number, default=()) or min(number)[0] < 1:
            shapes = ", ".join(str(one.shape) for one in given)
            raise ExperimentError(
                f"inputs have the shapes ({shapes}); they need one first axis of texts"
            )
        ((texts,),) = number
        if block < 1 or (bucket is not None and bucket < 1):
            raise ExperimentError(f"blocks of {block} texts in buckets of {bucket} places are none")
        if pooled not in POOLINGS or kind not in KINDS:
            raise ExperimentError(
                f"cannot pool {quoted(pooled)} and keep {quoted(kind)}; there are "
                f"{', '.join(POOLINGS)} and {', '.join(KINDS)}"
            )
        lengths = None if lengths is None else np.asarray(lengths)
        with_places: tuple[int, ...] = ()
        if lengths is not None or placed is not None:
            with_places = _with_places(given, placed, bucket)
        if lengths is not None:
            places = given[with_places[0]].shape[1] if with_places else 0
            whole = lengths.shape == (texts,) and np.issubdtype(lengths.dtype, np.integer)
            if not whole or lengths.min() < 1 or lengths.max() > places:
                raise ExperimentError(
                    f"lengths of {texts} texts are whole numbers from 1 to {places}: {quoted(lengths, 60)}"
                )
            lengths = lengths.astype(np.int32)
        elif bucket is not None:
            raise ExperimentError("buckets need the lengths of texts")
        of_block = [jax.ShapeDtypeStruct((block, *one.shape[1:]), one.dtype) for one in given]
        found = jax.eval_shape(lambda *some: list(run(*some)), params, *of_block)
        chosen = range(len(found)) if layers is None else layers
        if wrong := [one for one in chosen if not -len(found) <= one < len(found)]:
            raise ExperimentError(f"there is no layer {wrong[0]}; the backbone gives {len(found)}")
        numbers = tuple(int(one) % len(found) for one in chosen)
        for one in numbers:
            shape = found[one].shape
            flat = pooled == "last" and len(shape) != 3
            short = lengths is not None and len(shape) > 2 and shape[1] < lengths.max()
            if len(shape) < 2 or shape[0] != block or flat or short:
                raise ExperimentError(
                    f"layer {one} of a block of {block} texts has shape {shape}, which cannot be pooled "
                    f"{quoted(pooled)} by these lengths"
                )
        sides = tuple(
            (texts, *(found[one].shape[1:] if pooled == "none" else found[one].shape[-1:]))
            for one in numbers
        )
        return cls(run, given, with_places, block, numbers, pooled, lengths, bucket, sides)

    def shapes(self) -> tuple[Any, tuple[Any, ...]]:
        """Of the lengths and inputs of the longest block."""
        counts = None if self.lengths is None else jax.ShapeDtypeStruct((self.block,), np.int32)
        return counts, tuple(
            jax.ShapeDtypeStruct((self.block, *one.shape[1:]), one.dtype) for one in self.inputs
        )

    def blocks(self) -> Iterator[tuple[np.ndarray, int | None]]:
        """Texts of each block, with how many places their inputs are cut at."""
        texts = self.sides[0][0] if self.sides else 0
        order = np.arange(texts)
        if self.bucket is not None and self.lengths is not None:
            order = np.argsort(self.lengths, kind="stable")
        for start in range(0, texts, self.block):
            rows = order[start : start + self.block]
            cut = None
            if self.bucket is not None and self.lengths is not None:
                cut = -(-int(self.lengths[rows].max()) // self.bucket) * self.bucket
            yield rows, cut

    def fill(
        self,
        arrays: Sequence[np.ndarray],
        params: Any,
        report: Callable[[str, int, int], None],
    ) -> None:
        """Writes the states of all texts into arrays that hold 0."""
        done = 0
        for rows, cut in self.blocks():
            filled = np.concatenate([rows, np.full(self.block - len(rows), rows[-1])])
            given = tuple(np.asarray(one)[filled] for one in self.inputs)
            if cut is not None:
                given = tuple(
                    one[:, :cut] if number in self.placed else one
                    for number, one in enumerate(given)
                )
            counts = None if self.lengths is None else self.lengths[filled]
            found = program(self.run, self.chosen, self.pooled, params, counts, given)
            for layer, array, states in zip(self.chosen, arrays, found, strict=True):
                _write(array, rows, np.asarray(states)[: len(rows)], layer)
            done += len(rows)
            report("hidden states", done, self.sides[0][0])


def _with_places(
    given: Sequence[Any], placed: Sequence[int] | None, bucket: int | None
) -> tuple[int, ...]:
    """Numbers of the inputs whose second axis are places: as they are said, or where no doubt is left."""
    able = [number for number, one in enumerate(given) if len(one.shape) > 1]
    found = able if placed is None else [int(one) for one in placed]
    shapes = ", ".join(str(one.shape) for one in given)
    if wrong := [one for one in found if one not in able]:
        raise ExperimentError(
            f"placed names input {wrong[0]}, but of inputs of the shapes ({shapes}) those with a second axis "
            f"are {quoted(able, 60)}"
        )
    if placed is None and bucket is not None and len(found) > 1:
        raise ExperimentError(
            f"of inputs of the shapes ({shapes}) buckets cut those whose second axis are places: name them "
            f"by placed, such as placed={tuple(found)} for all"
        )
    if len({given[one].shape[1] for one in found}) > 1:
        raise ExperimentError(
            f"inputs {quoted(found, 60)} of the shapes ({shapes}) differ in places: name by placed those "
            f"whose second axis are the places that lengths count, such as placed=({found[0]},)"
        )
    return tuple(found)


def _write(array: np.ndarray, rows: np.ndarray, states: np.ndarray, layer: int) -> None:
    largest = float(np.abs(states).max(initial=0))
    if not largest <= float(np.finfo(array.dtype).max):
        raise ExperimentError(
            f"layer {layer} has a state of size {largest:g}, which {array.dtype} does not hold"
        )
    if states.ndim > 2:
        array[rows, : states.shape[1]] = states
    else:
        array[rows] = states
