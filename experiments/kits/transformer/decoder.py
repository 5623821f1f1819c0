"""A decoder whose blocks lie stacked along one axis: run along any path of blocks, states kept or not.

Everything is a function of a pytree of arrays, so that blocks can be skipped, repeated, adapted or
frozen by whoever calls, and a tiny model and a pretrained one are the same code.

```python
import numpy as np
from experiments.kits.transformer.decoder import Shape, initial, logits, run

shape = Shape(blocks=4, width=32, heads=4, key_heads=2, hidden=64, vocabulary=50)
params = initial(shape, np.random.default_rng(0))
tokens = np.array([[3, 1, 4, 1, 5]])
found = run(params, shape, tokens, path=[0, 1, 1, 3])  # block 2 is skipped, block 1 runs twice
print(logits(params, shape, found.last).shape)  # (1, 5, 50)
```

Source: Touvron et al., LLaMA, arXiv:2302.13971, section 2; grouped queries: Ainslie et al., arXiv:2305.13245.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from ntkexec.errors import ExperimentError

Params = dict[str, Any]
MATRICES = ("query", "key", "value", "output", "gate", "up", "down")
"""Of a block, by the names of its parameters; each maps rows, (in, out)."""
NORMS = ("attention_norm", "mlp_norm")


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes of a decoder.

    Args:
        blocks: of attention and MLP.
        width: of a token's state.
        heads: of queries; `width` is a multiple of it.
        key_heads: of keys and values; `heads` is a multiple of it.
        hidden: width of the gated MLP.
        vocabulary: tokens.
        base: of the rotary wavelengths.
        epsilon: of the norms.
        pairs: what is rotated together: "neighbours" 2i and 2i + 1 as in the paper and llama.cpp, or
            "halves" i and i + d / 2 as in Hugging Face's code.
    """

    blocks: int
    width: int
    heads: int
    key_heads: int
    hidden: int
    vocabulary: int
    base: float = 10_000.0
    epsilon: float = 1e-5
    pairs: str = "neighbours"

    def __post_init__(self) -> None:
        sizes = (self.blocks, self.width, self.heads, self.key_heads, self.hidden, self.vocabulary)
        if min(sizes) < 1 or self.width % self.heads or self.heads % self.key_heads:
            raise ExperimentError(
                f"no decoder has {self.blocks} blocks of width {self.width} with {self.heads} heads, "
                f"{self.key_heads} of keys, {self.hidden} hidden and {self.vocabulary} tokens"
            )
        if self.head_width % 2 or self.pairs not in ("neighbours", "halves"):
            raise ExperimentError(
                f"heads of width {self.head_width} cannot be rotated in pairs of {self.pairs}"
            )

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    def sides(self) -> dict[str, tuple[int, int]]:
        """Rows and columns of a block's matrices."""
        keys = self.key_heads * self.head_width
        return {
            "query": (self.width, self.width), "key": (self.width, keys), "value": (self.width, keys),
            "output": (self.width, self.width), "gate": (self.width, self.hidden),
            "up": (self.width, self.hidden), "down": (self.hidden, self.width),
        }  # fmt: skip

    def num_parameters(self) -> int:
        """With one table for tokens in and out."""
        block = sum(rows * columns for rows, columns in self.sides().values()) + 2 * self.width
        return self.vocabulary * self.width + self.blocks * block + self.width


def initial(shape: Shape, generator: np.random.Generator, *, deviation: float = 0.02) -> Params:
    """Random parameters: normal matrices, those into the residual stream smaller by sqrt(2 blocks).

    Source: Radford et al., Language models are unsupervised multitask learners, 2019, section 2.3.
    """

    def normal(*sides: int, scale: float = 1.0) -> np.ndarray:
        return (generator.normal(size=sides) * deviation * scale).astype(np.float32)

    into = (2 * shape.blocks) ** -0.5
    blocks: dict[str, np.ndarray] = {
        name: normal(shape.blocks, *sides, scale=into if name in ("output", "down") else 1.0)
        for name, sides in shape.sides().items()
    }
    blocks |= {name: np.ones((shape.blocks, shape.width), np.float32) for name in NORMS}
    table = normal(shape.vocabulary, shape.width)
    return {"embedding": table, "blocks": blocks, "norm": np.ones(shape.width, np.float32)}


class States(NamedTuple):
    """What a run leaves.

    Args:
        last: states after the last block, before the final norm.
        inner: states before the first block and after each, where they were kept.
    """

    last: Float[Array, "B T D"]
    inner: Float[Array, "P+1 B T D"] | None


