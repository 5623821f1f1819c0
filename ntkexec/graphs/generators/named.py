"""Graphs by name, such as `karate` or `random-regular:n=100,d=3,seed=0`."""

import networkx as nx
import numpy as np

from ntkexec.errors import GraphError, did_you_mean, shown
from ntkexec.graphs.generators import samplers
from ntkexec.graphs.generators.spec import (
    DIRECTED,
    SEED,
    Generator,
    Parameter,
    check_size,
    parse_arguments,
)


def parse(spec: str) -> nx.Graph:
    """The graph that a spec names.

    Besides its own parameters (see `describe`) every generator takes `weights=low..high`, which
    draws an integer "weight" for each edge uniformly, both ends included; `directed=1`, which gives
    each edge one random direction unless the generator has a direction of its own; and `seed`, on
    which all draws depend. The same spec gives the same graph.

    Args:
        spec: `name` or `name:arguments`; arguments stand between commas, as values in order or as
            `key=value`: `grid:8x8`, `lollipop:5,4`, `gnp:n=50,p=0.1,weights=0..3`.

    Returns:
        A networkx graph. Nodes are integers from 0, except in the named data sets.

    Raises:
        GraphError: names the generator or the parameter that is unknown, missing, ill-typed or
            impossible, and what would be valid.
    """
    name, _, text = spec.partition(":")
    if name_of(spec) not in GENERATORS:
        raise GraphError(f"{shown(name)} is not {unknown_name(spec)}")
    generator = GENERATORS[name_of(spec)]
    try:
        values = parse_arguments(generator, text)
        check_size(generator, values)
        graph = generator.build(**{p.name: values[p.name] for p in generator.parameters})
    except GraphError as error:
        raise GraphError(f"graph {shown(spec)}: {error}") from error
    # A stream of its own for each kind of draw, so that weights do not change the graph.
    seed, weights = values["seed"], values["weights"]
    assert isinstance(seed, int)
    if values["directed"] and not graph.is_directed():
        graph = samplers.orient(graph, np.random.default_rng((seed, 1)))
    if isinstance(weights, tuple):
        rng = np.random.default_rng((seed, 2))
        graph = samplers.with_uniform_weights(graph, *weights, rng)
    return graph


def describe() -> list[Generator]:
    """All generators, for a listing: name, help, example, usage."""
    return list(GENERATORS.values())


def name_of(spec: str) -> str:
    """The generator's name in a spec, known or not."""
    return spec.partition(":")[0].strip()


def unknown_name(spec: str) -> str:
    """What to say of a spec after "is not": the known names, and the nearest."""
    return f"a generator ({', '.join(GENERATORS)}){did_you_mean(name_of(spec), GENERATORS)}"


def _kind(directed: int) -> type[nx.Graph]:
    return nx.DiGraph if directed else nx.Graph


def _random_regular(n: int, d: int, seed: int) -> nx.Graph:
    if d >= n:
        raise GraphError(f"d is {d}; a regular graph on n={n} nodes has d of at most {n - 1}")
    if n * d % 2:
        raise GraphError(f"n * d is {n} * {d}, which is odd; a regular graph needs it even")
    if 4 * d > 3 * n:
        # So dense a graph is drawn by what it lacks; pairing ends at random would hardly ever succeed.
        return nx.complement(nx.random_regular_graph(n - 1 - d, n, seed=seed))
    return nx.random_regular_graph(d, n, seed=seed)


def _check_tree_degree(n: int, d: int) -> None:
    least = min(n - 1, 2)
    if d < least:
        raise GraphError(f"d is {d}; to connect n={n} nodes it must be at least {least}")


def _random_bounded(n: int, d: int, seed: int, connected: int) -> nx.Graph:
    if connected:
        _check_tree_degree(n, d)
    rng = np.random.default_rng(seed)
    return samplers.random_bounded(n, min(d, n - 1), rng, connected=bool(connected))


def _tree(n: int, d: int | None, seed: int) -> nx.Graph:
    if d is not None:
        _check_tree_degree(n, d)
    return samplers.random_tree(n, d, np.random.default_rng(seed))


def _gnp(n: int, p: float, seed: int, directed: int) -> nx.Graph:
    return nx.fast_gnp_random_graph(n, p, seed=seed, directed=bool(directed))


def _barabasi_albert(n: int, m: int, seed: int) -> nx.Graph:
    if m >= n:
        raise GraphError(f"m is {m}; a node of n={n} can be joined to {n - 1} others at most")
    return nx.barabasi_albert_graph(n, m, seed=seed)


def _grid(rows: int, columns: int, *, periodic: bool = False) -> nx.Graph:
    grid = nx.grid_2d_graph(rows, columns, periodic=periodic)
    return nx.relabel_nodes(grid, {(r, c): r * columns + c for r, c in grid})


def _hypercube(dimension: int) -> nx.Graph:
    cube = nx.empty_graph(2**dimension)
    cube.add_edges_from((u, u ^ 1 << bit) for u in cube for bit in range(dimension))
    return cube


