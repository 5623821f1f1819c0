"""For people who test their own programs: hypothesis strategies, and one assertion.

Needs hypothesis, which `ntkexec[test]` brings.

    from hypothesis import given
    from ntkexec import graphs, testing

    @given(testing.bounded_graphs(max_degree=3))
    def test_my_program(graph):
        testing.assert_exact(my_instance(graphs.from_networkx(graph)))
"""

from typing import Any

import networkx as nx
import numpy as np

from ntkexec import executor
from ntkexec.certifying import certify_instance
from ntkexec.engines import find_engine
from ntkexec.ensemble.sizing import Ensembling, networks_for
from ntkexec.errors import MissingExtraError
from ntkexec.executor import Execution
from ntkexec.program.fields import Code, Flag, Leaf, OneHot, Table, Word
from ntkexec.program.layout import Layout
from ntkexec.program.program import Program
from ntkexec.program.templates import template
from ntkexec.programs import Instance
from ntkexec.vocabulary import EngineName, Kind

try:
    from hypothesis import strategies as st
except ImportError as error:  # pragma: no cover
    raise MissingExtraError("ntkexec.testing needs hypothesis: install ntkexec[test]") from error

DELTA = 1e-3
"""Probability of a wrong bit that `assert_exact` lets a trained ensemble have."""


@st.composite
def bounded_graphs(
    draw: st.DrawFn,
    *,
    min_nodes: int = 1,
    max_nodes: int = 10,
    max_degree: int = 4,
    directed: bool = False,
    connected: bool = False,
) -> nx.Graph:
    """Graphs on 0..n-1 in which no node has more than `max_degree` neighbours.

    They shrink towards few nodes and few edges.

    Args:
        min_nodes: at least 1.
        max_nodes: at most so many nodes.
        max_degree: bound on neighbours, in either direction; at least 2 if connected.
        directed: whether edges have a direction.
        connected: whether there is a way between any two nodes, directions aside.
    """
    num_nodes = draw(st.integers(min_nodes, max_nodes))
    graph: nx.Graph = nx.DiGraph() if directed else nx.Graph()
    graph.add_nodes_from(range(num_nodes))

    def join(u: int, v: int) -> None:
        pairs = [(u, v), (v, u)]
        if u != v and all(len({*nx.all_neighbors(graph, x), y}) <= max_degree for x, y in pairs):
            graph.add_edge(u, v)

    if connected:
        for node in range(1, num_nodes):
            # The last node but one always has room, so the tree never gets stuck.
            open_nodes = [u for u in range(node) if graph.degree(u) < max_degree]
            join(draw(st.sampled_from(open_nodes[::-1])), node)
    ends = st.integers(0, num_nodes - 1)
    for u, v in draw(st.lists(st.tuples(ends, ends), max_size=2 * num_nodes)):
        join(u, v)
    return graph


@st.composite
def weighted_graphs(
    draw: st.DrawFn, *, low: int = 0, high: int = 9, attribute: str = "weight", **graph: Any
) -> nx.Graph:
    """Graphs of `bounded_graphs` with whole weights from `low` to `high` at their edges."""
    found = draw(bounded_graphs(**graph))
    for _, _, data in found.edges(data=True):
        data[attribute] = draw(st.integers(low, high))
    return found


def _leaves(name: str, max_bits: int) -> st.SearchStrategy[Leaf]:
    bits = st.integers(1, min(4, max_bits))
    return st.one_of(
        st.just(Flag(name)),
        st.builds(Word, st.just(name), bits, st.booleans()),
        st.builds(OneHot, st.just(name), bits),
        # Of these sizes every pattern of bits is a value.
        st.builds(Code, st.just(name), bits.map(lambda b: 2**b - 1)),
    )


@st.composite
def _tables(draw: st.DrawFn, name: str, max_bits: int) -> Table:
    slots = draw(st.integers(1, min(3, max_bits)))
    left, fields = max_bits // slots, list[Leaf]()
    for index in range(draw(st.integers(1, 2))):
        if left:
            fields.append(draw(_leaves(f"part{index}", left)))
            left -= fields[-1].num_bits
    return Table(name, slots, tuple(fields), draw(st.none() | st.integers(1, slots)))


