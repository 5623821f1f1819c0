"""Distributions over a vocabulary, as their likeliest tokens and what is left: small, and with a known error.

The k largest probabilities of a row are kept as they are, and the mass `tail` of all others as one number;
where a loss is computed, the tail is spread evenly. No probability that was left out exceeds the smallest one
kept, so the loss of the whole row lies in an interval that can be computed from what was kept: greedily, the
tail is put on the tokens with the largest (or smallest) cost, up to the smallest kept probability each.
`loss_bounds` gives that interval. Both ends are attained, so no narrower one follows from what was kept.

What has no probability costs nothing, even where the model holds it for impossible (log Q = -inf): 0 times
infinity is 0 here, as in the limit.
"""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from experiments.data.formats.arrays import members
from experiments.files.storage import write_atomically
from experiments.files.words import shown
from experiments.kits.transformer.experts import fingerprint
from ntkexec.errors import ExperimentError

ROUNDING = 1e-4
"""How far the mass of a stored row may be from 1."""


class TopK(NamedTuple):
    """Rows of a distribution over `V` tokens, in arrays of NumPy or JAX; leading axes are those of the rows.

    Args:
        tokens: the k likeliest, the first the likeliest: (..., k) whole numbers.
        mass: their probabilities, (..., k).
        tail: probability of all others together, (...).
    """

    # NumPy's where they are read and cut, JAX's where they are learned from.
    tokens: Any
    mass: Any
    tail: Any


def top_k(rows: Float[np.ndarray, "... V"], k: int) -> TopK:
    """The k likeliest tokens of every row and the mass of the others.

    Raises:
        ExperimentError: fewer than one token is kept, or all: then nothing is left to be spread.
    """
    size = rows.shape[-1]
    if not 1 <= k < size:
        raise ExperimentError(f"cannot keep {k} of {size} tokens and have others left")
    found = np.argpartition(rows, -k, axis=-1)[..., -k:]
    mass = np.take_along_axis(rows, found, -1)
    order = np.argsort(-mass, axis=-1, kind="stable")
    tokens, mass = (np.take_along_axis(one, order, -1) for one in (found, mass))
    tail = np.clip(1 - mass.astype(np.float64).sum(-1), 0, None)
    # Where no other has any, what the sum lacks is rounding.
    tail = np.where((_without(rows, tokens) > 0).any(-1), tail, 0)
    return TopK(tokens.astype(np.int32), mass, tail.astype(rows.dtype))


def spread(stored: TopK, size: int) -> Float[np.ndarray, "... V"]:
    """Whole rows, the tail spread evenly over the tokens that were not kept."""
    tokens, mass, tail = (np.asarray(one) for one in stored)
    rows = np.repeat((_left(mass, tail) / (size - tokens.shape[-1]))[..., None], size, -1)
    np.put_along_axis(rows, tokens, mass, -1)
    return rows


def _left(mass: Any, tail: Any) -> Any:
    """The tail; none where the smallest kept probability is 0, since no other is larger: that is rounding."""
    return tail * (mass[..., -1] > 0)


def cross_entropies(stored: TopK, told: Float[Array, "... V"]) -> Float[Array, "..."]:
    """-sum_v P(v) log Q(v) of every row, without whole rows of P.

    Args:
        stored: P, with the tail spread evenly; its leading axes may be more than those of `told`.
        told: log Q, of the axes that are left.

    Returns:
        Of every row; infinite where a token that has some probability is impossible for the model.
    """
    size, k = told.shape[-1], stored.tokens.shape[-1]
    tail = _left(stored.mass, stored.tail)
    extra = stored.tokens.ndim - told.ndim
    wide = jnp.broadcast_to(
        jnp.expand_dims(told, range(extra)), (*stored.tokens.shape[:extra], *told.shape)
    )
    kept = jnp.take_along_axis(wide, stored.tokens, -1)
    never, lost = jnp.isneginf(told), jnp.isneginf(kept)
    kept = jnp.where(lost, 0, kept)
    others = jnp.expand_dims(jnp.where(never, 0, told).sum(-1), range(extra)) - kept.sum(-1)
    found: Array = -(stored.mass * kept).sum(-1) - tail * others / (size - k)
    others_lost = jnp.expand_dims(never.sum(-1), range(extra)) > lost.sum(-1)
    endless = (lost & (stored.mass > 0)).any(-1) | (others_lost & (tail > 0))
    return jnp.where(endless, jnp.inf, found)