def run(
    params: Params,
    shape: Shape,
    tokens: Int[ArrayLike, "B T"],
    *,
    path: Sequence[int] | Int[ArrayLike, "P"] | None = None,
    adapters: Any = None,
    real: Bool[ArrayLike, "B T"] | None = None,
    keep: bool = False,
) -> States:
    """States of all tokens, each of which sees itself and those before it.

    Args:
        params: see `initial`; of any float type, in which it is computed.
        shape: of the decoder.
        tokens: numbers below the vocabulary's size.
        path: blocks in the order in which they run; by default all of them, once.
        adapters: see `lora`; those of a block are used wherever it runs.
        real: which tokens are no padding and may be seen; by default all.
        keep: whether states between blocks are kept, (P + 1, B, T, D) of them.

    Raises:
        ExperimentError: see `refuse_misfits`.
    """
    refuse_misfits(params, shape, tokens, path, adapters)
    tokens = jnp.asarray(tokens)
    hidden = params["embedding"][tokens]
    place = jnp.broadcast_to(jnp.arange(tokens.shape[1])[None], tokens.shape)
    sees = place[:, :, None] >= place[:, None, :]
    if real is not None:
        sees = sees & jnp.asarray(real)[:, None, :]

    def step(hidden: Array, parts: Any) -> tuple[Array, Array | None]:
        block, own = parts
        keys, values = keys_and_values(block, shape, hidden, place, own)
        hidden = block_of(block, shape, hidden, place, keys, values, sees, own)
        return hidden, hidden if keep else None

    first = hidden
    hidden, inner = along(step, hidden, params["blocks"], adapters, path)
    if keep:
        inner = jnp.concatenate([first[None], inner])
    return States(hidden, inner)


def refuse_misfits(params: Params, shape: Shape, tokens: Any, path: Any, adapters: Any) -> None:
    """Nothing, if parameters, tokens and path are of this shape; JAX would take the nearest that is.

    Args:
        params, shape, tokens, path, adapters: as for `run`. Sizes and types are always looked at, numbers
            of tokens and blocks only where they are known: not within `jax.jit`, of what it traces.

    Raises:
        ExperimentError: parameters of other sizes, tokens beyond the vocabulary, blocks that there are not,
            or what is no whole number.
    """
    wanted: dict[str, tuple[int, ...]] = {
        "embedding": (shape.vocabulary, shape.width),
        "norm": (shape.width,),
        **{f"blocks/{name}": (shape.blocks, *sides) for name, sides in shape.sides().items()},
        **{f"blocks/{name}": (shape.blocks, shape.width) for name in NORMS},
    }
    blocks = params.get("blocks", {})
    for name, sides in wanted.items():
        kind, _, inner = name.rpartition("/")
        found = (blocks if kind else params).get(inner)
        if found is None or np.shape(found) != sides:
            has = "absent" if found is None else f"of shape {np.shape(found)}"
            raise ExperimentError(f"parameters {name} are {has}, and the decoder's have {sides}")
    for leaf in jax.tree.leaves(adapters):
        if np.shape(leaf)[:1] != (shape.blocks,):
            raise ExperimentError(
                f"adapters of shape {np.shape(leaf)} are not of {shape.blocks} blocks, one a row"
            )
    _refuse_numbers("tokens (texts, places)", tokens, 2, shape.vocabulary)
    if path is not None:
        _refuse_numbers("blocks of a path", path, 1, shape.blocks)


def _refuse_numbers(what: str, given: Any, axes: int, number: int) -> None:
    """Nothing, if these are whole numbers from 0 to below `number`, as far as they are known."""
    known = not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(given))
    found = np.asarray(given) if known else jnp.asarray(given)
    whole = np.issubdtype(found.dtype, np.integer) or not found.size
    if found.ndim != axes or not whole:
        raise ExperimentError(
            f"{what} are whole numbers along {axes} axes, not {found.dtype} of shape {found.shape}"
        )
    if isinstance(found, np.ndarray) and found.size and (found.min() < 0 or found.max() >= number):
        wrong = found[(found < 0) | (found >= number)]
        raise ExperimentError(f"{what} are numbers from 0 to {number - 1}, and {wrong[0]} is not")


def along(
    step: Any, carry: Any, blocks: Any, adapters: Any, path: Any, *others: Any
) -> tuple[Any, Any]:
    """Scans `step(carry, (block, adapters, *others))` along a path of blocks.

    Without a path parameters are sliced by the scan, whose gradient then costs no more than theirs.
    """
    if path is None:
        return jax.lax.scan(step, carry, (blocks, adapters, *others))
    whole = (blocks, adapters)

    def at(carry: Any, parts: Any) -> tuple[Any, Any]:
        number, *rest = parts
        own = jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, number, keepdims=False), whole)
        return step(carry, (*own, *rest))

    return jax.lax.scan(at, carry, (jnp.asarray(path, jnp.int32), *others))


