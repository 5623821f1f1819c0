"""Breadth-first search on a split graph: edges of a tree have length 0, those between trees length 1.

Every original node learns its distance from the source, and its parent: the neighbour on the previous
level at the first of its ports, with the smallest identifier unless they are in another order.

A level has three stages. In the stage *outer*, of two steps, the nodes of freshly reached trees call
through their outer edges; in *up*, of h times two steps, calls climb to the roots; in *down*, as
long, every root that was called makes its tree fresh, hop by hop. Two steps are a *send* and a
*listen*. The counter that ends the stages starts at 2^depth_bits - h, a constant of the state: so h,
the depth of the deepest tree or more, is data, and one program serves every depth.

All calls of a level arrive in one step, whatever the depth of the trees, and have climbed to the
roots before any node of a tree that they reach is fresh; when the nodes choose, in the next stage
*outer*, each knows all of its ports below which there was a call of this level. Each takes the first
such port. From the root the choices go down to the leaf of the first neighbour that called, since the
ports list the neighbours from left to right (`graphs.splitting`).
"""

import functools
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool

from ntkexec.graphs import SplitGraph
from ntkexec.graphs.ports import port_order, port_slots
from ntkexec.graphs.splitting import project_parents
from ntkexec.language import Builder, Choice, Flag, all_of, any_of, idioms, initial_states
from ntkexec.program import limits
from ntkexec.program.program import Program
from ntkexec.programs import inputs, splits
from ntkexec.programs.instance import Algorithm, Answer, Instance
from ntkexec.programs.reference import bfs as reference
from ntkexec.vocabulary import SUMMARIES

# To send, and to listen.
STEPS_PER_HOP = 2


@functools.cache
def program(*, degree: int, slots: int, word: int, depth_bits: int) -> Program:
    """The program.

    Args:
        degree: D, most neighbours of a node of the split graph.
        slots: colours of its two-hop colouring.
        word: bits of a distance; distances up to 2^word - 1 can be counted.
        depth_bits: of the counter; trees up to a depth of 2^depth_bits - 1 are served.

    Raises:
        ProgramError: a size below its least, or a program beyond `limits`.
    """
    sizes = {"degree": degree, "slots": slots, "word": word, "depth_bits": depth_bits}
    limits.check_program("bfs-split", num_literals, **sizes)
    num_ports = max(1, degree)
    p = Builder("bfs-split", slots=slots, degree=degree)
    kinds = p.table("kind", num_ports, Flag("outer"), Flag("upper"), constant=True)
    root = p.flag("root", constant=True)
    start = p.word("start", depth_bits, constant=True)
    counter = p.word("counter", depth_bits)
    stage = p.choice("stage", 3, exclusive=True)
    outer, up, down = stage
    reached, fresh = p.flag("reached"), p.flag("fresh")
    parent = p.choice("parent", num_ports, exclusive=True)
    distance = p.word("distance", word)
    calls = p.table("calls", num_ports, Flag("made")).made
    inbox = p.message(Flag("call"))

    with p.phase("send"), p.when(~reached):
        p.assign(distance, distance + 1, when=outer)
        p.set(reached, when=outer & fresh)
        for port, first in enumerate(idioms.priority(calls)):
            p.set(parent[port], when=outer & fresh & first)
            p.clear(calls[port], when=outer)
        called = any_of(calls)
        p.send(inbox.call, (outer & fresh) | (up & called) | (down & (fresh | (root & called))))
        p.set(fresh, when=down & root & called)
    with p.phase("listen"):
        for port, (kind, call) in enumerate(zip(kinds, calls, strict=True)):
            heard = p.at_port(port, inbox.call)
            below = ~kind.outer & ~kind.upper
            p.set(call, when=heard & ((outer & kind.outer) | (up & below)))
            p.set(fresh, when=heard & down & kind.upper)
        last = all_of(counter)
        to_outer, to_up, to_down = down & last, outer | (up & ~last), (up & last) | (down & ~last)
        p.assign(stage, Choice((to_outer, to_up, to_down)))
        p.assign(counter, counter + 1, when=(up | down) & ~last)
        p.assign(counter, start, when=outer | last)
    return p.compile()


