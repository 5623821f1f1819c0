"""Breadth-first search in queue order: distance, parent, and place in the order of visits.

The queue of the textbook is nowhere stored: its order is that in which a walk through the search
tree, children by identifier, meets the nodes of a level. A token makes one tour for every level. On
the way it descends only to nodes with descendants on that level. A node that it meets for the first
time takes its place in the order from the count that the token carries, and claims those of its
neighbours that nobody has claimed: they are its children, and the next level. A node that returns
the token tells its parent whether its branch found anything new; one that did not is left out of
later tours. When a whole tour finds nothing, the source floods the flag `done`, one hop a round.

A round takes three steps, in which the token moves along one edge; a first visit takes two rounds
more, for the claim and for the children's reply. Only the holder of the token speaks, so a number
is the union of what is in all slots. As in depth-first search the next holder is called in the
*next holder's* slot.
"""

import functools
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool

from ntkexec.graphs import Graph
from ntkexec.graphs.ports import port_order, port_slots
from ntkexec.language import (
    Builder,
    Choice,
    Flag,
    Word,
    all_of,
    any_of,
    either,
    idioms,
    initial_states,
)
from ntkexec.program import limits
from ntkexec.program.program import Program
from ntkexec.programs import inputs
from ntkexec.programs.instance import Algorithm, Answer, Instance
from ntkexec.programs.reference import bfs_queue as reference
from ntkexec.vocabulary import SUMMARIES

STEPS_PER_ROUND = 3
HALT = "done"


@functools.cache
def program(*, degree: int, slots: int, word: int) -> Program:
    """The program; the flag `HALT` is set at every node of the source's component at the end.

    Args:
        degree: D, most neighbours of a node.
        slots: colours of the two-hop colouring.
        word: bits of the count of visits, which must hold the number of nodes.

    Raises:
        ProgramError: a size below its least, or a program beyond `limits`.
    """
    limits.check_program("bfs-queue", num_literals, degree=degree, slots=slots, word=word)
    p = Builder("bfs-queue", slots=slots, degree=degree)
    ports = p.ports()
    root, reached, visited, done = (p.flag(name) for name in ("root", "reached", "visited", HALT))
    p.halt = done
    parent = p.choice("parent", len(ports), exclusive=True)
    distance, order, count = (p.word(name, word) for name in ("distance", "order", "count"))
    # A child whose branch found something new on the last tour; where the token is still to go on
    # this one; where it is.
    branches = p.table("branch", len(ports), Flag("alive"), Flag("pending"))
    current = p.choice("current", len(ports))
    found = p.flag("found")
    # One round each: the first visit, and waiting for the children.
    claims, waits = p.flag("claims"), p.flag("waits")
    called, newborn, was_alive = (
        p.flag(name, temporary=True) for name in ("called", "newborn", "was_alive")
    )
    moves, returns, again = (p.flag(name, temporary=True) for name in ("moves", "returns", "again"))
    following = p.choice("following", len(ports), temporary=True, exclusive=True)
    inbox = p.message(
        Flag("claim"), Flag("mine"), Flag("alive"), Flag("call"), Word("number", word)
    )

    with p.phase("choose"):
        p.set(visited, when=called)
        p.assign(claims, called & ~visited)
        p.assign(waits, claims)
        for bit, now in zip(order, count, strict=True):
            p.set(bit, when=called & ~visited & now)
        p.assign(count, count + 1, when=waits)
        p.set(moves, when=(called & visited) | waits)
        firsts = idioms.priority(branches.pending)
        with p.when(called & visited):
            p.set(found, when=was_alive)
            p.assign(current, Choice(firsts))
            for branch, here, first in zip(branches, current, firsts, strict=True):
                p.clear(branch.alive, when=here & ~was_alive)
                p.clear(branch.pending, when=first)
        over = (called & visited & all_of(~one for one in branches.pending)) | waits
        p.set(returns, when=over)
        for target, first, up in zip(following, firsts, parent, strict=True):
            p.set(target, when=(called & visited & first) | (over & up))
        # What was heard last: the claim, with the parent's distance.
        p.assign(distance, count + 1, when=newborn)
        p.send(inbox.mine, newborn)
        p.set(done, when=any_of(inbox.claim))
    with p.phase("send"):
        p.send(inbox.claim, claims)
        p.send(inbox.number, either([distance.where(claims), count.where(moves)]))
        p.send(inbox.alive, returns & found & ~root)
        for port, this in enumerate(following):
            for slot in p.slots:
                p.set(inbox[slot].call, when=this & ports[port].slot[slot])
        p.set(again, when=returns & root & found)
        p.set(done, when=returns & root & ~found)
        with p.when(returns & ~waits):
            p.clear(found)
            for branch in branches:
                p.assign(branch.pending, branch.alive)
        with p.when(waits):
            p.set(found, when=any_of(inbox.mine))
            for port, branch in enumerate(branches):
                p.set(branch.alive, when=p.at_port(port, inbox.mine))
    with p.phase("listen"):
        p.set(called, when=any_of(inbox[slot].call & p.colour[slot] for slot in p.slots) | again)
        p.set(was_alive, when=any_of(inbox.alive))
        # A node that keeps the token hears itself, if anyone, and keeps its count.
        p.assign(count, either(inbox.number), when=~(claims | waits | again))
        with p.when(~reached):
            p.set(newborn, when=any_of(inbox.claim))
            p.set(reached, when=any_of(inbox.claim))
            for port, this in enumerate(parent):
                p.set(this, when=p.at_port(port, inbox.claim))
        # Heard in the phase "choose", where nobody claims.
        p.send(inbox.claim, done)
    return p.compile()