def keys_and_values(
    block: Params, shape: Shape, hidden: Float[Array, "B T D"], place: Int[Array, "B T"], own: Any
) -> tuple[Float[Array, "B T K d"], Float[Array, "B T K d"]]:
    """What a block's attention keeps of the tokens at these places; keys are rotated."""
    normed = normalised(hidden, block["attention_norm"], shape.epsilon)
    sides = (*hidden.shape[:2], shape.key_heads, shape.head_width)
    keys = mapped(block, own, "key", normed).reshape(sides)
    return rotated(keys, place, shape), mapped(block, own, "value", normed).reshape(sides)


def block_of(
    block: Params,
    shape: Shape,
    hidden: Float[Array, "B T D"],
    place: Int[Array, "B T"],
    keys: Float[Array, "B S K d"],
    values: Float[Array, "B S K d"],
    sees: Bool[Array, "B T S"],
    own: Any,
) -> Float[Array, "B T D"]:
    """One block: attention to keys that were kept, then the gated MLP, each added to what came in."""
    batch, length = hidden.shape[:2]
    normed = normalised(hidden, block["attention_norm"], shape.epsilon)
    groups = shape.heads // shape.key_heads
    queries = mapped(block, own, "query", normed)
    queries = queries.reshape(batch, length, shape.heads, shape.head_width)
    queries = rotated(queries, place, shape).reshape(
        batch, length, shape.key_heads, groups, shape.head_width
    )
    scores = jnp.einsum("btkgd,bskd->bkgts", queries, keys) * shape.head_width**-0.5
    wide = jnp.promote_types(hidden.dtype, jnp.float32)
    scores = jnp.where(sees[:, None, None], scores.astype(wide), -jnp.inf)
    # A padding token that sees nothing gets zeros, not nan.
    top = jax.lax.stop_gradient(scores.max(-1, keepdims=True))
    weights = jnp.exp(scores - jnp.where(jnp.isfinite(top), top, 0))
    weights = weights / jnp.maximum(weights.sum(-1, keepdims=True), 1e-30)
    mixed = jnp.einsum("bkgts,bskd->btkgd", weights.astype(hidden.dtype), values)
    hidden = hidden + mapped(block, own, "output", mixed.reshape(batch, length, shape.width))
    normed = normalised(hidden, block["mlp_norm"], shape.epsilon)
    gated = jax.nn.silu(mapped(block, own, "gate", normed)) * mapped(block, own, "up", normed)
    return hidden + mapped(block, own, "down", gated)


def mapped(
    block: Params, own: Any, name: str, rows: Float[Array, "... i"]
) -> Float[Array, "... o"]:
    """Rows by one of a block's matrices, and by its adapter if it has one."""
    found = rows @ block[name]
    if own is not None and name in own:
        found = found + (rows @ own[name]["down"]) @ own[name]["up"]
    return found


def normalised(
    hidden: Float[Array, "... D"], scale: Float[Array, "D"], epsilon: float
) -> Float[Array, "... D"]:
    """Divided by the root of the mean square, computed in float32 at least."""
    wide = hidden.astype(jnp.promote_types(hidden.dtype, jnp.float32))
    root = jax.lax.rsqrt(jnp.square(wide).mean(-1, keepdims=True) + epsilon)
    along = jnp.expand_dims(scale, range(hidden.ndim - 1))
    return (wide * root).astype(hidden.dtype) * along


def rotated(
    rows: Float[Array, "B T H d"], place: Int[Array, "B T"], shape: Shape
) -> Float[Array, "B T H d"]:
    """Pairs of a head turned by angles that grow with the place.

    Source: Su et al., RoFormer, arXiv:2104.09864, equation 34.
    """
    half = shape.head_width // 2
    speed = shape.base ** (-np.arange(half, dtype=np.float64) / half)
    kind = jnp.promote_types(rows.dtype, jnp.float32)
    angle = place[:, :, None, None].astype(kind) * jnp.asarray(speed, kind)[None, None, None]
    cosine, sine = jnp.cos(angle).astype(rows.dtype), jnp.sin(angle).astype(rows.dtype)
    if shape.pairs == "halves":
        first, second = rows[..., :half], rows[..., half:]
    else:
        first, second = rows[..., 0::2], rows[..., 1::2]
    turned = first * cosine - second * sine, first * sine + second * cosine
    if shape.pairs == "halves":
        return jnp.concatenate(turned, -1)
    return jnp.stack(turned, -1).reshape(rows.shape)


def logits(params: Params, shape: Shape, last: Float[Array, "... D"]) -> Float[Array, "... V"]:
    """Scores of the next token, in float32 at least, by the table that also reads tokens."""
    normed = normalised(last, params["norm"], shape.epsilon)
    kind = jnp.promote_types(normed.dtype, jnp.float32)
    return jnp.einsum("...d,vd->...v", normed, params["embedding"], preferred_element_type=kind)
