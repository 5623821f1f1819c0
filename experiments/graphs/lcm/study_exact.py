"""What is measured exactly: laws of operators, three folds that agree, levels and work counted."""

import functools
from typing import Any, TypedDict

import jax
import jax.numpy as jnp
import numpy as np

from experiments.graphs.lcm.folds import prefix_fold, sequential_fold, tree_fold
from experiments.graphs.lcm.laws import apart
from experiments.graphs.lcm.monoids import BinaryMonoid, GRUWeights, gru, gru_monoid, lifted
from experiments.graphs.lcm.study_config import LcmConfig
from experiments.harness.study import Trial
from experiments.kits.initialisation import initial_by_numpy
from ntkexec.runtime.precision import float64

ORACLES = ("min2", "flow")


class LawsResult(TypedDict):
    """Largest deviations.

    Args:
        commutativity: of the symmetrised GRU, in float32 and float64, absolute.
        one_way: the same of the GRU by itself.
        oracles: of the oracles' laws and of their three folds, relative, by name.
        learned: the same of an untrained GRU's folds: what has no associativity.
    """

    commutativity: dict[str, float]
    one_way: float
    oracles: dict[str, float]
    learned: dict[str, float]


def drawn_weights(generator: np.random.Generator, width: int) -> GRUWeights:
    """Of a GRU, normal with variance 1 / width, biases included."""
    shapes = [(width, 3 * width), (3 * width,)] * 2
    drawn: Any = [generator.normal(0, width**-0.5, shape) for shape in shapes]
    return GRUWeights(*drawn)


def kept_laws(config: LcmConfig, trial: Trial) -> LawsResult:
    """Commutativity to the bit, and sets of 1 to 33 rows under random orders, folded in three ways."""
    generator, width = trial.generator, config.width
    weights = drawn_weights(generator, width)
    x, y = generator.normal(size=(2, config.pairs, width))
    commutativity, one_way = {}, 0.0
    for name, kind in (("float32", np.float32), ("float64", np.float64)):
        with float64():
            cast = jax.tree.map(lambda leaf, kind=kind: leaf.astype(kind), (weights, x, y))
            ways, alone = jax.device_get(jax.jit(_both_ways)(*cast))
        commutativity[name] = float(abs(ways[0] - ways[1]).max())
        one_way = float(abs(alone[0] - alone[1]).max())
    flow = BinaryMonoid(8, "flow")
    rows = np.zeros((1, 8), np.float32)
    params = jax.tree.map(
        lambda leaf: leaf.astype(np.float64), initial_by_numpy(flow, generator, rows, rows)
    )
    with float64():
        found = jax.device_get(
            _agreement(params, drawn_weights(generator, 8), *_sets(generator, config.orders))
        )
    worst = {name: float(np.max(value)) for name, value in found.items()}
    return {
        "commutativity": commutativity,
        "one_way": one_way,
        "oracles": {k: v for k, v in worst.items() if k.startswith(ORACLES)},
        "learned": {k: v for k, v in worst.items() if k.startswith("gru")},
    }


def _both_ways(weights: GRUWeights, x: Any, y: Any) -> Any:
    return (
        (gru_monoid(weights, x, y), gru_monoid(weights, y, x)),
        (gru(weights, x, y), gru(weights, y, x)),
    )


def _sets(generator: np.random.Generator, orders: int, most: int = 33) -> tuple[Any, Any]:
    """Sets of 1 to 33 rows of width 4, in several orders and places: (33 orders, 33, 4) and a mask."""
    rows, masks = [], []
    for size in range(1, most + 1):
        values = generator.normal(size=(size, 4))
        for _ in range(orders):
            places = np.sort(generator.choice(most, size, replace=False))
            row, mask = generator.normal(size=(most, 4)), np.zeros(most, bool)
            row[places], mask[places] = generator.permutation(values), True
            rows.append(row)
            masks.append(mask)
    return np.stack(rows), np.stack(masks)


