"""Programs on isolated nodes, run by two routes, and what parts of them cost."""

import itertools

import numpy as np
from support.programs import expected_bits

from ntkexec import executor, pipeline
from ntkexec.graphs.message_passing import graphs_tuple
from ntkexec.language import initial_states
from ntkexec.language.idioms.costs import Cost


def run(program, values, num_steps=None, *, learned=False):
    """The fields after a round, or some steps, by the naive semantics.

    `learned`: by the kernel engine as well; both routes must agree on every bit.
    """
    num_steps = program.round_length if num_steps is None else num_steps
    num_nodes = len(next(iter(values.values())))
    initial = states = initial_states(program, num_nodes, values)
    for _ in range(num_steps):
        states = expected_bits(program, states)
    if learned:
        no_edges = np.zeros(0, np.int32)
        certificate = pipeline.certify(program, num_decisions=10**6)
        assert certificate.certified
        found = executor.execute(
            pipeline.make_engine("kernel", certificate),
            program,
            graphs_tuple(no_edges, no_edges, num_nodes, nodes=initial),
            num_steps=num_steps,
        )
        assert np.array_equal(found.states, states)
        assert certificate.covers(found.verification.largest_matches)
    return program.layout.unpack(states)


def every(*sizes):
    """All tuples with entries below the sizes, one column for each."""
    return np.array(list(itertools.product(*map(range, sizes)))).T


def masks(size):
    """All sets of flags, one a row."""
    return every(*[2] * size).T.astype(bool)


def measured(program, *phases, steps):
    """What the statements of some phases cost: templates that neither keep nor turn the ring."""
    own = [t for t in program.templates if any(t.label.startswith(f"{name} (") for name in phases)]
    named = [t for t in program.templates if any(f"{name} (" in t.label for name in phases)]
    written = sorted({bit for entry in named for bit in entry.outputs})
    # A bit that statements only clear is written by its keep template alone.
    writers = max((int(program.num_writers[bit]) for bit in written), default=1)
    return Cost(len(own), steps, writers)
