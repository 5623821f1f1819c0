"""Depth-first search on a split graph, in the order of the original one.

To run `dfs` itself on a split graph is wrong: a token that comes back into a tree by another leaf
finds nodes there that it has not visited yet, and goes on from them. Here only original nodes hold
the token, at the roots of their trees, and a tick of the clock has a fixed length.

A *tick* is 2h + 1 hops of two steps, where h is the depth of the deepest tree or more. It begins
with the token at a root. From there the token *falls* through the tree to an outer port, crosses to
another tree, and *rises* to its root: at most h + 1 + h hops, after which it waits for the next
tick. What a node needs to know diffuses all the time:

    told     a visited node tells everybody around it. Who hears it from above is visited too; who
             hears it at an outer port knows that there is nothing new behind the port: it is *gone*.
    empty    a node all of whose ports are gone says so, and the port that leads to it is gone.

A falling token takes the first port that is not gone. If all are, it takes the port at which it
came up when it rose here for the first time, the node's *parent*; the original node is finished.
The port to the node above is none of these: a node knows that neighbour apart, as `above`.

Why the answer is that of the original graph, by induction over ticks. Before tick t, (a) the token
is at the root of the node v that the textbook's search visits or comes back to at time t, and (b) in
the tree of v an outer port is gone just if it leads to a visited node, an inner one just if all
outer ports below it are gone. In the tick only the next holder can become visited, and its leaf
tells the leaf of v after the token has left that; so (b) is true as long as the token falls. Ports
list the neighbours from left to right (`graphs.splitting`), so the first ports that are not gone
lead to the first neighbour that is not visited, which is where the search goes on. If there is none,
each node of the fall is empty, and its parent port leads back by the way on which the token rose
first: to the parent. That is (a) before tick t + 1. A root tells from when the token is there: what
it tells is h hops down its tree, one across and h up another one later at all ports, before the
next tick. So before tick t + 1 the ports of all trees know of whoever was visited at t or before,
but for those of the next holder, who is no neighbour of its own: (b). All nodes count ticks, so the
times are those of the search.

The counter that ends ticks has one bit more than `depth_bits`, and starts at 2^(depth_bits + 1) -
(2h + 1), a constant of the state: so h is data, and one program serves every depth. At the end the
flag `done` is flooded, one hop in two steps.

The holder is heard in its own slot, and calls the next node in the *next node's* slot, as in `dfs`.
"""

import functools
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Int

from ntkexec.graphs import SplitGraph
from ntkexec.graphs.ports import port_order, port_slots
from ntkexec.graphs.splitting import project_parents
from ntkexec.language import Builder, Flag, all_of, any_of, either, idioms, initial_states
from ntkexec.program import limits
from ntkexec.program.fields import Code
from ntkexec.program.program import Program
from ntkexec.programs import inputs, splits
from ntkexec.programs.graph import forests
from ntkexec.programs.instance import Algorithm, Answer, Instance
from ntkexec.programs.reference import dfs as reference
from ntkexec.vocabulary import SUMMARIES

STEPS_PER_HOP = 2
HALT = "done"