def loss_bounds(
    stored: TopK, told: Float[np.ndarray, "... V"]
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Between which numbers -sum_v P(v) log Q(v) lies, whatever P was before it was cut.

    Args:
        stored: what is known of P.
        told: log Q, of the same leading axes.

    Returns:
        The lower and the upper end for every row; the loss with the tail spread evenly lies between too.
        An end is infinite where some probability must, or may,
        be on a token that the model holds for impossible.
    """
    tokens, mass, tail = (
        np.asarray(one, kind) for one, kind in zip(stored, (None, float, float), strict=True)
    )
    cost = -np.asarray(told, float)
    known = _spent(mass, np.take_along_axis(cost, tokens, -1))
    others = np.sort(_without(cost, tokens), -1)
    # Each may have the smallest kept probability at most; the tail fills them in the order of cost.
    most, tail = mass[..., -1:], _left(mass, tail)
    filled = np.clip(tail[..., None] - most * np.arange(others.shape[-1]), 0, most)
    # What rounding lets remain is put where something is: elsewhere the cost may be infinite.
    total = filled.sum(-1)
    filled *= np.divide(tail, total, out=np.ones_like(total), where=total > 0)[..., None]
    # Rounding makes no loss infinite that need not be: the lower end stays below.
    rounding = cost.shape[-1] * np.finfo(np.asarray(stored.mass).dtype).eps
    low = known + _spent(filled, others, rounding)
    return low, known + _spent(filled, others[..., ::-1])


def _spent(chances: np.ndarray, cost: np.ndarray, rounding: float = 0.0) -> np.ndarray:
    """Sums of chances times costs; nothing where a cost is infinite and its chance 0, or rounding."""
    void = (chances <= rounding) & np.isposinf(cost)
    return np.multiply(chances, cost, out=np.zeros_like(cost), where=~void).sum(-1)


def _without(rows: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Entries of all other tokens."""
    left = np.ones(rows.shape, bool)
    np.put_along_axis(left, tokens, False, -1)
    return rows[left].reshape(*rows.shape[:-1], rows.shape[-1] - tokens.shape[-1])


class Shard(NamedTuple):
    """What one source expects in some texts.

    Args:
        texts: the target's tokens, (N, T).
        stored: of what follows each token but the last, (N, T - 1) rows.
        loss: the source's own cross-entropy of each text, in nats a token of its own.
    """

    texts: Int[np.ndarray, "N T"]
    stored: TopK
    loss: Float[np.ndarray, "N"]


def write_shards(folder: Path, shard: Shard, *, vocabulary: int, rows: int = 256) -> list[Path]:
    """Stores a source's distributions as `.npz` files of at most `rows` texts each, plain arrays alone.

    They replace those that were written to the folder before. Each tells its number, how many there are, and
    a fingerprint of all together, so that `read_shards` takes no others for parts of them.

    Args:
        folder: of these files alone, which are `shard-00000.npz` and so on.
        shard: all texts of one source.
        vocabulary: tokens that the target knows.
        rows: texts of a file, at most.

    Returns:
        The files, in the order of the texts.

    Raises:
        ExperimentError: there is nothing to store, or the folder takes no files.
    """
    if rows < 1 or not len(shard.texts):
        raise ExperimentError(f"cannot store {len(shard.texts)} texts in files of {rows}")
    shard = _plain(shard)
    starts = range(0, len(shard.texts), rows)
    whole = _named(shard, vocabulary)
    written = []
    for number, start in enumerate(starts):
        part = slice(start, start + rows)
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            allow_pickle=False,
            texts=shard.texts[part],
            tokens=shard.stored.tokens[part],
            mass=shard.stored.mass[part],
            tail=shard.stored.tail[part],
            loss=shard.loss[part],
            vocabulary=np.int64(vocabulary),
            number=np.int64(number),
            shards=np.int64(len(starts)),
            whole=np.array(whole),
        )
        path = folder / f"shard-{number:05d}.npz"
        write_atomically(path, buffer.getvalue())
        written.append(path)
    try:
        for path in folder.iterdir():
            if re.fullmatch(r"shard-\d{5,}\.npz", path.name) and path not in written:
                path.unlink()
    except OSError as error:
        raise ExperimentError(
            f"cannot remove older shards of {shown(folder)}: {error.strerror}"
        ) from error
    return written


def _plain(shard: Shard) -> Shard:
    """As it is stored: NumPy's arrays, tokens of 32 bits."""
    tokens, mass, tail = map(np.asarray, shard.stored)
    stored = TopK(tokens.astype(np.int32), mass, tail)
    return Shard(np.asarray(shard.texts).astype(np.int32), stored, np.asarray(shard.loss))


def _named(shard: Shard, vocabulary: int) -> str:
    return fingerprint((shard, np.int64(vocabulary)))


