"""Training: all items are scored at once, and what is not asked for weighs nothing.

A step of the public code gathers the embeddings of a few hundred thousand drawn items. Here a step is
three dense products of the batch's users with all items, in which an item counts as often as it was
drawn: the same gradient, without gathers. And since negatives are drawn evenly, from all items and
at every visit of a user, the mean of what would be drawn can take the place of draws: then a user
needs one visit an epoch, and UltraGCN is seen to be a weighted logistic factorisation.
"""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int
from scipy import sparse

from experiments.graphs.ultragcn.factors import Factors, whole_factors
from experiments.graphs.ultragcn.model import Settings
from experiments.graphs.ultragcn.weights import Neighbours, cooccurrence, edge_weights
from experiments.kits.recommendation.samplers import negatives
from experiments.kits.training import stream
from ntkexec.errors import ExperimentError

Drawing = Literal["sampled", "expected"]
Score = Callable[[Float[np.ndarray, "n d"], Float[np.ndarray, "m d"]], float]
"""How good the embeddings are, by something held out; more is better."""


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
    """Embeddings, at the epoch that `score` picked, or at the last one.

    Args:
        users, items: of which scores are inner products.
        epoch: counted from 1.
        scores: after every `every` epochs.
    """

    users: Float[np.ndarray, "n d"]
    items: Float[np.ndarray, "m d"]
    epoch: int
    scores: tuple[float, ...]