def num_literals(*, degree: int, slots: int, word: int) -> int:
    """Conditions and outputs of all templates of `program`, as a formula."""
    ports = max(1, degree)
    counting = ports * (7 * ports + 143) // 2 + word * (11 * word + 71) // 2
    by_place = (3 * ports + 2 * word + 5) * slots.bit_length() * slots
    heard = (11 * ports + 14 * word + 34) * slots
    return 2 * inputs.place_bits(degree, slots) + by_place + heard + counting + 81


def instance(
    graph: Graph, *, sources: Sequence[int], sizes: Mapping[str, int] | None = None
) -> Instance:
    """The search on a graph, or on every graph of a batch at once.

    Args:
        graph: where; undirected.
        sources: indices over the whole batch, at most one in every connected component.
        sizes: sizes of the program, if they are given; by default the least that fit.

    Raises:
        GraphError: no source, an unknown one, two that are connected, or a directed graph.
        ProgramError: the graph or its number of nodes does not fit the given sizes.
    """
    inputs.check_sources(graph, sources)
    inputs.check_undirected("bfs-queue", graph)
    extents = inputs.component_extents("bfs-queue", graph, sources)
    needed = {
        "degree": graph.degree,
        "slots": graph.num_colours,
        "word": inputs.bits_for(int(extents.nodes.max())),
    }
    sizes = inputs.sizes_for(graph, needed, sizes)
    search = program(**sizes)
    is_source = inputs.is_source(graph, sources)
    values = {
        "colour": graph.colours,
        "port.slot": port_slots(graph, max(1, sizes["degree"])),
        "root": is_source,
        "reached": is_source,
        "called": is_source,
        # Where nobody starts there is nothing to wait for.
        HALT: ~extents.sourced,
    }
    return Instance(
        sizes=sizes,
        program=search,
        graph=graph,
        initial=initial_states(search, graph.num_nodes, values),
        num_steps=max(map(max_steps, extents.nodes.tolist(), extents.eccentricities.tolist())),
        inputs={"sources": [graph.names[s] for s in sources]},
        decode=functools.partial(answer, search, graph),
        reference=lambda: inputs.as_columns(
            reference.expected(inputs.index_graph(graph), sources, order=port_order(graph))
        ),
        formats={"parent": lambda node: graph.names[node]},
        colour_by="distance",
        shown_where={"distance": "reached", "order": "visited"},
        until="halt",
    )


def answer(search: Program, graph: Graph, states: Bool[np.ndarray, "n k"]) -> Answer:
    """`distance`, `parent` (an index) and `order`; -1 where a node was not visited, or has none."""
    fields = search.layout.unpack(states, strict=False)
    visited = fields["visited"]
    parent = inputs.parents(graph, fields["parent"])
    return {
        "distance": np.where(visited, fields["distance"], -1),
        "parent": np.where(visited, parent, -1),
        "order": np.where(visited, fields["order"], -1),
    }


def num_rounds(edges: Sequence[int], nodes: Sequence[int]) -> int:
    """Rounds until the source knows that the search is over.

    The tour of a level passes every edge that leads towards the level twice, and spends two more
    rounds at each of its nodes; one is the source's, who begins.

    Args:
        edges: for every level from 1 on, the edges of the search tree between the source and it.
        nodes: for every level from 1 on, its number of nodes.
    """
    return 3 + sum(2 * e + 2 * n + 1 for e, n in zip(edges, nodes, strict=True))


def num_steps(rounds: int, eccentricity: int) -> int:
    """Steps until all know that the search is over, after `num_rounds` rounds at the source."""
    flood = STEPS_PER_ROUND * (eccentricity - 1) + 2 if eccentricity else 0
    return STEPS_PER_ROUND * rounds - 1 + flood


def max_steps(num_nodes: int, eccentricity: int) -> int:
    """Steps that suffice, whatever the tree: no tour has more edges than the tree.

    Args:
        num_nodes: nodes of the source's component.
        eccentricity: the source's largest distance, the number of tours after the first visit.
    """
    rounds = 3 + eccentricity * (2 * (num_nodes - 1) + 1) + 2 * (num_nodes - 1)
    return num_steps(rounds, eccentricity)


prepare = functools.partial(inputs.from_sources, instance)
ALGORITHM = Algorithm(
    name="bfs-queue",
    summary=SUMMARIES["bfs-queue"],
    sizing=functools.partial(inputs.degree_and_word, "bfs-queue"),
    program=program,
    prepare=prepare,
    inputs=("source", "sources"),
    whole_because="its token walks through the search tree from node to node, and counts its moves",
)
