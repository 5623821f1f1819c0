"""Small random graphs of operators, and second routes to what operator fusion computes."""

import networkx as nx
from hypothesis import strategies as st

from experiments.systems.op_fusion.graph import Op, OpGraph, Read, Tensor, members

RULES = ("disjoint", "covering", "connected", "ordered", "fitting")


@st.composite
def graphs(draw, most=7, whole=True):
    """Small networks: every operator reads one or two earlier tensors, by windows or as a whole.

    All tensors have equally many rows, so strides are one and kernels keep the height.
    """
    num, rows = draw(st.integers(2, most)), draw(st.integers(1, 6))
    ops = []
    for v in range(num):
        sources = draw(st.sets(st.integers(max(-1, v - 3), v - 1), min_size=1, max_size=2))
        reads = []
        for source in sorted(sources):
            reach = draw(st.integers(0, 2))
            everything = whole and draw(st.integers(0, 9)) == 0
            reads.append(Read(source, 2 * reach + 1, 1, reach, everything))
        width, weights = draw(st.integers(1, 20)), draw(st.integers(0, 60))
        ops.append(Op("op", Tensor(rows, width), tuple(reads), weights, draw(st.integers(1, 4))))
    read = {r.source for op in ops for r in op.reads}
    return OpGraph(
        tuple(ops), (Tensor(rows, 5),), frozenset(v for v in range(num) if v not in read)
    )


def grown(graph, size, generator):
    """A connected group of at most so many operators, grown from a random one."""
    group = 1 << int(generator.integers(len(graph)))
    while group.bit_count() < size:
        near = 0
        for v in members(group):
            near |= graph.neighbours[v]
        choices = list(members(near & ~group))
        if not choices:
            break
        group |= 1 << choices[generator.integers(len(choices))]
    return group


def simulated_windows(graph, group):
    """Most rows of each tensor that are on chip at once when a group is executed by demand.

        The sink asks for its rows in order; whoever is asked for a row first asks its operands for the
        rows of that row's window. A row is dropped when every reader has left it behind.
    The group has one sink.
    """
    ops = list(members(group))
    (sink,) = [v for v in ops if not graph.successors[v] & group]
    made, peak, progress = {}, {}, dict.fromkeys(ops, 0)

    def lowest(t):
        """The first row of a tensor that some reader in the group still needs."""
        wanted = []
        for v in ops:
            for read in (r for r in graph.ops[v].reads if r.source == t):
                finished = progress[v] >= graph.ops[v].output.rows
                row = 0 if read.whole else progress[v] * read.stride - read.padding
                wanted.append(graph.tensor(t).rows if finished else row)
        return max(0, min(wanted))

    def demand(t, row):
        while made.get(t, 0) <= min(row, graph.tensor(t).rows - 1):
            if t >= 0 and group >> t & 1:
                produce(t)
            else:
                made[t] = made.get(t, 0) + 1

    def produce(v):
        row = progress[v]
        for read in graph.ops[v].reads:
            end = graph.tensor(read.source).rows - 1
            last = end if read.whole else row * read.stride - read.padding + read.kernel - 1
            demand(read.source, last)
        for read in graph.ops[v].reads:
            t = read.source
            peak[t] = max(peak.get(t, 0), made.get(t, 0) - min(lowest(t), made.get(t, 0)))
        progress[v] += 1
        made[v] = progress[v]

    for _ in range(graph.ops[sink].output.rows):
        produce(sink)
    return peak


def broken_rules(plan, cost):
    """Which of `RULES` a plan breaks; a second route to `plan.check_plan`."""
    graph = nx.DiGraph(list(cost.graph.edges))
    graph.add_nodes_from(range(len(cost.graph)))
    groups = [frozenset(members(group)) for group in plan]
    union = frozenset().union(*groups)
    whole = frozenset(members(cost.fusable()))
    kept = {
        "disjoint": sum(map(len, groups)) == len(union),
        "covering": union == whole,
        "connected": all(nx.is_weakly_connected(graph.subgraph(group)) for group in groups),
        "fitting": all(cost(group).memory < cost.buffer for group in plan),
    }
    # Operators of no group are executed by themselves.
    owner = {v: group for group in groups for v in group}
    crossing = {(owner.get(u, u), owner.get(v, v)) for u, v in graph.edges}
    between = nx.DiGraph((one, other) for one, other in crossing if one != other)
    kept["ordered"] = nx.is_directed_acyclic_graph(between)
    return [rule for rule in RULES if not kept[rule]]
