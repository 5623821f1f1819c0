"""A training loop: compiled in chunks, told about, stored after every chunk, continued when killed."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from experiments.files.storage import load_tensors, restore_tree, save_tree
from ntkexec.errors import ExperimentError

State = TypeVar("State")
Data = TypeVar("Data")
Metrics = dict[str, jax.Array]
STATE, HISTORY = "state", "history"


def initial(module: nn.Module, key: jax.Array, *inputs: Any, **arguments: Any) -> Any:
    """A Flax module's variables before training; nothing else is computed.

    Not `jit(module.init)`: XLA takes a second for each draw of it on a CPU, draw by draw alike shapes
    are compiled once.

    Args:
        module: initialised with `key` as its `params`.
        inputs: of its call: pytrees of arrays, of which only shapes and types matter.
        arguments: for its call, such as `train=True`.
    """
    shapes = jax.eval_shape(lambda *given: given, *inputs)
    return module.lazy_init(key, *shapes, **arguments)


def train(
    step: Callable[[State, jax.Array, Data], tuple[State, Metrics]],
    state: State,
    num_steps: int,
    *,
    data: Data,
    chunk: int,
    between: Callable[[State, int], State] | None = None,
    report: Callable[[str, int, int], None] = lambda what, done, total: None,
    checkpoint: Path | None = None,
    what: str = "training",
) -> tuple[State, dict[str, np.ndarray]]:
    """The state after `num_steps` steps, and every step's metrics.

    Args:
        step: `(state, index, data) -> (state, metrics)`, pure; `index` counts from 0. Draw batches
            with `jax.random.fold_in(key, index)`, so that a continued training sees the same ones.
            Give the same (or an equal) function again for the next seed, and nothing is compiled
            twice: what differs belongs into `state` and `data`.
        state: a pytree of arrays: parameters, the optimiser's state, keys.
        num_steps: in all.
        data: a pytree of arrays that every step reads; on the device once.
        chunk: steps that are compiled into one loop; progress, `between` and checkpoints come
            after each.
        between: applied before each chunk, with the number of steps done, outside of compiled code.
        report: told what, steps done, steps in all.
        checkpoint: file that is continued from if it exists; it is kept.
        what: said to `report`.

    Returns:
        The final state, and for each metric an array of shape (num_steps, ...).
    """

    def advance(state: State, done: int, stop: int) -> tuple[State, Metrics]:
        return _advance(step, state, jnp.arange(done, stop), data)

    return _loop(advance, state, num_steps, chunk, between, report, checkpoint, what)


def stream(
    step: Callable[[State, jax.Array, Data], tuple[State, Metrics]],
    state: State,
    num_steps: int,
    *,
    batch: Callable[[int], Data],
    chunk: int,
    between: Callable[[State, int], State] | None = None,
    report: Callable[[str, int, int], None] = lambda what, done, total: None,
    checkpoint: Path | None = None,
    what: str = "training",
) -> tuple[State, dict[str, np.ndarray]]:
    """As `train`, for data too large to hold: each step has data of its own, read just before it.

    Args:
        batch: the data of a step, from its index alone, so that a continued training sees the same.
        step, state, num_steps, chunk, between, report, checkpoint, what: as for `train`; steps are
            compiled one by one, and `chunk` says how often the others are called.
    """

    def advance(state: State, done: int, stop: int) -> tuple[State, Metrics]:
        rows: list[Metrics] = []
        for index in range(done, stop):
            state, metrics = _single(step, state, jnp.asarray(index), batch(index))
            rows.append(metrics)
        return state, {name: jnp.stack([row[name] for row in rows]) for name in rows[0]}

    return _loop(advance, state, num_steps, chunk, between, report, checkpoint, what)


def _loop(
    advance: Callable[[State, int, int], tuple[State, Metrics]],
    state: State,
    num_steps: int,
    chunk: int,
    between: Callable[[State, int], State] | None,
    report: Callable[[str, int, int], None],
    checkpoint: Path | None,
    what: str,
) -> tuple[State, dict[str, np.ndarray]]:
    if num_steps < 0 or chunk < 1:
        raise ExperimentError(f"cannot train {num_steps} steps in chunks of {chunk}")
    done = 0
    history: list[dict[str, np.ndarray]] = []
    if checkpoint is not None:
        state, done, history = _resume(checkpoint, state, num_steps)
    while done < num_steps:
        if between is not None:
            state = between(state, done)
        stop = min(done + chunk, num_steps)
        state, metrics = advance(state, done, stop)
        history.append({name: np.asarray(values) for name, values in metrics.items()})
        if _kinds(history[0]) != _kinds(history[-1]):
            raise ExperimentError(f"{checkpoint} holds another history; delete it to start anew")
        done = stop
        if checkpoint is not None:
            _store(checkpoint, state, done, history)
        report(what, done, num_steps)
    return state, _joined(history)


@functools.partial(jax.jit, static_argnums=0)
def _single(step: Any, state: Any, index: jax.Array, data: Any) -> tuple[Any, Metrics]:
    found: tuple[Any, Metrics] = step(state, index, data)
    return found


@functools.partial(jax.jit, static_argnums=0)
def _advance(step: Any, state: Any, indices: jax.Array, data: Any) -> tuple[Any, Metrics]:
    return jax.lax.scan(lambda state, index: step(state, index, data), state, indices)


def _kinds(part: dict[str, np.ndarray]) -> dict[str, Any]:
    return {name: (values.dtype, values.shape[1:]) for name, values in part.items()}


def _joined(history: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    if not history:
        return {}
    return {name: np.concatenate([part[name] for part in history]) for name in history[0]}


def _store(path: Path, state: Any, done: int, history: list[dict[str, np.ndarray]]) -> None:
    save_tree(path, {STATE: state, HISTORY: _joined(history)}, done=str(done))


def _resume(
    path: Path, state: State, num_steps: int
) -> tuple[State, int, list[dict[str, np.ndarray]]]:
    if not path.exists():
        return state, 0, []
    tensors, notes = load_tensors(path)
    history = {
        name.removeprefix(f"{HISTORY}/"): values
        for name, values in tensors.items()
        if name.startswith(f"{HISTORY}/")
    }
    stored = {name: values for name, values in tensors.items() if name not in _keys(history)}
    steps = notes.get("done", "")
    if not (steps.isascii() and steps.isdecimal()) or not 0 < int(steps) <= num_steps:
        raise ExperimentError(
            f"{path} holds {steps or 'no number of'} steps, and {num_steps} are asked for; delete it "
            "to start anew"
        )
    if any(np.shape(v)[:1] != (int(steps),) for v in history.values()):
        raise ExperimentError(f"{path} holds another history; delete it to start anew")
    return restore_tree(stored, {STATE: state}, path)[STATE], int(steps), [history]


def _keys(history: dict[str, np.ndarray]) -> set[str]:
    return {f"{HISTORY}/{name}" for name in history}