def num_literals(*, degree: int, slots: int, word: int, depth_bits: int) -> int:
    """Conditions and outputs of all templates of `program`, as a formula."""
    ports = max(1, degree)
    heard = ((5 * ports + 2) * slots.bit_length() + 27 * ports + 10) * slots
    counting = (word * (5 * word + 27) + depth_bits * (15 * depth_bits + 47)) // 2
    return 2 * inputs.place_bits(degree, slots) + heard + ports * (ports + 57) // 2 + counting + 24


def steps_per_level(depth: int) -> int:
    """2(2h + 1) on trees of depth h, at least 1; see `splits.served_depth`."""
    return STEPS_PER_HOP * (2 * depth + 1)


def num_steps(rounds: int, depth: int) -> int:
    """Steps until a node at a distance of `rounds` is reached, the source in the first step."""
    return steps_per_level(depth) * rounds + 1


def instance(
    parts: SplitGraph, *, sources: Sequence[int], sizes: Mapping[str, int] | None = None
) -> Instance:
    """BFS on a split graph, or on every graph of a batch at once.

    Args:
        parts: where.
        sources: indices of the sources, original nodes, over the whole batch.
        sizes: sizes of the program, if they are given; by default the least that fit.

    Raises:
        GraphError: no source, or an unknown one.
        ProgramError: the split graph, its depth or its distances do not fit the given sizes.
    """
    graph, executed = parts.original, parts.graph
    inputs.check_sources(graph, sources)
    rounds = inputs.rounds_needed(graph, sources)
    depth = splits.served_depth(parts)
    needed = {
        "degree": executed.degree,
        "slots": executed.num_colours,
        "word": inputs.bits_for(rounds),
        "depth_bits": inputs.bits_for(depth),
    }
    sizes = inputs.sizes_for(graph, needed, sizes)
    bfs = program(**sizes)
    num_ports = max(1, sizes["degree"])
    values = {
        "colour": executed.colours,
        "port.slot": port_slots(executed, num_ports),
        **{f"kind.{name}": kind for name, kind in splits.port_kinds(parts, num_ports).items()},
        "root": splits.is_root(parts),
        "start": (1 << sizes["depth_bits"]) - depth,
        "stage": 0,
        "fresh": np.isin(parts.owner, sources),
        # One less than 0: the first level counts as well.
        "distance": (1 << sizes["word"]) - 1,
    }
    return Instance(
        sizes=sizes,
        program=bfs,
        graph=graph,
        initial=initial_states(bfs, executed.num_nodes, values),
        num_steps=num_steps(rounds, depth),
        inputs={"sources": [graph.names[s] for s in sources]},
        decode=functools.partial(answer, bfs, parts),
        reference=lambda: inputs.as_columns(
            reference.expected(inputs.index_graph(graph), sources, order=port_order(graph))
        ),
        formats={"parent": lambda node: graph.names[node]},
        colour_by="distance",
        shown_where={"distance": "reached"},
        split=parts,
        slowdown=2 * depth + 1,
    )


def answer(bfs: Program, parts: SplitGraph, states: Bool[np.ndarray, "N k"]) -> Answer:
    """By original node `distance` and `parent` (an index); -1 where it was not reached, or has none."""
    fields = bfs.layout.unpack(states, strict=False)
    distance = np.where(fields["reached"], fields["distance"], -1)
    return {"distance": distance[parts.roots], "parent": project_parents(parts, fields["parent"])}


sizes = functools.partial(splits.degree_word_and_depth, "bfs-split")
on_split = functools.partial(splits.from_sources, instance)
ALGORITHM = Algorithm(
    name="bfs-split",
    summary=SUMMARIES["bfs-split"],
    sizing=sizes,
    program=program,
    prepare=functools.partial(splits.split_first, on_split),
    inputs=("source", "sources"),
    own_sizes=splits.OWN_SIZES,
    split=on_split,
)