@functools.cache
def program(*, degree: int, slots: int, word: int, depth_bits: int) -> Program:
    """The program; the flag `HALT` is set at every node of the source's component at the end.

    Args:
        degree: D, most neighbours of a node of the split graph.
        slots: colours of its two-hop colouring.
        word: bits of a time; a component of up to (2^word - 1) / 2 original nodes can be searched.
        depth_bits: trees up to a depth of 2^depth_bits - 1 are served.

    Raises:
        ProgramError: a size below its least, or a program beyond `limits`.
    """
    sizes = {"degree": degree, "slots": slots, "word": word, "depth_bits": depth_bits}
    limits.check_program("dfs-split", num_literals, **sizes)
    p = Builder("dfs-split", slots=slots, degree=degree)
    num_ports = len(p.ports())
    outer = p.table("kind", num_ports, Flag("outer"), constant=True).outer
    above = p.table("above", 1, Code("slot", slots), constant=True)[0].slot
    # Of the node's tree, and whether the search starts there.
    root, source = p.flag("root", constant=True), p.flag("source", constant=True)
    start = p.word("start", depth_bits + 1, constant=True)
    counter = p.word("counter", depth_bits + 1)
    begin, fall = p.flag("begin", temporary=True), p.flag("fall", temporary=True)
    token, visited, finished = p.flag("token"), p.flag("visited"), p.flag("finished")
    done = p.flag(HALT)
    p.halt = done
    parent = p.choice("parent", num_ports, exclusive=True)
    discovery = p.word("discovery", word)
    # Counts ticks, from 1, until the node finishes.
    finish = p.word("finish", word)
    gone = p.table("neighbour", num_ports, Flag("gone")).gone
    inbox = p.message(Flag("here"), Flag("told"), Flag("empty"))
    # A table of its own: among what all neighbours write it would occupy one slot too many.
    outbox = p.message(Flag("call"), name="outbox")

    with p.phase("choose"):
        p.assign(finish, finish + 1, when=begin & ~finished)
        # A time that is read in the step in which it grows is still that of the tick before.
        for bit, now in zip(discovery, finish, strict=True):
            p.set(bit, when=token & ~visited & now)
        p.set(visited, when=token)
        # Who heard the holder without being called forgets it.
        p.clear(parent, when=~visited & ~token)
        empty = all_of(gone)
        over = token & begin & empty
        p.set(finished, when=over)
        p.set(done, when=(over & source) | any_of(inbox.here))
        p.send(inbox.here, token)
        p.send(inbox.told, visited | token)
        p.send(inbox.empty, empty)
        for port, first in enumerate(idioms.priority([~one for one in gone])):
            p.call(port, outbox.call, when=token & fall & (first | (empty & parent[port])))
        for slot in p.slots:
            p.set(outbox[slot].call, when=token & ~fall & above[slot])
        # Everywhere but at a root the token stays for one hop.
        p.assign(token, token & ~fall & root)
    with p.phase("listen"):
        full = all_of(counter)
        p.assign(counter, either([counter + 1, start.where(full)]))
        p.set(begin, when=full)
        from_above = any_of(here & slot for here, slot in zip(inbox.here, above, strict=True))
        p.set(fall, when=full | from_above)
        p.set(token, when=p.called(outbox.call))
        p.set(visited, when=any_of(told & s for told, s in zip(inbox.told, above, strict=True)))
        for port in range(num_ports):
            p.set(gone[port], when=p.at_port(port, inbox.told) & outer[port])
            p.set(gone[port], when=p.at_port(port, inbox.empty) & ~outer[port])
            p.set(parent[port], when=p.at_port(port, inbox.here) & ~visited)
        # Heard in the phase "choose", where no holder is heard.
        p.send(inbox.here, done)
    return p.compile()