@jax.jit
def _agreement(params: Any, weights: GRUWeights, rows: Any, mask: Any) -> dict[str, Any]:
    """Of each operator how far folds, orders and brackets lie apart; each set's rows are width 4."""
    monoids: dict[str, Any] = {kind: BinaryMonoid(8, kind) for kind in ORACLES}
    operators: dict[str, Any] = {
        "min2": functools.partial(monoids["min2"].apply, {}),
        "flow": functools.partial(monoids["flow"].apply, params),
        "gru": functools.partial(gru_monoid, weights),
    }
    doubled = jnp.concatenate([rows, rows[..., ::-1]], -1)
    found = {}
    for name, operator in operators.items():
        x = lifted(rows) if name == "min2" else doubled
        neutral = jnp.zeros(8)
        if name != "gru":
            neutral = monoids[name].apply(params if name == "flow" else {}, method="identity")
        tree = tree_fold(operator, x, mask, identity=neutral)
        one_by_one = sequential_fold(operator, x, mask, begin=neutral)
        prefixes = prefix_fold(operator, x, mask, identity=neutral)
        a, b, c = x[:, 0], x[:, 1], x[:, 2]
        # Sets of one size are the same rows in other orders.
        groups = tree.reshape(33, -1, 8)
        found[f"{name}, tree and one by one"] = apart(tree, one_by_one)
        found[f"{name}, tree and prefixes"] = apart(tree, prefixes)
        found[f"{name}, orders"] = apart(groups, jnp.broadcast_to(groups[:, :1], groups.shape))
        found[f"{name}, brackets"] = apart(operator(operator(a, b), c), operator(a, operator(b, c)))
        if name != "gru":
            found[f"{name}, identity"] = apart(operator(a, jnp.broadcast_to(neutral, a.shape)), a)
    return found


class CountsResult(TypedDict):
    """Of how many set sizes from 1 on all that was counted is as stated.

    Args:
        sizes: how many there are.
        tree: ceil(log2 n) levels, n - 1 applications, and products of 2 (n - 1) GRU evaluations.
        sequential: the same asked of the recurrent fold, which needs n steps.
        recurrent: n steps, one after another, and products of n GRU evaluations.
        per_set: GRU evaluations of the tree and of the recurrence for the largest size.
    """

    sizes: int
    tree: int
    sequential: int
    recurrent: int
    per_set: list[int]


def counts(config: LcmConfig, trial: Trial) -> CountsResult:
    """Read off what JAX traces, so of what is computed."""
    width = 2
    shapes = [jax.ShapeDtypeStruct(s, np.float32) for s in ((width, 3 * width), (3 * width,)) * 2]
    weights, unit = GRUWeights(*shapes), 6 * width**2  # type: ignore[arg-type] # of shapes
    tree, sequential, recurrent, per_set = 0, 0, 0, [0, 0]
    for n in range(1, config.largest + 1):
        rows = jax.ShapeDtypeStruct((n, width), np.float32)
        called: list[int] = []

        def operator(
            weights: GRUWeights, x: jax.Array, y: jax.Array, called: list[int] = called
        ) -> jax.Array:
            called.append(x.shape[0])
            return gru_monoid(weights, x, y)

        products, _ = traced_work(
            lambda w, x, f=operator: tree_fold(functools.partial(f, w), x), weights, rows
        )
        stated = (int(np.ceil(np.log2(n))), n - 1, 2 * (n - 1) * unit)
        tree += (len(called), sum(called), products) == stated
        once, steps = traced_work(
            lambda w, x: sequential_fold(functools.partial(gru, w), x), weights, rows
        )
        sequential += (steps, steps, once) == stated
        recurrent += (steps, once) == (n, n * unit)
        per_set = [products // unit, once // unit]
    return {
        "sizes": config.largest, "tree": tree, "sequential": sequential, "recurrent": recurrent,
        "per_set": per_set,
    }  # fmt: skip


def traced_work(function: Any, *shapes: Any) -> tuple[int, int]:
    """Multiplications in all matrix products that a function does, and steps of all its loops.

    Loops count as often as they run. Nothing is executed.
    """
    return _work(jax.make_jaxpr(function)(*shapes).jaxpr)


def _work(jaxpr: Any) -> tuple[int, int]:
    products, steps = 0, 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            ((over, _), _) = equation.params["dimension_numbers"]
            inner = [equation.invars[0].aval.shape[axis] for axis in over]
            products += int(np.prod(inner)) * equation.outvars[0].aval.size
        times = 1
        if equation.primitive.name == "scan":
            times = equation.params["length"]
            steps += times
        for value in equation.params.values():
            inside = getattr(value, "jaxpr", value)
            if hasattr(inside, "eqns"):
                within = _work(inside)
                products, steps = products + times * within[0], steps + times * within[1]
    return products, steps
