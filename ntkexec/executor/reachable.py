"""The bound on matches that holds on given executions: measured by running the program itself."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from ntkexec.executor import exchange_bits
from ntkexec.executor.encoding import Encoding, encode, encoding
from ntkexec.executor.protocol import count_of_bits
from ntkexec.graphs.message_passing import GraphsTuple
from ntkexec.program.problem import LearningProblem
from ntkexec.runtime import compilation
from ntkexec.theory.match_bound import NEVER, MatchBound


def measured_bound(
    problem: LearningProblem, graphs: GraphsTuple, *, num_steps: int, label: str
) -> MatchBound:
    """The numbers of matches that occur when the program runs on given graphs.

    Since a correct execution visits exactly these states, a certificate on this basis is complete
    for these graphs and initial states, and says nothing of others.

    Args:
        problem: templates divided among networks.
        graphs: the graphs; `nodes` are the initial states, (n, k).
        num_steps: steps of the execution.
        label: what to call the graphs in the bound's basis.
    """
    (largest, fewest, zeros), _, _ = compilation.call(
        _measure,
        encoding(problem),
        graphs._replace(nodes=jnp.asarray(graphs.nodes, bool)),
        jnp.asarray(num_steps, jnp.int32),
        num_counts=problem.max_matches + 1,
        num_computation_bits=problem.program.layout.num_computation_bits,
    )
    # A component that is never matched still gets the threshold of a single match.
    return MatchBound(
        np.maximum(np.asarray(largest), 1),
        np.asarray(fewest),
        np.asarray(zeros),
        f"measured on {label}, {num_steps} steps",
    )


def _measure(
    arrays: Encoding,
    graphs: GraphsTuple,
    num_steps: Int[Array, ""],
    *,
    num_counts: int,
    num_computation_bits: int,
) -> tuple[Int[Array, "c"], Int[Array, "k m"], Bool[Array, "k m"]]:
    num_bits = arrays.num_writers.shape[0]

    def step(_: Array, carry: tuple[Array, Array, Array, Array]) -> tuple[Array, ...]:
        states, largest, fewest, zeros = carry
        matches = encode(arrays, states)
        active = matches.active.astype(jnp.int32)
        place = (jnp.arange(num_bits)[:, None], count_of_bits(arrays, matches))
        fewest = fewest.at[place].min(jnp.where(active > 0, active, NEVER))
        zeros = zeros.at[place].max(active == 0)
        largest = jnp.maximum(largest, matches.count.max(axis=1).astype(jnp.int32))
        after, _ = exchange_bits(graphs, matches.active > 0, num_computation_bits)
        return after, largest, fewest, zeros

    start = (
        graphs.nodes.T,
        jnp.zeros(arrays.num_components, jnp.int32),
        jnp.full((num_bits, num_counts), NEVER, jnp.int32),
        jnp.zeros((num_bits, num_counts), bool),
    )
    _, largest, fewest, zeros = jax.lax.fori_loop(0, num_steps, step, start)
    return largest, fewest, zeros
