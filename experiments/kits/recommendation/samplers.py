"""What a method is trained on: triples of a user, an item of the user's, and another item.

The public code has three samplers, which weigh light users differently. All of them draw negatives
uniformly among the items that the user has not.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float32, Int, Int32

from experiments.data.interactions import Table
from ntkexec.errors import ExperimentError

ATTEMPTS = 1000
"""Rounds of drawing negatives anew; a user who has every item would need infinitely many."""


@dataclasses.dataclass(frozen=True)
class Triples:
    """An epoch in batches of one size.

    Args:
        users, positives, negatives: of each triple.
        weights: 1, or 0 of what only fills the last batch up.
    """

    users: Int32[np.ndarray, "steps batch"]
    positives: Int32[np.ndarray, "steps batch"]
    negatives: Int32[np.ndarray, "steps batch"]
    weights: Float32[np.ndarray, "steps batch"]


Sampler = Callable[[Table, np.random.Generator, int], Triples]


def per_interaction(train: Table, generator: np.random.Generator, batch: int) -> Triples:
    """As many triples as interactions, each of a user drawn uniformly, so heavy users weigh little.

    Source: LightGCN-PyTorch, the sampler in Python, used where the one in C++ does not build.
    """
    owners = _owners(train)
    return _batched(train, generator, generator.choice(owners, train.nnz), batch)


def per_user_equal(train: Table, generator: np.random.Generator, batch: int) -> Triples:
    """floor(interactions / users) triples of every user, shuffled; at least one.

    A user without items, for whom the public code divides by zero, is left out.

    Source: LightGCN-PyTorch, sources/sampling.cpp, used where it builds.
    """
    each = max(1, train.nnz // train.shape[0])
    return _batched(train, generator, generator.permutation(np.repeat(_owners(train), each)), batch)


def without_replacement(train: Table, generator: np.random.Generator, batch: int) -> Triples:
    """Whole batches, floor(interactions / batch) + 1 of them, with no user twice in one.

    Where there are fewer users than a batch has triples, they are drawn independently, as there.

    Source: kuandeng/LightGCN (TensorFlow), utility/load_data.py.
    """
    owners, steps = _owners(train), train.nnz // batch + 1
    if batch > len(owners):
        users = generator.choice(owners, (steps, batch))
    else:
        users = np.stack([generator.permutation(owners)[:batch] for _ in range(steps)])
    return _batched(train, generator, users.ravel(), batch)


SAMPLERS: Mapping[str, Sampler] = {
    "per-interaction": per_interaction,
    "per-user-equal": per_user_equal,
    "without-replacement": without_replacement,
}


def sample(how: str, train: Table, generator: np.random.Generator, batch: int) -> Triples:
    """An epoch's triples by the sampler of a name.

    Raises:
        ExperimentError: there is none, or nothing to draw from.
    """
    if how not in SAMPLERS:
        raise ExperimentError(f"{how!r} is none of the samplers {', '.join(SAMPLERS)}")
    if not train.nnz or batch < 1:
        raise ExperimentError(
            f"{train.nnz} interactions cannot be drawn from in batches of {batch}"
        )
    return SAMPLERS[how](train, generator, batch)


def shuffled_pairs(
    train: Table, generator: np.random.Generator
) -> tuple[Int32[np.ndarray, " e"], Int32[np.ndarray, " e"]]:
    """Users and items of all interactions, each once, in a drawn order."""
    users = np.repeat(np.arange(train.shape[0]), np.diff(train.indptr))
    order = generator.permutation(train.nnz)
    return users[order].astype(np.int32), train.indices[order].astype(np.int32)


def negatives(
    train: Table,
    users: Int[np.ndarray, " *b"],
    generator: np.random.Generator,
    *,
    number: int | None = None,
    unknown_only: bool = True,
) -> Int32[np.ndarray, " *b"]:
    """Items drawn uniformly for each user.

    Args:
        train: who has what.
        users: of each row.
        generator: of the draws.
        number: for each user; the result then has an axis of it behind those of `users`. None draws
            one, without that axis.
        unknown_only: draws among the items that the user has not; otherwise among all, as
            UltraGCN's code does by default.

    Raises:
        ExperimentError: a user has every item.
    """
    shape = users.shape if number is None else (*users.shape, number)
    found = generator.integers(train.shape[1], size=shape)
    if unknown_only:
        each = users if number is None else np.broadcast_to(users[..., None], shape)
        keys = _keys(train)
        wrong = np.flatnonzero(_known(keys, each.ravel(), found.ravel(), train.shape[1]))
        for _ in range(ATTEMPTS if len(wrong) else 0):
            found.flat[wrong] = generator.integers(train.shape[1], size=len(wrong))
            again = _known(keys, each.flat[wrong], found.flat[wrong], train.shape[1])
            wrong = wrong[again]
        if len(wrong):
            raise ExperimentError(
                f"no item that the user {each.flat[wrong[0]]} has not was found in {ATTEMPTS} draws"
            )
    return found.astype(np.int32)


def _batched(
    train: Table, generator: np.random.Generator, users: np.ndarray, batch: int
) -> Triples:
    """Each user with a uniform positive and a uniform negative; the last batch filled up."""
    users = users.astype(np.int64)
    degrees = np.diff(train.indptr)
    within = (generator.random(len(users)) * degrees[users]).astype(np.int64)
    positives = train.indices[train.indptr[users] + within]
    fill = -len(users) % batch
    columns = (users, positives, negatives(train, users, generator))
    users, positives, items = (
        np.append(column, column[:1].repeat(fill)).reshape(-1, batch).astype(np.int32)
        for column in columns
    )
    weights = np.append(np.ones(len(columns[0]), np.float32), np.zeros(fill, np.float32))
    return Triples(users, positives, items, weights.reshape(-1, batch))


def _owners(train: Table) -> np.ndarray:
    return np.flatnonzero(np.diff(train.indptr))


def _keys(train: Table) -> np.ndarray:
    users = np.repeat(np.arange(train.shape[0]), np.diff(train.indptr))
    keys: np.ndarray = users * train.shape[1] + train.indices
    return keys


def _known(keys: np.ndarray, users: np.ndarray, items: np.ndarray, num_items: int) -> np.ndarray:
    asked = users.astype(np.int64) * num_items + items
    places = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    found: np.ndarray = keys[places] == asked
    return found
