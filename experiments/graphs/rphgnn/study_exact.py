"""What is measured exactly: the two-step walk, the squash's algebra and moments, reach, counts."""

import itertools
from typing import Any, TypedDict

import numpy as np

from experiments.data.typed import Relation, TypedGraph
from experiments.graphs.rphgnn.collecting import Scheme, Walks, collect, iterate, without_own
from experiments.graphs.rphgnn.squashing import named, random_squash, sparse_projection
from experiments.graphs.rphgnn.study_config import RphgnnConfig
from experiments.harness.study import Trial
from experiments.kits.typed.operators import metapaths

Deviations = dict[str, dict[str, float]]
"""Of each identity: "kept", and "broken" with a premise taken out."""


def drawn(
    generator: np.random.Generator, sizes: dict[str, int], relations: dict[Relation, int]
) -> TypedGraph:
    """A typed graph of blindly drawn links, so many of each relation, without features."""
    links = {}
    for (source, name, target), number in relations.items():
        cells = sizes[source] * sizes[target]
        keys = np.sort(generator.choice(cells, number, replace=False))
        links[source, name, target] = np.stack(np.divmod(keys, sizes[target]), 1)
    first = next(iter(sizes))
    return TypedGraph("drawn", sizes, links, {}, first, np.arange(sizes[first]) % 2)


def walk(config: RphgnnConfig, trial: Trial) -> Deviations:
    """Both steps of a relation as one matrix, and what is left of it without its diagonal."""
    cites, wrote = ("p", "cites", "p"), ("p", "pa", "a")
    graph = drawn(trial.generator, {"p": 40, "a": 25}, {cites: 90, wrote: 70})
    kept: dict[str, float] = {}
    broken: dict[str, float] = {}
    found = (
        ("links", kept, Walks(graph, np.float64), wrote),
        ("citations", kept, Walks(graph, np.float64, returns=True), cites),
        ("citations", broken, Walks(graph, np.float64), cites),
    )
    x = trial.generator.random((40, 3))
    for name, into, walks, relation in found:
        forth = walks.operators[relation]
        both = (walks.operators[walks.back[relation]] @ forth).toarray()
        speaks = both.sum(1) > 0
        degrees = np.bincount(graph.relations[relation][:, 0], minlength=40)
        flow = degrees[:, None] * both
        values = np.linalg.eigvals(both)
        below, above = -values.real.min(), values.real.max() - 1
        into[f"{name}: reversible"] = float(np.abs(flow - flow.T).max() / flow.max())
        into[f"{name}: spectrum"] = float(max(np.abs(values.imag).max(), below, above, 0))
        others = both - np.diag(np.diag(both))
        sums = others.sum(1, keepdims=True)
        free = np.where(sums > 1e-9, others @ x / np.where(sums > 1e-9, sums, 1), 1 / 3)
        # The public code takes the q of steps that return, also where they do not.
        share = np.asarray(forth.multiply(_returning(graph, relation).T).sum(0)).reshape(-1)
        corrected = without_own(both @ x, x, share)
        apart = np.abs(corrected - free)[speaks & (sums[:, 0] > 1e-9)]
        into[f"{name}: own share"] = float(apart.max())
        if into is kept:
            into[f"{name}: rows"] = float(np.abs(both.sum(1) - 1)[speaks].max())
    return {"kept": kept, "broken": broken}


def _returning(graph: TypedGraph, relation: Relation) -> Any:
    """The operator that leads back along a relation."""
    walks = Walks(graph, np.float64, returns=True)
    return walks.operators[walks.back[relation]]


def projection(config: RphgnnConfig, trial: Trial) -> Deviations:
    """A squash against one product; moments of a sparse column by all its values, weighed."""
    generator, width = trial.generator, 16
    parts = {name: generator.normal(size=(20, 3 + i)) for i, name in enumerate("abc")}
    seed = int(np.random.default_rng(trial.seed).integers(2**32))
    stacked = [sparse_projection(named(seed, name), 3 + i, width) for i, name in enumerate("abc")]
    wanted = np.concatenate(list(parts.values()), 1) @ np.concatenate(stacked)
    results: Deviations = {"kept": {}, "broken": {}}
    for which, normalise in (("kept", False), ("broken", True)):
        draws = np.random.default_rng(trial.seed)
        one = random_squash(parts, width, generator=draws, normalise=normalise)
        results[which]["one projection"] = float(np.abs(one - wanted).max() / np.abs(wanted).max())
    x, y = generator.normal(size=(2, 6))
    signs = np.array(list(itertools.product((-1, 0, 1), repeat=6)))
    for sparsity in (1.0, 2.0, 3.0, 10.0):
        weights = np.where(signs == 0, 1 - 1 / sparsity, 0.5 / sparsity).prod(1)
        products = sparsity * (signs @ x) * (signs @ y)
        mean = weights @ products
        variance = weights @ np.square(products - mean)
        gaussian = (x @ x) * (y @ y) + (x @ y) ** 2
        theory = gaussian + (sparsity - 3) * np.square(x * y).sum()
        kept, name = results["kept"], f"s = {sparsity:g}"
        kept[f"mean, {name}"] = float(abs(mean - x @ y) / np.sqrt(variance))
        kept[f"variance, {name}"] = float(abs(variance / theory - 1))
        if sparsity != 3:
            results["broken"][f"variance, {name}"] = float(abs(variance / gaussian - 1))
    return results


