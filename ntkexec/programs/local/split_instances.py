"""LOCAL algorithms on split graphs, ready to run: executed there, and judged on the original graph."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool

from ntkexec.graphs.splitting import SplitGraph
from ntkexec.programs import inputs as common
from ntkexec.programs.instance import Answer, Instance
from ntkexec.programs.local.judging import Asked, Format, Inputs, Reference
from ntkexec.programs.local.split_rounds import SplitCompiled, bits_of_depth, hops_of


def split_instance(
    compiled: SplitCompiled,
    split: SplitGraph,
    *,
    rounds: int,
    inputs: Inputs = None,
    sizes: Mapping[str, int] | None = None,
    described: Mapping[str, object] | None = None,
    reference: Reference | None = None,
    formats: Mapping[str, Format] | None = None,
) -> Instance:
    """A LOCAL algorithm, compiled for split graphs, on one of them.

    Args:
        compiled: the algorithm and its program.
        split: the graph and its trees; undirected.
        rounds: T, of the algorithm on the original graph.
        inputs: of every original node.
        sizes: sizes by name, for reports; by default those of `compile_split`.
        described: what was asked, in words, for reports.
        reference: see `Family`; it is asked about the original graph.
        formats: see `Family`.

    Raises:
        GraphError: a directed graph.
        ProgramError: the split graph has too large a degree, too many colours or too deep trees, or
            there are no rounds.
    """
    asked = Asked(compiled.algorithm, split.original, rounds, inputs, reference, formats or {})
    graph = split.graph
    needed = {"degree": graph.degree, "slots": graph.num_colours}
    needed["depth_bits"] = bits_of_depth(split)
    given = {
        "degree": compiled.degree,
        "slots": compiled.slots,
        "depth_bits": compiled.depth_bits,
    }
    common.sizes_for(graph, needed, given)

    def decode(states: Bool[np.ndarray, "N k"]) -> Answer:
        roots = states[split.roots]
        return asked.answer(lambda index: compiled.decode(roots[index : index + 1])[0])

    return Instance(
        sizes=sizes or given,
        program=compiled.program,
        graph=split.original,
        initial=compiled.initial(split, asked.nodes),
        num_steps=compiled.num_steps(rounds, split),
        inputs=described or {},
        decode=decode,
        reference=asked.expected,
        formats=asked.shown(),
        split=split,
        slowdown=hops_of(split),
        slowdown_in="hops",
    )