def fit(
    train: sparse.csr_array,
    settings: Settings,
    *,
    generator: np.random.Generator,
    epochs: int,
    neighbours: Neighbours | None = None,
    drawing: Drawing = "sampled",
    sift: bool = False,
    block: int = 1024,
    score: Score | None = None,
    every: int = 10,
    report: Callable[[str, int, int], None] = lambda what, done, total: None,
    checkpoint: Path | None = None,
    what: str = "UltraGCN",
) -> Fitted:
    """Embeddings after training on what users have.

    Args:
        train: (n, m), 1 where a user has an item.
        settings: of the loss and of Adam.
        generator: draws first embeddings, batches and negatives.
        epochs: over all seen pairs, or over all users if negatives are expected.
        neighbours: of items; by default `cooccurrence(train)`.
        drawing: of negatives: `sampled` draws `settings.negatives` for each seen pair, as the public code
            does, in batches of `settings.batch` pairs; `expected` takes the mean over all items, in
            batches of `block` users, which minimises the same objective by other steps: give it a rate
            of its own.
        sift: whether a user's seen items are never negatives; the released settings do not sift, but
            for one data set.
        block: users at a step, if negatives are expected.
        score: by which the epoch is picked, of those that are multiples of `every` and the last; give
            it nothing that is tested on.
        report, checkpoint, what: as for `kits.training.stream`; a killed training is continued.

    Raises:
        ExperimentError: a number or a word is none that there is, or entries of `train` are not 1.
    """
    if epochs < 1 or block < 1 or every < 1 or drawing not in get_args(Drawing):
        raise ExperimentError(
            f"cannot fit {epochs} epochs with {drawing!r} negatives in blocks of {block}, scored every "
            f"{every}: numbers are 1 or more, negatives are {' or '.join(get_args(Drawing))}"
        )
    near = cooccurrence(train) if neighbours is None else neighbours
    tables = {
        name: (settings.std * generator.normal(size=(num, settings.dimension))).astype(np.float32)
        for name, num in zip(("users", "items"), train.shape, strict=True)
    }
    seed, made = int(generator.integers(2**32)), whole_factors(train, settings, near)
    batches: _Batches
    if drawing == "sampled":
        batches = _Pairs(train, settings, near, seed, sift)
    else:
        batches = _Users(made, block, seed, train if sift else None)
    # Decay is paid at every step; an epoch of fewer steps pays as much in all.
    usual = -(-train.nnz // settings.batch)
    numbers = (np.float32(settings.rate), np.float32(settings.decay * usual / batches.steps))
    of_items = made.items.astype(np.float32)
    chunk, total = every * batches.steps, epochs * batches.steps
    scores = np.full(-(-epochs // every), -np.inf, np.float32)
    state = {
        "now": tables, "adam": optax.scale_by_adam().init(tables), "best": tables,
        "epoch": np.int32(epochs), "scores": scores,
    }  # fmt: skip

    def between(state: Any, done: int) -> Any:
        if score is None or not done:
            return state
        return _picked(state, -(-done // chunk) - 1, done // batches.steps, score)

    state, _ = stream(  # type: ignore[misc]
        _step, state, total, batch=lambda index: (batches(index), of_items, *numbers), chunk=chunk,
        between=between, report=report, checkpoint=checkpoint, what=what,
    )  # fmt: skip
    state = between(state, total)
    found = {name: np.asarray(table) for name, table in state["best" if score else "now"].items()}
    given = tuple(np.asarray(state["scores"]).tolist()) if score else ()
    return Fitted(found["users"], found["items"], int(state["epoch"]), given)


def _picked(state: Any, place: int, epoch: int, score: Score) -> Any:
    found = score(*(np.asarray(state["now"][name]) for name in ("users", "items")))
    scores = np.array(state["scores"])
    better = not (found <= scores.max())
    scores[place] = found
    best = {"best": state["now"], "epoch": np.int32(epoch)} if better else {}
    return {**state, "scores": scores, **best}


class _Batch(NamedTuple):
    """What one step reads beside the tables; a padded row or entry weighs nothing.

    Args:
        users: of the rows; in a batch of pairs a user may have several.
        rows, columns, values: entries of the weights of what is seen.
        removed: of each entry, the share of what it weighs as unseen that is taken away.
        plain, weighted: what each row's pairs weigh as unseen, times 1 and times the item's weight.
        drawn: items of each row, or none if all items count once.
    """

    users: Int[np.ndarray, " B"]
    rows: Int[np.ndarray, " Q"]
    columns: Int[np.ndarray, " Q"]
    values: Float[np.ndarray, " Q"]
    removed: Float[np.ndarray, " Q"]
    plain: Float[np.ndarray, " B"]
    weighted: Float[np.ndarray, " B"]
    drawn: Int[np.ndarray, "B M"]


class _Batches(Protocol):
    """The batch of a step, from its index alone."""

    steps: int

    def __call__(self, index: int) -> _Batch: ...


class _Pairs:
    """Seen pairs in a new order for each epoch, with negatives drawn evenly."""

    def __init__(
        self, train: sparse.csr_array, settings: Settings, near: Neighbours, seed: int, sift: bool
    ) -> None:
        self.train, self.settings, self.near, self.seed, self.sift = (
            train,
            settings,
            near,
            seed,
            sift,
        )
        self.users, self.items = (part.astype(np.int32) for part in train.nonzero())
        self.beta = edge_weights(train)
        self.steps = -(-train.nnz // settings.batch)
        self._order = functools.lru_cache(maxsize=1)(self._drawn_order)

    def _drawn_order(self, epoch: int) -> np.ndarray:
        return np.random.default_rng([self.seed, epoch]).permutation(len(self.users))

    def __call__(self, index: int) -> _Batch:
        settings, (epoch, step) = self.settings, divmod(index, self.steps)
        size = settings.batch
        picked = self._order(epoch)[step * size : (step + 1) * size]
        there = np.pad(np.ones(len(picked), np.float32), (0, size - len(picked)))
        picked = np.pad(picked, (0, size - len(picked)))
        users, items = self.users[picked], self.items[picked]
        values = settings.plain + settings.weighted * self.beta.of(users, items)
        near = settings.item_weight * self.near.weights[items]
        columns = np.concatenate([items[:, None], self.near.items[items]], 1)
        mean = there * settings.negative_weight / settings.negatives
        generator = np.random.default_rng([self.seed, epoch, step])
        return _Batch(
            users=users,
            rows=np.repeat(np.arange(size, dtype=np.int32), columns.shape[1]),
            columns=columns.astype(np.int32).ravel(),
            values=(there[:, None] * np.column_stack([values, near])).astype(np.float32).ravel(),
            removed=np.zeros(columns.size, np.float32),
            plain=(mean * settings.plain_negative).astype(np.float32),
            weighted=(mean * settings.weighted_negative * self.beta.users[users]).astype(
                np.float32
            ),
            drawn=negatives(
                self.train, users, generator, number=settings.negatives, unknown_only=self.sift
            ),
        )


class _Users:
    """Users in batches that are drawn once, in a new order for each epoch, with all items."""

    def __init__(
        self, made: Factors, block: int, seed: int, sifted: sparse.csr_array | None
    ) -> None:
        num, self.made, self.seed = len(made.plain), made, seed
        self.sifted = sifted is not None
        if sifted is not None:
            # What is left of the items is drawn from evenly.
            many = np.asarray(sifted.sum(1), np.float64)
            scale = sifted.shape[1] / np.maximum(sifted.shape[1] - many, 1)
            self.made = made._replace(plain=made.plain * scale, weighted=made.weighted * scale)
        self.steps = -(-num // block)
        order = np.random.default_rng([seed, 0]).permutation(num).astype(np.int32)
        self.parts = np.array_split(order, self.steps)
        counts = np.diff(made.edges.indptr) + np.diff(made.near.indptr)
        self.rows = len(self.parts[0])
        most = max(int(counts[part].sum()) for part in self.parts)
        # Rounded up, so that sets of almost one size share a compiled program.
        quantum = 1 << max(most.bit_length() - 3, 0)
        self.entries = -(-most // quantum) * quantum
        self._order = functools.lru_cache(maxsize=1)(self._drawn_order)

    def _drawn_order(self, epoch: int) -> np.ndarray:
        return np.random.default_rng([self.seed, 1, epoch]).permutation(self.steps)

    def __call__(self, index: int) -> _Batch:
        epoch, step = divmod(index, self.steps)
        users, made = self.parts[self._order(epoch)[step]], self.made
        parts = [block[users].tocoo() for block in (made.edges, made.near)]
        removed = (np.full(parts[0].nnz, float(self.sifted)), np.zeros(parts[1].nnz))

        def padded(values: np.ndarray, size: int, dtype: type) -> np.ndarray:
            return np.pad(values.astype(dtype), (0, size - len(values)))

        joined = functools.partial(padded, size=self.entries)
        return _Batch(
            users=padded(users, self.rows, np.int32),
            rows=joined(np.concatenate([p.row for p in parts]), dtype=np.int32),
            columns=joined(np.concatenate([p.col for p in parts]), dtype=np.int32),
            values=joined(np.concatenate([p.data for p in parts]), dtype=np.float32),
            removed=joined(np.concatenate(removed), dtype=np.float32),
            plain=padded(made.plain[users], self.rows, np.float32),
            weighted=padded(made.weighted[users], self.rows, np.float32),
            drawn=np.zeros((self.rows, 0), np.int32),
        )


def gradients(
    tables: dict[str, Array], batch: _Batch, of_items: Float[Array, " m"]
) -> tuple[Float[Array, "B d"], Float[Array, "m d"]]:
    """The slope of a batch's loss, without decay, in its rows' embeddings and in all items'."""
    users, items = tables["users"][batch.users], tables["items"]
    scores = users @ items.T
    unseen = batch.plain[:, None] + batch.weighted[:, None] * of_items[None]
    at = unseen[batch.rows, batch.columns] if not batch.drawn.shape[1] else 0.0
    if batch.drawn.shape[1]:
        rows = jnp.arange(len(batch.users))[:, None]
        unseen *= jnp.zeros_like(scores).at[rows, batch.drawn].add(1.0)
    likely = jax.nn.sigmoid(scores[batch.rows, batch.columns])
    pull = (
        (unseen * jax.nn.sigmoid(scores))
        .at[batch.rows, batch.columns]
        .add(-batch.values * (1 - likely) - batch.removed * at * likely)
    )
    return pull @ items, pull.T @ users


def _step(
    state: Any, index: Array, data: tuple[_Batch, Array, Array, Array]
) -> tuple[Any, dict[str, Array]]:
    batch, of_items, rate, decay = data
    tables = state["now"]
    of_rows, on_items = gradients(tables, batch, of_items)
    slopes = {
        "users": (decay * tables["users"]).at[batch.users].add(of_rows),
        "items": decay * tables["items"] + on_items,
    }
    updates, adam = optax.scale_by_adam().update(slopes, state["adam"])
    tables = jax.tree.map(lambda table, update: table - rate * update, tables, updates)
    return {**state, "now": tables, "adam": adam}, {"steepest": abs(on_items).max()}
