"""The message-passing loop: encode, update by an engine, exchange messages, until done.

The whole execution is one compiled `while_loop`; comparing every step with the program itself
happens inside it.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from ntkexec.errors import ProgramError
from ntkexec.executor.buckets import filled, fine
from ntkexec.executor.encoding import encode
from ntkexec.executor.execution import Execution
from ntkexec.executor.options import Options
from ntkexec.executor.protocol import Engine, decide
from ntkexec.executor.verification import (
    NO_STEP,
    Comparison,
    check_step,
    finished,
    nothing_compared,
)
from ntkexec.graphs.message_passing import GraphsTuple, exchange
from ntkexec.program.program import Program
from ntkexec.runtime import compilation
from ntkexec.vocabulary import UNTILS, Until, Verify


class _Carry(NamedTuple):
    step: Int[Array, ""]
    done: Bool[Array, ""]
    states: Bool[Array, "k n"]
    # What the last update decided, before messages were exchanged. Nobody reads it: carrying it
    # makes XLA on a CPU write it down once, instead of deciding anew for every bit that is packed
    # (5 times slower at 100,000 nodes).
    decided: Bool[Array, "k n"]
    collisions: Int[Array, ""]
    round_start: Bool[Array, "k n"] | None
    verification: Comparison | None
    trace: Bool[Array, "s k n"] | None


@runtime_checkable
class OwnLoop(Protocol):
    """An engine that executes by itself: it holds states in another form, or decides outside XLA."""

    def execute(self, program: Program, graphs: GraphsTuple, options: Options) -> Execution:
        """As `execute`, which has checked the arguments."""
        ...


def execute(
    engine: Engine,
    program: Program,
    graphs: GraphsTuple,
    *,
    num_steps: int,
    until: Until = "steps",
    halt: str | None = None,
    node_mask: Bool[np.ndarray, "n"] | None = None,
    verify: Verify = True,
    trace: bool = False,
) -> Execution:
    """Runs a program on graphs, with a learned update.

    Args:
        engine: evaluates the learned function.
        program: what the engine has learned; gives the layout and the length of a round.
        graphs: one graph or a batch; `nodes` are the initial states, bool of shape (n, k).
        num_steps: steps to run, or at most to run.
        until: `steps` runs them all; `fixed-point` stops when a whole round changes nothing;
            `halt` stops when the flag `halt` is set at every node.
        halt: name of a flag, for `until="halt"`; by default the program's own.
        node_mask: False at padding nodes, which are neither verified nor waited for, and where
            messages that meet do not count.
        verify: compare every step with the program's Boolean update. A packed engine is also
            compared with the plain one, at its cost, unless this is "program": then with the
            program alone, no mean is calculated, and there are no margins. For other engines that
            says the same as True.
        trace: keep all states.

    Raises:
        ProgramError: states of a wrong shape, negative or too large `num_steps`, unknown `until` or
            `verify`.
        ExecutionError: `verify="program"` where a packed engine carries out some nodes only, and does
            otherwise than the program.
    """
    num_nodes = int(np.sum(graphs.n_node))
    expected = (num_nodes, program.layout.num_bits)
    if np.shape(graphs.nodes) != expected:
        raise ProgramError(f"states of shape {expected} expected, got {np.shape(graphs.nodes)}")
    if num_steps < 0:
        raise ProgramError(f"the number of steps cannot be negative, got {num_steps}")
    if num_steps >= NO_STEP:
        raise ProgramError(f"at most {NO_STEP - 1:,} steps can be counted, not {num_steps:,}")
    if until not in UNTILS:
        raise ProgramError(f"until is steps, fixed-point or halt, not {until!r}")
    if verify not in (True, False, "program"):
        raise ProgramError(f"verify is True, False or 'program', not {verify!r}")
    if until == "halt" and halt is None:
        halt = program.halt
    if (until == "halt") != (halt is not None):
        raise ProgramError("a halt flag goes with until='halt' and only with it")
    options = Options(
        num_steps=num_steps,
        until=until,
        halt_bit=None if halt is None else program.layout.bit(halt),
        node_mask=np.ones(num_nodes, bool) if node_mask is None else np.asarray(node_mask, bool),
        verify=verify,
        trace=trace,
    )
    if isinstance(engine, OwnLoop):
        return engine.execute(program, graphs, options)
    given = filled(graphs, options.node_mask)
    carry, compile_seconds, run_seconds = compilation.call(
        _run,
        engine,
        given.graphs,
        given.mask,
        np.asarray(num_steps, np.int32),
        num_computation_bits=program.layout.num_computation_bits,
        round_length=program.round_length,
        until=until,
        halt_bit=options.halt_bit,
        verify=bool(verify),
        trace_steps=fine(num_steps) if trace else None,
    )
    steps = int(carry.step)
    return Execution(
        graphs=graphs._replace(nodes=np.asarray(carry.states).T[:num_nodes]),
        steps=steps,
        stopped=until if bool(carry.done) else "steps",
        collisions=int(carry.collisions),
        verification=None
        if carry.verification is None
        else finished(carry.verification, num_nodes),
        trace=None
        if carry.trace is None
        else np.asarray(carry.trace).transpose(0, 2, 1)[: steps + 1, :num_nodes],
        compile_seconds=compile_seconds,
        run_seconds=run_seconds,
    )


def exchange_bits(
    graphs: GraphsTuple,
    bits: Bool[Array, "k n"],
    num_computation_bits: int,
    mask: Bool[Array, "n"] | None = None,
) -> tuple[Bool[Array, "k n"], Int[Array, ""]]:
    """The send half of a step: message bits become sums over the closed neighbourhood.

    Args:
        graphs: one graph or a batch.
        bits: what every node decided.
        num_computation_bits: after them come those of messages.
        mask: False at nodes that do not count; by default all do.

    Returns:
        The next states, and at how many nodes that count two messages met.
    """
    held, met = exchange(graphs, bits[num_computation_bits:], mask)
    return jnp.concatenate([bits[:num_computation_bits], held]), met


def _run(
    engine: Engine,
    graphs: GraphsTuple,
    mask: Bool[Array, "n"],
    num_steps: Int[Array, ""],
    *,
    num_computation_bits: int,
    round_length: int,
    until: Until,
    halt_bit: int | None,
    verify: bool,
    trace_steps: int | None,
) -> _Carry:
    # Arguments are in NumPy, and stay so if nothing is compiled.
    states, mask = jnp.asarray(graphs.nodes).T, jnp.asarray(mask)

    def step(carry: _Carry) -> _Carry:
        matches = encode(engine.encoding, carry.states)
        decision = decide(engine, matches)
        after, met = exchange_bits(graphs, decision.bits, num_computation_bits, mask)
        verification = carry.verification
        if verification is not None:
            check = check_step(matches, decision, mask)
            verification = verification.after(carry.step, carry.states, check)
        done, round_start = carry.done, carry.round_start
        if until == "halt":
            done = (after[halt_bit] | ~mask).all()
        elif round_start is not None:
            ends_round = (carry.step + 1) % round_length == 0
            done = ends_round & ((after == round_start) | ~mask[None]).all()
            round_start = jnp.where(ends_round, after, round_start)
        trace = carry.trace
        if trace is not None:
            trace = jax.lax.dynamic_update_index_in_dim(trace, after, carry.step + 1, 0)
        return _Carry(
            carry.step + 1,
            done,
            after,
            decision.bits,
            carry.collisions + met,
            round_start,
            verification,
            trace,
        )

    initial = _Carry(
        step=jnp.zeros((), jnp.int32),
        done=jnp.asarray(False) if until != "halt" else (states[halt_bit] | ~mask).all(),
        states=states,
        decided=states,
        collisions=jnp.zeros((), jnp.int32),
        round_start=states if until == "fixed-point" else None,
        verification=nothing_compared(engine, states) if verify else None,
        trace=(
            None
            if trace_steps is None
            else jnp.zeros((trace_steps + 1, *states.shape), bool).at[0].set(states)
        ),
    )
    return jax.lax.while_loop(lambda c: (c.step < num_steps) & ~c.done, step, initial)