def num_literals(*, degree: int, slots: int, word: int, depth_bits: int) -> int:
    """Conditions and outputs of all templates of `program`, as a formula."""
    ports, counter, code = max(1, degree), depth_bits + 1, slots.bit_length()
    counting = word * (5 * word + 41) // 2 + counter * (3 * counter + 10)
    speaking = (5 * ports + 8) * code * slots + (ports * (3 * ports + 43) // 2 + 28) * slots
    return speaking + counting + 2 * (ports + 2) * code + 17 * ports + 34


def steps_per_tick(depth: int) -> int:
    """2(2h + 1) on trees of depth h; 2 where nothing is split, as in `dfs`."""
    return STEPS_PER_HOP * (2 * depth + 1)


def num_steps(num_nodes: int, depth: int, eccentricity: int) -> int:
    """Steps until all know that the search is over; the last times come 2 * eccentricity earlier.

    Args:
        num_nodes: original nodes of the source's component: the token moves 2 (num_nodes - 1) times.
        depth: of the deepest tree.
        eccentricity: hops that the flag `HALT` travels, from the source's root through the split graph.
    """
    return steps_per_tick(depth) * 2 * (num_nodes - 1) + STEPS_PER_HOP * eccentricity + 1


def instance(
    parts: SplitGraph, *, sources: Sequence[int], sizes: Mapping[str, int] | None = None
) -> Instance:
    """DFS on a split graph, or on every graph of a batch at once.

    Args:
        parts: where; undirected.
        sources: indices of original nodes over the whole batch, at most one in every connected
            component. Nodes of components without a source have no answer, and never set `HALT`.
        sizes: sizes of the program, if they are given; by default the least that fit.

    Raises:
        GraphError: no source, an unknown one, two that are connected, or a directed graph.
        ProgramError: the split graph, its depth or its times do not fit the given sizes.
    """
    graph, executed = parts.original, parts.graph
    inputs.check_sources(graph, sources)
    inputs.check_undirected("dfs-split", graph)
    extents = inputs.component_extents("dfs-split", graph, sources)
    needed = _needed(parts, 2 * int(extents.nodes.max()))
    sizes = inputs.sizes_for(graph, needed, sizes)
    search = program(**sizes)
    starts = parts.roots[list(sources)]
    # Components come in the order of their first nodes, which are roots: as in the original graph.
    hops = inputs.component_extents("dfs-split", executed, starts.tolist()).eccentricities
    return Instance(
        sizes=sizes,
        program=search,
        graph=graph,
        initial=initial_states(search, executed.num_nodes, _values(parts, starts, sizes)),
        num_steps=max(
            num_steps(nodes, parts.depth, eccentricity)
            for nodes, eccentricity in zip(extents.nodes.tolist(), hops.tolist(), strict=True)
        ),
        inputs={"sources": [graph.names[s] for s in sources]},
        decode=functools.partial(answer, search, parts),
        reference=lambda: inputs.as_columns(
            reference.expected(inputs.index_graph(graph), sources, order=port_order(graph))
        ),
        formats={"parent": lambda node: graph.names[node]},
        colour_by="finished",
        shown_where={"discovery": "visited", "finish": "finished"},
        split=parts,
        slowdown=2 * parts.depth + 1,
    )


def forest_instance(parts: SplitGraph, *, sizes: Mapping[str, int] | None = None) -> Instance:
    """DFS of every component of the original graph with one clock; see `dfs.forest_instance`.

    Args:
        parts: where; undirected.
        sizes: sizes of the program, if they are given; by default the least that fit.

    Raises:
        GraphError: a graph without nodes, or a directed one.
        ProgramError: the split graph, its depth or its times do not fit the given sizes.
    """
    graph = parts.original
    inputs.check_undirected("dfs-forest", graph)
    sources, offset = forests.clock(graph)
    times = 2 * int(np.max(graph.tuple.n_node))
    sizes = inputs.sizes_for(graph, _needed(parts, times), sizes)
    return forests.with_one_clock(
        instance(parts, sources=sources, sizes=sizes), offset[parts.owner]
    )


def _needed(parts: SplitGraph, times: int) -> dict[str, int]:
    """The least sizes for a split graph whose largest time is `times`."""
    return {
        "degree": parts.graph.degree,
        "slots": parts.graph.num_colours,
        "word": inputs.bits_for(times),
        "depth_bits": inputs.bits_for(parts.depth),
    }


def _values(
    parts: SplitGraph, starts: Int[np.ndarray, "s"], sizes: Mapping[str, int]
) -> dict[str, object]:
    """The fields before the first step, the roots of the sources being given."""
    num_ports = max(1, sizes["degree"])
    kinds = splits.port_kinds(parts, num_ports)
    slots = port_slots(parts.graph, num_ports)
    # The node above is no neighbour at a port.
    below = np.where(kinds["upper"], -1, slots)
    is_start = np.isin(np.arange(len(parts.owner)), starts)
    first = (1 << sizes["depth_bits"] + 1) - (2 * parts.depth + 1)
    return {
        "colour": parts.graph.colours,
        "port.slot": below,
        "kind.outer": kinds["outer"],
        "above.slot": np.where(kinds["upper"], slots, -1).max(axis=1, keepdims=True),
        "root": splits.is_root(parts),
        "source": is_start,
        "start": first,
        "counter": first,
        "begin": True,
        "fall": True,
        "token": is_start,
        "finish": 1,
        # A free port leads nowhere new.
        "neighbour.gone": below < 0,
    }


def answer(search: Program, parts: SplitGraph, states: Bool[np.ndarray, "N k"]) -> Answer:
    """By original node `parent` (an index), `discovery` and `finish`; -1 where it has none (yet)."""
    fields = search.layout.unpack(states, strict=False)
    discovery = np.where(fields["visited"], fields["discovery"], -1)
    finish = np.where(fields["finished"], fields["finish"], -1)
    return {
        "parent": project_parents(parts, fields["parent"]),
        "discovery": discovery[parts.roots],
        "finish": finish[parts.roots],
    }


on_split = functools.partial(splits.from_sources, instance)
ALGORITHM = Algorithm(
    name="dfs-split",
    summary=SUMMARIES["dfs-split"],
    sizing=functools.partial(splits.degree_word_and_depth, "dfs-split"),
    program=program,
    prepare=functools.partial(splits.split_first, on_split),
    inputs=("source", "sources"),
    own_sizes=splits.OWN_SIZES,
    split=on_split,
)
FOREST = Algorithm(
    name="dfs-forest-split",
    summary=SUMMARIES["dfs-forest-split"],
    sizing=functools.partial(splits.degree_word_and_depth, "dfs-forest-split"),
    program=program,
    prepare=functools.partial(splits.split_first, forest_instance),
    inputs=(),
    own_sizes=splits.OWN_SIZES,
    split=forest_instance,
)