@st.composite
def layouts(draw: st.DrawFn, max_bits: int = 10) -> Layout:
    """Layouts of 1 to `max_bits` bits in which every kind of field occurs."""
    left, fields = draw(st.integers(1, max_bits)), list[Leaf | Table]()
    while left and len(fields) < 5:
        kind = draw(st.sampled_from((_leaves, _tables)))
        fields.append(draw(kind(f"field{len(fields)}", left)))
        left -= fields[-1].num_bits
    cut = draw(st.integers(0, len(fields)))
    return Layout(tuple(fields[:cut]), tuple(fields[cut:]))


@st.composite
def small_programs(
    draw: st.DrawFn,
    max_bits: int = 10,
    min_templates: int = 1,
    max_templates: int = 8,
    max_condition: int = 3,
    max_written: int = 10,
) -> Program:
    """Programs of at most `max_bits` bits, of which the templates write the first `max_written`.

    Args:
        max_bits: of the layout.
        min_templates: drawn at least; equal conditions are joined.
        max_templates: at most.
        max_condition: bits in a condition.
        max_written: how many bits may be written.
    """
    layout = draw(layouts(max_bits))
    bits = st.integers(0, layout.num_bits - 1)
    written = st.integers(0, min(layout.num_bits, max_written) - 1)
    conditions = st.dictionaries(bits, st.booleans(), max_size=max_condition)
    entries = draw(
        st.lists(
            st.tuples(conditions, st.sets(written, min_size=1, max_size=2)),
            min_size=min_templates,
            max_size=max_templates,
        )
    )
    outputs: dict[tuple[tuple[int, bool], ...], set[int]] = {}
    for condition, then in entries:
        ones = (bit for bit, value in condition.items() if value)
        if layout.invariants.broken_by(ones) is None:
            outputs.setdefault(tuple(sorted(condition.items())), set()).update(then)
    templates = [template(when, then, f"t{i}") for i, (when, then) in enumerate(outputs.items())]
    if not templates:
        templates = [template({}, [0], "always")]
    return Program("random", layout, tuple(templates), draw(st.integers(1, 3)))


def assert_exact(
    instance: Instance, *, engine: EngineName = "kernel", kind: Kind = "factored", seed: int = 0
) -> Execution:
    """Executes an instance with a learned update, and compares every node with the reference.

    Args:
        instance: a program on a graph or a batch, with its reference.
        engine: one that needs networks trains them, as the certificate asks for.
        kind: of the learning problem.
        seed: of the initial weights.

    Returns:
        The execution, verified step by step.

    Raises:
        AssertionError: a wrong answer, naming the first node and field; a wrong bit in any step; two
            messages that met; or more matches than the certificate covers.
        CertificateError: the program is not certified.
    """
    chosen = find_engine(engine)
    certificate = certify_instance(instance, kind=kind, delta=DELTA)
    certificate.require()
    networks = None
    if chosen.trained:
        networks = networks_for(
            certificate, Ensembling(seed=seed), delta=DELTA, num_decisions=instance.num_decisions
        )
    update = chosen.make(certificate, networks)
    found = instance.execute(update)
    checked = found.verification
    assert checked is not None
    assert checked.largest_matches is not None
    if not checked.exact:
        raise AssertionError(str(executor.diagnose(update, instance.program, checked)))
    if found.collisions:
        raise AssertionError(
            f"messages met at {found.collisions} receptions; is the colouring right?"
        )
    if not certificate.covers(checked.largest_matches):
        raise AssertionError(f"more matches than the certificate covers: {certificate.bound.basis}")
    answer, expected = instance.decode(found.states), instance.reference()
    for field, values in expected.items():
        wrong = np.flatnonzero(answer[field] != values)
        if len(wrong):
            node = int(wrong[0])
            raise AssertionError(
                f"{field} of node {instance.graph.names[node]!r} is {answer[field][node]}, the reference "
                f"says {values[node]}; {len(wrong)} of {instance.graph.num_nodes} nodes are wrong"
            )
    return found
