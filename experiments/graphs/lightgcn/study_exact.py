"""What is exact, in double precision, and what a step costs beside SciPy's."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.data.interactions import Interactions, Table, table_of
from experiments.graphs.lightgcn.model import Bipartite, LightGCN, bipartite, propagate
from experiments.graphs.lightgcn.study_config import LightConfig
from experiments.graphs.lightgcn.weights import (
    appnp_weights,
    binomial_weights,
    joined,
    similar_users,
    uniform_weights,
)
from experiments.harness.study import Trial
from experiments.harness.timing import time_ratio
from experiments.kits.recommendation import fitting
from experiments.kits.recommendation.models import first_embedding
from experiments.kits.recommendation.samplers import Triples, sample

DECAY = 1e-4


def algebra(config: LightConfig, trial: Trial) -> dict[str, dict[str, float]]:
    """Relative deviations of LightGCN with other weights from other methods, and of its two-hop filter."""
    generator, layers, teleport = trial.generator, 4, 0.2
    train = _drawn(generator, 30, 40)
    start = generator.normal(size=(70, 8))
    normalised, identity = joined(train).toarray(), np.eye(70)
    plain = (normalised > 0).astype(float)
    mixed = start
    for _ in range(layers):
        mixed = teleport * start + (1 - teleport) * normalised @ mixed
    second, blocks = normalised @ normalised, np.s_[:30, :30]
    regular, degree = _regular(20, 5), 5
    share = degree / (degree + 1)
    chain = np.array([share**k * (1 - share) ** (layers - k) for k in range(layers + 1)])
    begun = generator.normal(size=(40, 8))
    power = np.linalg.matrix_power
    weights = appnp_weights(layers, teleport=teleport)
    kept = {
        "sgcn": _off(
            _combined(plain, start, binomial_weights(layers)),
            power(plain + identity, layers) @ start,
        ),
        "sgcn-regular": _off(
            _combined(joined(regular).toarray(), begun, binomial_weights(layers) * chain),
            power(_with_loops(joined(regular).toarray()), layers) @ begun,
        ),
        "appnp": _off(_combined(normalised, start, weights), mixed),
        "appnp-sum": abs(float(weights.sum()) - 1),
        "second-order": _off(similar_users(train).toarray(), second[blocks]),
        "second-order-items": float(abs(second[:30, 30:]).max()),
    }
    # The best weights, by least squares over all entries, for an SGCN that normalises its self-loops.
    powers = np.stack([(power(normalised, k) @ start).ravel() for k in range(layers + 1)], axis=1)
    wanted = (power(_with_loops(normalised), layers) @ start).ravel()
    best = powers @ np.linalg.lstsq(powers, wanted, rcond=None)[0]
    without = table_counts(train)
    broken = {
        "sgcn": _off(best, wanted),
        "appnp": _off(_combined(normalised, start, uniform_weights(layers)), mixed),
        "second-order": _off(without, second[blocks]),
    }
    return {"kept": kept, "broken": broken}


def table_counts(train: Table) -> np.ndarray:
    """Common items over the root of degrees: the two-hop filter without the items' popularity."""
    degrees = np.sqrt(np.asarray(train.sum(axis=1), float))
    counts: np.ndarray = (train @ train.T).toarray() / np.outer(degrees, degrees)
    return counts


def preconditioner(config: LightConfig, trial: Trial) -> dict[str, float]:
    """How far BPR's gradient in E_0 is from P times matrix factorisation's at E = P E_0, and without P."""
    generator, layers = trial.generator, 3
    train = _drawn(generator, 30, 40)
    rows = sample("per-interaction", train, generator, 64)
    triples = Triples(rows.users[0], rows.positives[0], rows.negatives[0], rows.weights[0])
    start = generator.normal(size=(70, 8))
    operator, weights = joined(train), uniform_weights(layers)
    smoothed = _combined(operator, start, weights)
    with jax.enable_x64(True):
        graph = bipartite(train, dtype=np.float64)
        slopes = [
            np.asarray(_slope(LightGCN(30, 40, 8, depth), jnp.asarray(at), operands, triples))
            for depth, at, operands in ((layers, start, (graph,)), (0, smoothed, (None,)))
        ]
    return {
        "deviation": _off(_combined(operator, slopes[1], weights), slopes[0]),
        "without": _off(slopes[1], slopes[0]),
    }