def read_shards(folder: Path, *, vocabulary: int) -> Shard:
    """All shards of a folder, in the order in which they were written.

    Args:
        folder: with files that end in `.npz`, all of one `write_shards`.
        vocabulary: tokens that the target knows.

    Raises:
        ExperimentError: there are none, or one is damaged, holds pickled objects, distributions over another
            vocabulary, or what is no distribution (names the file); or they were not written together, or
            one is missing.
    """
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise ExperimentError(f"{shown(folder)} has no shards, files that end in .npz")
    read = sorted(zip(_checked(paths, vocabulary), paths, strict=True), key=lambda one: one[0][0])
    whole = _together(folder, {path: place for (place, _), path in read})
    parts = [one for (_, one), _ in read]
    if len(kinds := {(one.texts.shape[1], one.stored.tokens.shape[-1]) for one in parts}) > 1:
        raise ExperimentError(
            f"shards of {shown(folder)} have texts of several lengths, or keep several numbers of tokens: "
            f"{sorted(kinds)}"
        )
    stored = TopK(
        *(np.concatenate(one) for one in zip(*(part.stored for part in parts), strict=True))
    )
    texts, loss = (
        np.concatenate([getattr(one, name) for one in parts]) for name in ("texts", "loss")
    )
    found = Shard(texts, stored, loss)
    if _named(found, vocabulary) != whole:
        raise ExperimentError(
            f"shards of {shown(folder)} are not as they were written; write them anew"
        )
    return found


class _Place(NamedTuple):
    number: int
    shards: int
    whole: str


def _together(folder: Path, places: dict[Path, _Place]) -> str:
    """The fingerprint of all, if they are the parts of one whole."""
    (path, first), *others = places.items()
    for other, place in others:
        if place[1:] != first[1:]:
            raise ExperimentError(
                f"{shown(other)} was not written together with {shown(path)}: one of {place.shards} shards "
                f"there and one of {first.shards} here; a folder holds the shards of one source alone"
            )
    numbers = [place.number for place in places.values()]
    if numbers != list(range(first.shards)):
        raise ExperimentError(
            f"{shown(folder)} has {len(set(numbers))} different shards in {len(numbers)} files, and there "
            f"were {first.shards} written together; write them anew"
        )
    return first.whole


def _place(path: Path, number: np.ndarray, shards: np.ndarray, whole: np.ndarray) -> _Place:
    kinds = [one.dtype.kind for one in (number, shards)]
    if any(one.shape for one in (number, shards, whole)) or [*kinds, whole.dtype.kind] != list(
        "iiU"
    ):
        raise ExperimentError(f"{shown(path)} does not tell which shard it is")
    return _Place(number.item(), shards.item(), whole.item())


def _checked(paths: list[Path], vocabulary: int) -> Iterator[tuple[_Place, Shard]]:
    own = ("number", "shards", "whole")
    for path in paths:
        found = members(path, ("texts", "tokens", "mass", "tail", "loss", "vocabulary", *own))
        texts, tokens, mass, tail, loss = (
            found[name] for name in ("texts", "tokens", "mass", "tail", "loss")
        )
        if found["vocabulary"].shape or found["vocabulary"].item() != vocabulary:
            raise ExperimentError(
                f"{shown(path)} is over {shown(found['vocabulary'])} tokens, and {vocabulary} are needed"
            )
        rows = tokens.shape[:2]
        fits = texts.ndim == 2 and tokens.ndim == 3 and rows == (len(texts), texts.shape[1] - 1)
        if not fits or mass.shape != tokens.shape or tail.shape != rows or loss.shape != rows[:1]:
            raise ExperimentError(
                f"{shown(path)} holds texts {texts.shape}, tokens {tokens.shape}, mass {mass.shape}, tail "
                f"{tail.shape} and loss {loss.shape}, which do not fit together"
            )
        whole = all(one.dtype.kind in "iu" for one in (texts, tokens))
        if not whole or any(one.dtype.kind != "f" for one in (mass, tail, loss)):
            raise ExperimentError(f"{shown(path)} holds numbers of other kinds than shards do")
        if not 1 <= tokens.shape[-1] < vocabulary or not texts.size:
            raise ExperimentError(f"{shown(path)} keeps {tokens.shape[-1]} of {vocabulary} tokens")
        for one in (texts, tokens):
            if one.min() < 0 or one.max() >= vocabulary:
                raise ExperimentError(
                    f"{shown(path)} has tokens beyond the {vocabulary} that there are"
                )
        ordered = np.sort(tokens, -1)
        if (ordered[..., 1:] == ordered[..., :-1]).any():
            raise ExperimentError(f"{shown(path)} keeps a token twice in one row")
        total = mass.astype(float).sum(-1) + tail
        sinks = (mass[..., 1:] <= mass[..., :-1]).all()
        left = (vocabulary - tokens.shape[-1]) * mass[..., -1].astype(float)
        if (
            not (np.isfinite(loss).all() and np.isfinite(total).all() and sinks)
            or min(mass.min(), tail.min()) < 0
            or abs(total - 1).max() > ROUNDING
            or (tail > left + ROUNDING).any()
        ):
            raise ExperimentError(
                f"{shown(path)} holds rows that are no distributions, largest first"
            )
        yield (
            _place(path, *(found[name] for name in own)),
            _plain(Shard(texts, TopK(tokens, mass, tail), loss)),
        )
