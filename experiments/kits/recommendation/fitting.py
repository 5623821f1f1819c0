"""Training of anything that ends in vectors of users and items, by BPR, picked on a validation part."""

import dataclasses
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float32, Float64

from experiments.data.interactions import Interactions
from experiments.files.storage import load_tensors, restore_tree, save_tree
from experiments.kits.recommendation import losses
from experiments.kits.recommendation.evaluation import Ranking, dot_scores, evaluate
from experiments.kits.recommendation.models import as_arrays, score
from experiments.kits.recommendation.samplers import Triples, sample
from ntkexec.errors import ExperimentError

Report = Callable[[str, int, int], None]
TABLE = "embedding"
"""The parameter whose rows are penalised: users first, then items, before anything is propagated."""


@dataclasses.dataclass(frozen=True)
class Fitted:
    """What a training came to.

    Args:
        users, items: vectors of the epoch with the best validation recall.
        params: of that epoch.
        epoch: which that was, from 1; 0 is the beginning.
        curve: validation recall after every `every` epochs.
        epochs: trained in all.
        seconds: that they took, of the wall's clock, over all runs that continued each other.
    """

    users: Float32[np.ndarray, "n d"]
    items: Float32[np.ndarray, "m d"]
    params: Any
    epoch: int
    curve: Float64[np.ndarray, " c"]
    epochs: int
    seconds: float

    def judged(self, interactions: Interactions, *, k: int = 20) -> Ranking:
        """Metrics on a set's test part; `train` of the set that was held out of, both are left out."""
        return evaluate(dot_scores(self.users, self.items), interactions, k=k)


def fit(
    model: nn.Module,
    operands: tuple[Any, ...],
    interactions: Interactions,
    params: Any,
    *,
    seed: int,
    epochs: int,
    every: int = 10,
    batch: int = 2048,
    rate: float = 1e-3,
    decay: float = 1e-4,
    sampler: str = "per-interaction",
    k: int = 20,
    seconds: float | None = None,
    checkpoint: Path | None = None,
    report: Report = lambda what, done, total: None,
) -> Fitted:
    """Adam on mean BPR plus `decay` / 2 times the mean squared length of the triples' own embeddings.

    Args:
        model: `model.apply({"params": params}, *operands)` are vectors of users and of items; its
            table of embeddings is called `embedding`.
        operands: a pytree of arrays, such as the graph; data of the compiled program.
        interactions: `train` is trained on and `test` validated on: see `holdout`.
        params: to begin with; of NumPy or JAX, and left as they are.
        seed: of the triples, which depend on it and the epoch alone, so that methods can be compared on
            the same ones.
        epochs: at most; a multiple of `every` or not.
        every: epochs that are compiled into one loop, after which validation recall is measured.
        batch, sampler: triples of a step, and who draws them; an epoch is the sampler's.
        rate, decay: of Adam and of the penalty.
        k: of validation recall.
        seconds: of training after which no further epochs begin; results then depend on the machine.
        checkpoint: file that is continued from if it is there, and written after every `every` epochs.
        report: told what, epochs done, epochs in all.

    Raises:
        ExperimentError: numbers that do not fit, or a checkpoint of another training.
    """
    if epochs < 1 or every < 1 or not rate > 0 or not decay >= 0:
        raise ExperimentError(f"cannot train {epochs} epochs by {every} with {rate=} and {decay=}")
    optimiser = adam(rate)
    # Copies, since every loop takes the memory of what it is given.
    begun = jax.tree.map(np.array, params)
    state = {"params": begun, "moments": optimiser.init(begun), "best": begun}
    told = f"{every=} {batch=} {rate=} {decay=} {sampler=} {seed=} {k=} {interactions.train.nnz=}"
    done, spent, chosen = 0, 0.0, 0
    curve: list[float] = []
    if checkpoint is not None and checkpoint.exists():
        state, done, spent, curve, chosen = _resumed(checkpoint, state, told)
    operands = jax.device_put(operands)
    while done < epochs and (seconds is None or spent < seconds):
        start = time.perf_counter()
        stop = min(done + every, epochs)
        rows = _epochs(interactions, sampler, batch, seed, range(done, stop))
        state["params"], state["moments"] = advance(
            model, optimiser, interactions.num_users, state["params"], state["moments"],
            jnp.float32(decay), operands, rows,
        )  # fmt: skip
        vectors = as_arrays(_vectors(model, state["params"], operands))
        done = stop
        curve.append(evaluate(dot_scores(*vectors), interactions, k=k).recall)
        if curve[-1] >= max(curve):
            # A copy, since the next loop takes the parameters' memory.
            state["best"], chosen = jax.tree.map(np.array, state["params"]), done
        spent += time.perf_counter() - start
        if checkpoint is not None:
            notes = {"told": told, "done": str(done), "spent": repr(spent), "chosen": str(chosen)}
            save_tree(checkpoint, {"state": state, "curve": np.array(curve)}, **notes)
        report("epochs", done, epochs)
    users, items = as_arrays(_vectors(model, state["best"], operands))
    return Fitted(users, items, state["best"], chosen, np.array(curve), done, spent)