def speed(config: LightConfig, trial: Trial) -> dict[str, Any]:
    """Time of Adam's steps in JAX over that of the same steps in SciPy, in turns, and how far they differ."""
    data: Interactions = trial.load(config.timed)
    generator, train = trial.generator, data.train
    users, items = train.shape
    begun = first_embedding(generator, users, items, 64)
    rows = sample(config.sampler, train, generator, 2048)
    parts = (rows.users, rows.positives, rows.negatives, rows.weights)
    triples = Triples(*(part[: config.timed_steps] for part in parts))
    model, adam = LightGCN(users, items), fitting.adam(1e-3)
    graph = jax.device_put(bipartite(train))
    moments = jax.device_put(adam.init({"embedding": begun}))

    def in_jax() -> jax.Array:
        params = {"embedding": jnp.array(begun)}
        fresh = jax.tree.map(jnp.array, moments)
        advanced = fitting.advance(
            model, adam, users, params, fresh, jnp.float32(DECAY), (graph,), triples
        )
        found: jax.Array = advanced[0]["embedding"]
        return found

    tables = joined(train).astype(np.float32)

    def in_scipy() -> np.ndarray:
        return scipy_steps(tables, begun, triples, users, rate=1e-3)

    moved = np.asarray(in_jax()) - begun
    difference = abs(begun + moved - in_scipy()).max() / abs(moved).max()
    ratio = time_ratio(in_jax, in_scipy, repeats=config.timings, generator=generator)
    vectors = (jnp.asarray(begun[:users]), jnp.asarray(begun[users:]))
    scattered = time_ratio(
        lambda: _scattered(_edges(train), *vectors),
        lambda: tables @ begun,
        repeats=2,
        generator=generator,
    )
    product = time_ratio(
        lambda: _hop(graph, *vectors), lambda: tables @ begun, repeats=3, generator=generator
    )
    return {
        "ratio": ratio.value, "interval": [ratio.low, ratio.high], "difference": float(difference),
        "product": product.value, "scattered_product": scattered.value,
    }  # fmt: skip


def scipy_steps(
    operator: Any, embedding: np.ndarray, triples: Triples, num_users: int, *, rate: float,
    layers: int = 3,
) -> np.ndarray:  # fmt: skip
    """Steps of Adam on LightGCN's loss, written plainly with SciPy's product and NumPy.

    Args:
        operator: of all users and items, symmetric CSR of float32.
        embedding: to begin with, float32; a copy is trained.
        triples: of each step.
        num_users: rows before items'.
        rate: of Adam, whose other numbers are the usual ones.
        layers: of the model.
    """
    table, first, second = embedding.copy(), np.zeros_like(embedding), np.zeros_like(embedding)
    columns = (triples.users, triples.positives, triples.negatives, triples.weights)
    for step, (users, positives, negatives, weights) in enumerate(zip(*columns, strict=True), 1):
        final = _combined(operator, table, np.full(layers + 1, np.float32(1 / (layers + 1))))
        positives, negatives = num_users + positives, num_users + negatives
        share = weights / weights.sum()
        apart = final[negatives] - final[positives]
        above = share / (1 + np.exp(-(final[users] * apart).sum(1)))
        slope = np.zeros_like(table)
        np.add.at(slope, users, above[:, None] * apart)
        np.add.at(slope, positives, -above[:, None] * final[users])
        np.add.at(slope, negatives, above[:, None] * final[users])
        slope = _combined(operator, slope, np.full(layers + 1, np.float32(1 / (layers + 1))))
        for each in (users, positives, negatives):
            np.add.at(slope, each, np.float32(DECAY) * share[:, None] * table[each])
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        root = np.sqrt(second / (1 - 0.999**step)) + 1e-8
        table = table - rate * (first / (1 - 0.9**step)) / root
    return table.astype(np.float32)


def _combined(operator: Any, start: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """sum_k weights_k operator^k start."""
    hop, found = start, weights[0] * start
    for weight in weights[1:]:
        hop = operator @ hop
        found = found + weight * hop
    return found


def _slope(model: LightGCN, at: Any, operands: Any, triples: Triples) -> Any:
    def value(table: Any) -> Any:
        return fitting.loss(model, {"embedding": table}, 0.0, operands, model.num_users, triples)

    return jax.jit(jax.grad(value))(at)


@jax.jit
def _hop(graph: Bipartite, users: jax.Array, items: jax.Array) -> Any:
    return propagate(graph, users, items)


@jax.jit
def _scattered(edges: tuple[jax.Array, ...], users: jax.Array, items: jax.Array) -> Any:
    """The same hop as a gather and a sum by segments, edges sorted by user."""
    rows, columns, weights = edges
    add = jax.ops.segment_sum
    return (
        add(weights[:, None] * items[columns], rows, len(users), indices_are_sorted=True),
        add(weights[:, None] * users[rows], columns, len(items)),
    )


def _edges(train: Table) -> tuple[jax.Array, ...]:
    coo = train.tocoo()
    return tuple(jnp.asarray(part) for part in (*coo.coords, coo.data))


def _with_loops(normalised: np.ndarray) -> np.ndarray:
    """(D + I)^-1/2 (A + I) (D + I)^-1/2 of the unweighted graph."""
    linked = (normalised > 0) + np.eye(len(normalised))
    scale = np.sqrt(linked.sum(1))
    made: np.ndarray = linked / np.outer(scale, scale)
    return made


def _drawn(generator: np.random.Generator, users: int, items: int) -> Table:
    """A random set in which everybody has something, and nobody everything."""
    there = generator.random((users, items)) < generator.uniform(0.05, 0.4, (users, 1))
    there[np.arange(users), np.arange(users)] = True
    there[0, users:] = True
    rows, columns = np.nonzero(there)
    return table_of(rows, columns, (users, items))


def _regular(size: int, degree: int) -> Table:
    """As many users as items, each with as many neighbours: a circulant."""
    users = np.repeat(np.arange(size), degree)
    return table_of(users, (users + np.tile(np.arange(degree), size)) % size, (size, size))


def _off(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