class ReachResult(TypedDict):
    """Differences in what is reached with one relation; exceptions from the bracket; pairs at K = 2."""

    one_relation: int
    exceptions: int
    pairs: list[int]
    missing: float


def reach(config: RphgnnConfig, trial: Trial) -> ReachResult:
    """Which nodes' features arrive at which target: even-odd after K iterations, odd after K and 2K."""
    generator = trial.generator
    one = drawn(generator, {"a": 30, "b": 25}, {("a", "ab", "b"): 45})
    chain = drawn(
        generator, {"a": 30, "b": 25, "c": 20}, {("a", "ab", "b"): 40, ("b", "bc", "c"): 30}
    )
    differences = exceptions = 0
    pairs = [0, 0, 0]
    for iterations in (1, 2, 3):
        differences += int(
            (_reached(one, iterations, "all") != _reached(one, 2 * iterations, "odd")).sum()
        )
        near = _reached(chain, iterations, "odd")
        both = _reached(chain, iterations, "all")
        far = _reached(chain, 2 * iterations, "odd")
        exceptions += int((near & ~both).sum() + (both & ~far).sum())
        if iterations == 2:
            pairs = [int(found.sum()) for found in (near, both, far)]
    missing = 1 - pairs[1] / pairs[2]
    return {
        "one_relation": differences, "exceptions": exceptions, "pairs": pairs, "missing": missing,
    }  # fmt: skip


def _reached(graph: TypedGraph, iterations: int, scheme: Scheme) -> np.ndarray:
    """(targets, all nodes): what features of each node alone leave behind; they do not cancel."""
    starts = np.cumsum([0, *graph.num_nodes.values()])
    columns = np.eye(starts[-1])
    inputs = {
        kind: columns[start : start + number]
        for (kind, number), start in zip(graph.num_nodes.items(), starts, strict=False)
    }
    steps = iterate(
        graph, Walks(graph, np.float64), inputs, generator=np.random.default_rng(0), squash="sum",
        scheme=scheme,
    )  # fmt: skip
    heard = itertools.islice(steps, iterations)
    return np.any([part > 0 for one in heard for part in one.heard[graph.target].values()], axis=0)


class CountsResult(TypedDict):
    """Iterations times relations of several collections, and products of operators in each.

    On a chain of four types: slices stored after four iterations, and paths of up to eight hops.
    """

    sizes: list[int]
    products: list[int]
    slices: int
    paths: int


def counts(config: RphgnnConfig, trial: Trial) -> CountsResult:
    """Work and storage as they grow with iterations and relations."""
    sizes, products = [], []

    def chain(pairs: int) -> TypedGraph:
        kinds = [f"t{i}" for i in range(pairs + 1)]
        ends = itertools.pairwise(kinds)
        return drawn(
            trial.generator, dict.fromkeys(kinds, 6), {(a, f"{a}{b}", b): 9 for a, b in ends}
        )

    for pairs, iterations in itertools.product((1, 2, 4, 8), (1, 2, 4, 8)):
        graph = chain(pairs)
        made = collect(graph, iterations, generator=trial.generator, width=4)
        sizes.append(iterations * 2 * pairs)
        products.append(made.products)
    graph = chain(3)
    groups = collect(graph, 4, generator=trial.generator, width=4, use_input=False).groups
    relations = Walks(graph).operators
    paths = sum(len(metapaths(relations, graph.target, hops)) for hops in range(1, 9))
    return {
        "sizes": sizes,
        "products": products,
        "slices": sum(group.shape[1] for group in groups.values()),
        "paths": paths,
    }