def loss(
    model: nn.Module,
    params: Any,
    decay: Any,
    operands: tuple[Any, ...],
    num_users: int,
    triples: Triples,
) -> Array:
    """What `fit` minimises, of one batch.

    Source: He et al., arXiv:2002.02126, equation 15, with the means and the half of the public code.
    """
    vectors: Any = model.apply({"params": params}, *operands)
    users, positives, negatives, weights = map(
        jnp.asarray, (triples.users, triples.positives, triples.negatives, triples.weights)
    )
    found = losses.bpr(score(vectors, users, positives), score(vectors, users, negatives), weights)
    table = params[TABLE]
    rows = (table[users], table[num_users + positives], table[num_users + negatives])
    return found + decay * losses.squared_norms(*rows, weights=weights)


jax.tree_util.register_dataclass(
    Triples, data_fields=("users", "positives", "negatives", "weights"), meta_fields=()
)


@functools.cache
def adam(rate: float) -> optax.GradientTransformation:
    """The same object for one rate, so that it names one compiled program."""
    return optax.adam(rate)


@functools.partial(jax.jit, static_argnums=(0, 1, 2), donate_argnums=(3, 4))
def advance(
    model: nn.Module, optimiser: optax.GradientTransformation, num_users: int, params: Any, moments: Any,
    decay: Array, operands: Any, triples: Triples,
) -> tuple[Any, Any]:  # fmt: skip
    """Parameters and moments after a step for each batch, in a loop that is compiled once.

    Args:
        model, num_users, operands: as for `fit`.
        optimiser: `adam(rate)`.
        params, moments: to begin with; their memory is taken.
        decay: of the penalty.
        triples: (steps, batch) each.
    """

    def step(state: Any, rows: Triples) -> tuple[Any, None]:
        params, moments = state
        slope = jax.grad(lambda p: loss(model, p, decay, operands, num_users, rows))(params)
        updates, moments = optimiser.update(slope, moments, params)
        return (optax.apply_updates(params, updates), moments), None

    state, _ = jax.lax.scan(step, (params, moments), triples)
    found: tuple[Any, Any] = state
    return found


@functools.partial(jax.jit, static_argnums=0)
def _vectors(model: nn.Module, params: Any, operands: Any) -> Any:
    return model.apply({"params": params}, *operands)


def _epochs(
    interactions: Interactions, sampler: str, batch: int, seed: int, epochs: range
) -> Triples:
    """Batches of some epochs behind each other."""
    drawn = [
        sample(sampler, interactions.train, np.random.default_rng([seed, epoch]), batch)
        for epoch in epochs
    ]
    return jax.tree.map(lambda *rows: np.concatenate(rows), *drawn)


def _resumed(path: Path, state: Any, told: str) -> tuple[Any, int, float, list[float], int]:
    tensors, notes = load_tensors(path)
    if notes.get("told") != told:
        raise ExperimentError(f"{path} holds another training; delete it to start anew")
    curve = tensors.pop("curve", np.zeros(0)).tolist()
    restored = restore_tree(tensors, {"state": state}, path)["state"]
    return restored, int(notes["done"]), float(notes["spent"]), curve, int(notes["chosen"])
