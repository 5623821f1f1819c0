"""Hidden states of any frozen backbone: made once, block by block, kept on disk, their memory known before.

Whoever trains a small module on a frozen network needs the network's states once, not at every step. The
backbone is any pure function `run(params, *inputs)` that gives the states of its layers: one array
(layers, texts, ...), or one array a layer where layers differ in shape. Here it is a Flax module:

```python
import flax.linen as nn
import jax
import numpy as np
from experiments.kits.transformer.features import captured, hidden_states, predict_memory

network = nn.Sequential([nn.Dense(32), nn.tanh, nn.Dense(8)])
inputs = np.ones((100, 5, 16), np.float32)  # 100 texts of 5 places
variables = network.init(jax.random.key(0), inputs[:1])
run = captured(network, ("layers_0", "layers_2"))
print(predict_memory(run, variables, (inputs,), block=10, pooled="mean").state_bytes)  # 8000
states = hidden_states(run, variables, (inputs,), block=10, pooled="mean")
print([layer.shape for layer in states.layers])  # [(100, 32), (100, 8)]; folder= keeps them on disk
```

Nothing is differentiated: the backbone gets no gradient, since what is trained never sees it.
"""

import dataclasses
import hashlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from flax.traverse_util import flatten_dict
from jaxtyping import Array, ArrayLike, Float, Int

from experiments.files.storage import digest
from experiments.kits.costs import cost, num_bytes
from experiments.kits.transformer.feature_plan import Plan, Pooling, Run, program
from experiments.kits.transformer.naming import array_digest, described
from experiments.kits.transformer.shelf import DIGITS, Shelf, Sides, file_bytes
from ntkexec.errors import ExperimentError, clean, did_you_mean, shown


@dataclasses.dataclass(frozen=True)
class HiddenStates:
    """States of a data set, layer by layer.

    Args:
        layers: of every layer that was asked for (texts, width), or (texts, places, width) if nothing was
            pooled; mapped from disk where they are kept there. Places beyond a text's length hold 0.
        lengths: real places of each text, where they were given.
    """

    layers: tuple[Float[np.ndarray, "N ..."], ...]
    lengths: Int[np.ndarray, "N"] | None = None

    def rows(self, which: Int[ArrayLike, "n"]) -> tuple[Float[np.ndarray, "n ..."], ...]:
        """Of some texts, in float32 and in memory."""
        chosen = np.asarray(which)
        return tuple(np.asarray(layer[chosen], np.float32) for layer in self.layers)


@dataclasses.dataclass(frozen=True)
class Footprint:
    """What making and keeping states takes, known before anything runs.

    Args:
        kept_bytes: of all files that are written where a folder is given: the states, their lengths, the
            headers of both, and the list by which they are known again.
        state_bytes: of the states alone, which is what they take in memory without a folder.
        held_bytes: in memory for the program: parameters, a block of inputs, and what it returns of them.
        temporary_bytes: of the compiled program beyond these, by XLA's own account.
        flops: of one block, by XLA's account, which counts the body of a loop once.
    """

    kept_bytes: int
    state_bytes: int
    held_bytes: int
    temporary_bytes: int
    flops: float