def _caterpillar(spine: int, legs: int) -> nx.Graph:
    graph = nx.path_graph(spine)
    graph.add_edges_from((i // legs, spine + i) for i in range(spine * legs))
    return graph


def _star(n: int, directed: int) -> nx.Graph:
    # Not star_graph, which refuses directions before networkx 3.6.
    return nx.full_rary_tree(n, n, create_using=_kind(directed))


_N = Parameter("n")
_D = Parameter("d", minimum=0)

GENERATORS: dict[str, Generator] = {
    generator.name: generator
    for generator in (
        Generator(
            "karate", "Zachary's karate club: 34 nodes, weighted", "karate", nx.karate_club_graph
        ),
        Generator(
            "les-miserables",
            "characters of the novel: 77 nodes, weighted",
            "les-miserables",
            nx.les_miserables_graph,
        ),
        Generator(
            "florentine",
            "marriages of 15 Florentine families",
            "florentine",
            nx.florentine_families_graph,
        ),
        Generator(
            "davis",
            "18 southern women and 14 events, bipartite",
            "davis",
            nx.davis_southern_women_graph,
        ),
        Generator("petersen", "the Petersen graph", "petersen", nx.petersen_graph),
        Generator(
            "random-regular",
            "random graph in which every node has d neighbours",
            "random-regular:n=100,d=3,seed=0",
            _random_regular,
            (_N, _D, SEED),
            lambda n, d, seed: n + n * d / 2,
        ),
        Generator(
            "random-bounded",
            "random graph of degree at most d; connected unless connected=0",
            "random-bounded:n=20,d=3,seed=0",
            _random_bounded,
            (_N, _D, SEED, Parameter("connected", kind="flag", required=False, default=1)),
            lambda n, d, seed, connected: n + n * min(d, n) / 2,
        ),
        Generator(
            "gnp",
            "random graph in which each edge is present with probability p",
            "gnp:n=50,p=0.1,seed=0",
            _gnp,
            (_N, Parameter("p", kind="probability"), SEED, DIRECTED),
            lambda n, p, seed, directed: n + n * n * p / (1 if directed else 2),
        ),
        Generator(
            "barabasi-albert",
            "random graph with hubs: every node joins m others, more likely those with more neighbours",
            "barabasi-albert:n=100,m=2,seed=0",
            _barabasi_albert,
            (_N, Parameter("m"), SEED),
            lambda n, m, seed: n + n * m,
        ),
        Generator(
            "tree",
            "random labelled tree, uniform; with d, of degree at most d",
            "tree:n=31,d=3,seed=0",
            _tree,
            (_N, Parameter("d", minimum=0, required=False), SEED),
            lambda n, d, seed: 2 * n,
        ),
        Generator(
            "balanced-tree",
            "rooted tree of height h, r children a node; root 0",
            "balanced-tree:r=2,h=4",
            lambda r, h: nx.balanced_tree(r, h),
            (Parameter("r"), Parameter("h", minimum=0, maximum=1_000_000)),
            lambda r, h: (
                2.0 * sum(r**level for level in range(min(h, 25) + 1)) if r > 1 else 2.0 * h
            ),
        ),
        Generator(
            "grid",
            "grid of rows x columns, numbered row by row",
            "grid:8x8",
            _grid,
            (Parameter("rows"), Parameter("columns")),
            lambda rows, columns: 3 * rows * columns,
        ),
        Generator(
            "torus",
            "grid that wraps round, numbered row by row",
            "torus:8x8",
            lambda rows, columns: _grid(rows, columns, periodic=True),
            (Parameter("rows", minimum=3), Parameter("columns", minimum=3)),
            lambda rows, columns: 3 * rows * columns,
        ),
        Generator(
            "path",
            "path; if directed, ascending",
            "path:10",
            lambda n, directed: nx.path_graph(n, create_using=_kind(directed)),
            (_N, DIRECTED),
            lambda n, directed: 2 * n,
        ),
        Generator(
            "cycle",
            "cycle; if directed, ascending",
            "cycle:10",
            lambda n, directed: nx.cycle_graph(n, create_using=_kind(directed)),
            (Parameter("n", minimum=3), DIRECTED),
            lambda n, directed: 2 * n,
        ),
        Generator(
            "star",
            "centre 0 and n - 1 leaves; if directed, outwards",
            "star:10",
            _star,
            (_N, DIRECTED),
            lambda n, directed: 2 * n,
        ),
        Generator(
            "complete",
            "all pairs of n nodes",
            "complete:5",
            lambda n: nx.complete_graph(n),
            (_N,),
            lambda n: n + n * n / 2,
        ),
        Generator(
            "hypercube",
            "binary words, adjacent if they differ in one bit",
            "hypercube:4",
            _hypercube,
            (Parameter("dimension", minimum=0, maximum=20),),
            lambda dimension: 2**dimension * (1 + dimension / 2),
        ),
        Generator(
            "caterpillar",
            "path 0..spine-1 with leaves on each of its nodes",
            "caterpillar:spine=5,legs=2",
            _caterpillar,
            (Parameter("spine"), Parameter("legs", minimum=0)),
            lambda spine, legs: 2 * spine * (legs + 1),
        ),
        Generator(
            "lollipop",
            "clique with a path attached",
            "lollipop:5,4",
            lambda clique, path: nx.lollipop_graph(clique, path),
            (Parameter("clique", minimum=2), Parameter("path", minimum=0)),
            lambda clique, path: clique + clique**2 / 2 + 2 * path,
        ),
        Generator(
            "barbell",
            "two cliques joined by a path",
            "barbell:4,2",
            lambda clique, path: nx.barbell_graph(clique, path),
            (Parameter("clique", minimum=2), Parameter("path", minimum=0)),
            lambda clique, path: 2 * clique + clique**2 + 2 * path,
        ),
    )
}