def hidden_states(
    run: Run,
    params: Any,
    inputs: Sequence[ArrayLike],
    *,
    block: int,
    folder: str | os.PathLike[str] | None = None,
    made_from: Mapping[str, Any] | None = None,
    layers: Sequence[int] | None = None,
    pooled: Pooling = "none",
    lengths: Int[ArrayLike, "N"] | None = None,
    bucket: int | None = None,
    placed: Sequence[int] | None = None,
    kind: str = "float16",
    report: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> HiddenStates:
    """States of a whole data set; read from the folder if they are kept there, else made and kept.

    Args:
        run: the backbone, `run(params, *inputs)`; jitted here.
        params: of the backbone, a pytree.
        inputs: of all texts, arrays with a first axis of texts, cut into blocks here.
        block: texts at a time; the last block is filled up with its last text.
        folder: where states are kept; by default they stay in memory.
        made_from: plain data that names backbone and texts, without which a digest of parameters and
            inputs does, and takes a second for each GB, beside what `run` holds, see `naming.described`:
            code is known by its name alone.
        layers: which of those that `run` gives, negative ones from the end; by default all.
        pooled: "mean" or "last" of a text's real places, or "none": all of them.
        lengths: real places of each text, at least 1; by default all.
        bucket: if given, texts of similar lengths go together, and their inputs are cut on the second axis
            at the longest, rounded up to a multiple of it. Right only if what lies beyond a text's length
            changes none of its states; a program is compiled for each multiple.
        placed: numbers of the inputs whose second axis are the places that `lengths` counts, so that others,
            such as a table of numbers beside tokens, are never cut. By default all that have one; to be
            given where these differ in size, or are several and there are buckets.
        kind: of the kept numbers, "float16" or "float32".
        report: told about progress as (what, done, total).

    Raises:
        ExperimentError: inputs that do not fit each other or the lengths, or leave open which of them have
            places; layers that there are not; states beyond the range of `kind`; damaged files, which are
            named; what is no folder; a folder, and neither `made_from` nor a `run` that can be named, as
            lambdas cannot.
    """
    plan = Plan.made(run, params, inputs, block, layers, pooled, lengths, bucket, kind, placed)
    if folder is None:
        arrays = [np.zeros(sides, kind) for sides in plan.sides]
        plan.fill(arrays, params, report)
        return HiddenStates(tuple(arrays), plan.lengths)
    name = (
        {"digest": _digest(run, params, plan.inputs)} if made_from is None else {"named": made_from}
    )
    choice = _choice(layers, pooled, plan.lengths, kind)
    shelf = Shelf(folder, "states", {**name, "choice": choice})
    found = shelf.read()
    if found is None:
        with shelf.writing(_sides(plan, kind)) as made:
            plan.fill(
                [made[f"layer-{number}"] for number in range(len(plan.sides))], params, report
            )
            if plan.lengths is not None:
                made["lengths"][:] = plan.lengths
        found = shelf.read() or {}
    return _of(found)


def kept_states(
    folder: str | os.PathLike[str] | None,
    made_from: Mapping[str, Any],
    *,
    layers: Sequence[int] | None = None,
    pooled: Pooling = "none",
    lengths: Int[ArrayLike, "N"] | None = None,
    kind: str = "float16",
) -> HiddenStates | None:
    """What `hidden_states` kept under this name, without the backbone; none if it has not yet.

    Args:
        folder, made_from, layers, pooled, lengths, kind: as they were given to it.

    Raises:
        ExperimentError: names the file that is damaged; or what is no folder.
    """
    if folder is None:
        return None
    made = {"named": made_from, "choice": _choice(layers, pooled, lengths, kind)}
    found = Shelf(folder, "states", made).read()
    return None if found is None else _of(found)


def predict_memory(
    run: Run,
    params: Any,
    inputs: Sequence[ArrayLike],
    *,
    block: int,
    made_from: Mapping[str, Any] | None = None,
    layers: Sequence[int] | None = None,
    pooled: Pooling = "none",
    lengths: Int[ArrayLike, "N"] | None = None,
    placed: Sequence[int] | None = None,
    kind: str = "float16",
) -> Footprint:
    """What `hidden_states` would take: the program is compiled for the longest block, and nothing runs.

    Args:
        run, params, inputs, block, made_from, layers, pooled, lengths, placed, kind: as for
            `hidden_states`; parameters and inputs may be `jax.ShapeDtypeStruct`s.
    """
    plan = Plan.made(run, params, inputs, block, layers, pooled, lengths, None, kind, placed)
    given = plan.shapes()
    compiled = program.lower(run, plan.chosen, pooled, params, *given).compile()
    found = cost(compiled)
    returned = num_bytes(jax.eval_shape(program, run, plan.chosen, pooled, params, *given))
    # A digest is as long as any other.
    name = {"digest": "0" * DIGITS} if made_from is None else {"named": made_from}
    choice = _choice(layers, pooled, plan.lengths, kind)
    return Footprint(
        kept_bytes=file_bytes({**name, "choice": choice}, _sides(plan, kind)),
        state_bytes=sum(map(math.prod, plan.sides)) * np.dtype(kind).itemsize,
        held_bytes=num_bytes(jax.eval_shape(lambda tree: tree, params))
        + num_bytes(given)
        + returned,
        temporary_bytes=found.temporary_bytes,
        flops=found.flops,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Captured:
    """A Flax module as `hidden_states` takes one; see `captured`, by which it is made."""

    module: nn.Module
    names: tuple[str, ...]
    arguments: Mapping[str, Any]

    def __call__(self, variables: Any, *inputs: Any) -> tuple[Array, ...]:
        paths = {name: tuple(name.split("/")) for name in self.names}
        _, found = self.module.apply(
            variables, *inputs, **self.arguments, mutable=["intermediates"],
            capture_intermediates=lambda inner, method: inner.path in paths.values(),
        )  # fmt: skip
        states: list[Array] = []
        for name, path in paths.items():
            inner: Any = found.get("intermediates", {})
            for step in (*path, "__call__"):
                inner = inner.get(step, {})
            if not _are_arrays(inner):
                known = self._known(variables, *inputs)
                hint = (
                    did_you_mean(name, known) or f"; there are {clean(', '.join(known) or 'none')}"
                )
                raise ExperimentError(
                    f"{type(self.module).__name__} has no array of a submodule {shown(name)}{hint}"
                )
            states.extend(inner)
        return tuple(states)

    def _known(self, variables: Any, *inputs: Any) -> list[str]:
        """Names of all submodules that return arrays."""
        _, found = self.module.apply(
            variables,
            *inputs,
            **self.arguments,
            mutable=["intermediates"],
            capture_intermediates=True,
        )
        tree = flatten_dict(found.get("intermediates", {}))
        return sorted(
            "/".join(path)
            for *path, last in tree
            if path and last == "__call__" and _are_arrays(tree[(*path, last)])
        )


def captured(module: nn.Module, names: Sequence[str], **arguments: Any) -> Captured:
    """A function `run(variables, *inputs)` of a Flax module: what its submodules return, in this order.

    Args:
        module: any; its submodules are not changed.
        names: paths of submodules, such as "encoder/block_3".
        arguments: for its call, such as `train=False`.

    Returns:
        A function that gives an array for each name, and more where a submodule is called again.

    Raises:
        ExperimentError: when called: there is no such submodule, or it returns no array; names those nearest
            to it that do, or all.
    """
    return Captured(module, tuple(names), arguments)


def _are_arrays(outputs: Any) -> bool:
    """Whether a submodule was called, and returned an array each time."""
    return bool(outputs) and all(isinstance(one, jax.Array) for one in outputs)


def _sides(plan: Plan, kind: str) -> Sides:
    """Shape and type of every array that is kept."""
    found = {f"layer-{number}": (sides, kind) for number, sides in enumerate(plan.sides)}
    if plan.lengths is not None:
        found["lengths"] = (plan.lengths.shape, "int32")
    return found


def _of(found: Mapping[str, np.ndarray]) -> HiddenStates:
    layers = [name for name in found if name != "lengths"]
    ordered = sorted(layers, key=lambda name: int(name.rpartition("-")[2]))
    return HiddenStates(tuple(found[name] for name in ordered), found.get("lengths"))


def _choice(
    layers: Sequence[int] | None, pooled: Pooling, lengths: Any, kind: str
) -> dict[str, Any]:
    chosen = None if layers is None else [int(one) for one in layers]
    counted = None if lengths is None else array_digest(np.asarray(lengths).astype(np.int32))
    return {"layers": chosen, "pooled": pooled, "lengths": counted, "kind": kind}


def _digest(run: Run, params: Any, inputs: Sequence[Any]) -> str:
    """Of parameters, inputs, and what `run` is."""
    found = hashlib.blake2b(digest(described(run)).encode())
    for where, leaf in jax.tree_util.tree_flatten_with_path((params, tuple(inputs)))[0]:
        found.update(f"{where} {array_digest(leaf)}".encode())
    return found.hexdigest()[:DIGITS]
