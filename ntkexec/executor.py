"""The message-passing loop: encode, update by an engine, exchange messages, until done.

The whole execution is one compiled `while_loop`; comparing every step with the program itself
happens inside it.
"""

import dataclasses
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ntkexec import compilation
from ntkexec.encoding import encode
from ntkexec.engines import Engine, decide
from ntkexec.errors import ProgramError
from ntkexec.message_passing import GraphsTuple, exchange
from ntkexec.template import Program

Until = Literal["steps", "fixed-point", "halt"]
NO_STEP = np.iinfo(np.int32).max


class _Verification(NamedTuple):
    """Running comparison with the program; the snapshot is the state before the first wrong step."""

    wrong_bits: Int[Array, ""]
    wrong_nodes: Bool[Array, "n"]
    first_wrong_step: Int[Array, ""]
    snapshot: Bool[Array, "k n"]
    smallest_margin: Float[Array, ""]
    largest_matches: Int[Array, "c"]


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
    verification: _Verification | None
    trace: Bool[Array, "s k n"] | None


@dataclasses.dataclass(frozen=True)
class Verification:
    """Comparison of every step with the program's own Boolean update.

    Args:
        wrong_bits: bits that differ, over all steps and nodes.
        wrong_nodes: nodes that were wrong at some step; shape (n,).
        first_wrong_step: index of the first step with a difference, or None.
        snapshot: the states before that step, (n, k), or None.
        smallest_margin: smallest distance of a mean to its threshold.
        largest_matches: largest m that occurred in every component; shape (c,).
    """

    wrong_bits: int
    wrong_nodes: Bool[np.ndarray, "n"]
    first_wrong_step: int | None
    snapshot: Bool[np.ndarray, "n k"] | None
    smallest_margin: float
    largest_matches: Int[np.ndarray, "c"]

    @property
    def exact(self) -> bool:
        """Every step of every node was right."""
        return self.wrong_bits == 0


@dataclasses.dataclass(frozen=True)
class Execution:
    """The outcome of a run.

    Args:
        graphs: the input graphs with the final states, (n, k), as nodes.
        steps: steps that were executed.
        stopped: what ended it.
        collisions: receptions, over all steps, in which two neighbours wrote the same message bit;
            0 under a two-hop colouring. If not, the states are void.
        verification: comparison with the program, if asked for.
        trace: the states before every step and after the last, (steps + 1, n, k), if asked for.
        compile_seconds: time to compile; 0 if these shapes had been compiled before.
        run_seconds: time to run.
    """

    graphs: GraphsTuple
    steps: int
    stopped: Until
    collisions: int
    verification: Verification | None
    trace: Bool[np.ndarray, "s n k"] | None
    compile_seconds: float
    run_seconds: float

    @property
    def states(self) -> Bool[np.ndarray, "n k"]:
        return self.graphs.nodes


@dataclasses.dataclass(frozen=True)
class Options:
    """How to execute: the checked arguments of `execute`.

    Args:
        num_steps: steps to run, or at most to run.
        until: what ends the run.
        halt_bit: for `until="halt"`, else None.
        node_mask: False at padding nodes.
        verify: compare every step with the program.
        trace: keep all states.
    """

    num_steps: int
    until: Until
    halt_bit: int | None
    node_mask: Bool[np.ndarray, "n"]
    verify: bool
    trace: bool


@runtime_checkable
class OwnLoop(Protocol):
    """An engine that executes by itself, since it holds the states in another form."""

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
    verify: bool = True,
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
        node_mask: False at padding nodes, which are neither verified nor waited for.
        verify: compare every step with the program's Boolean update.
        trace: keep all states.

    Raises:
        ProgramError: states of a wrong shape, negative or too large `num_steps`, unknown `until`.
    """
    num_nodes = int(np.sum(graphs.n_node))
    expected = (num_nodes, program.layout.num_bits)
    if np.shape(graphs.nodes) != expected:
        raise ProgramError(f"states of shape {expected} expected, got {np.shape(graphs.nodes)}")
    if num_steps < 0:
        raise ProgramError(f"the number of steps cannot be negative, got {num_steps}")
    if num_steps >= NO_STEP:
        raise ProgramError(f"at most {NO_STEP - 1:,} steps can be counted, not {num_steps:,}")
    if until not in ("steps", "fixed-point", "halt"):
        raise ProgramError(f"until is steps, fixed-point or halt, not {until!r}")
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
    carry, compile_seconds, run_seconds = compilation.call(
        _run,
        engine,
        graphs._replace(nodes=jnp.asarray(graphs.nodes, bool)),
        jnp.asarray(options.node_mask),
        jnp.asarray(num_steps, jnp.int32),
        num_computation_bits=program.layout.num_computation_bits,
        round_length=program.round_length,
        until=until,
        halt_bit=options.halt_bit,
        verify=verify,
        trace_steps=num_steps if trace else None,
    )
    steps = int(carry.step)
    return Execution(
        graphs=graphs._replace(nodes=np.asarray(carry.states).T),
        steps=steps,
        stopped=until if bool(carry.done) else "steps",
        collisions=int(carry.collisions),
        verification=None if carry.verification is None else _finish(carry.verification),
        trace=None
        if carry.trace is None
        else np.asarray(carry.trace).transpose(0, 2, 1)[: steps + 1],
        compile_seconds=compile_seconds,
        run_seconds=run_seconds,
    )


def exchange_bits(
    graphs: GraphsTuple, bits: Bool[Array, "k n"], num_computation_bits: int
) -> tuple[Bool[Array, "k n"], Int[Array, ""]]:
    """The send half of a step: message bits become sums over the closed neighbourhood.

    Returns:
        The next states, and at how many nodes two messages met.
    """
    held, met = exchange(graphs, bits[num_computation_bits:])
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
    states = graphs.nodes.T

    def step(carry: _Carry) -> _Carry:
        matches = encode(engine.encoding, carry.states)
        decision = decide(engine, matches)
        after, met = exchange_bits(graphs, decision.bits, num_computation_bits)
        verification = carry.verification
        if verification is not None:
            wrong = (decision.bits != (matches.active > 0)) & mask[None]
            any_wrong = wrong.any()
            first = any_wrong & (verification.first_wrong_step == NO_STEP)
            margins = jnp.abs(decision.means - decision.thresholds)
            margins = jnp.where(mask[None], margins, jnp.inf)
            verification = _Verification(
                wrong_bits=verification.wrong_bits + wrong.sum(dtype=jnp.int32),
                wrong_nodes=verification.wrong_nodes | wrong.any(axis=0),
                first_wrong_step=jnp.where(first, carry.step, verification.first_wrong_step),
                snapshot=jnp.where(first, carry.states, verification.snapshot),
                smallest_margin=jnp.minimum(verification.smallest_margin, margins.min()),
                largest_matches=jnp.maximum(
                    verification.largest_matches,
                    jnp.where(mask[None], matches.count, 0).max(axis=1).astype(jnp.int32),
                ),
            )
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
        verification=_nothing_verified(engine, states) if verify else None,
        trace=(
            None
            if trace_steps is None
            else jnp.zeros((trace_steps + 1, *states.shape), bool).at[0].set(states)
        ),
    )
    return jax.lax.while_loop(lambda c: (c.step < num_steps) & ~c.done, step, initial)


def _nothing_verified(engine: Engine, states: Bool[Array, "k n"]) -> _Verification:
    return _Verification(
        wrong_bits=jnp.zeros((), jnp.int32),
        wrong_nodes=jnp.zeros(states.shape[1], bool),
        first_wrong_step=jnp.asarray(NO_STEP, jnp.int32),
        snapshot=jnp.zeros_like(states),
        smallest_margin=jnp.asarray(jnp.inf, engine.thresholds.dtype),
        largest_matches=jnp.zeros(engine.encoding.num_components, jnp.int32),
    )


def _finish(found: _Verification) -> Verification:
    first = int(found.first_wrong_step)
    wrong = first != NO_STEP
    return Verification(
        wrong_bits=int(found.wrong_bits),
        wrong_nodes=np.asarray(found.wrong_nodes),
        first_wrong_step=first if wrong else None,
        snapshot=np.asarray(found.snapshot).T if wrong else None,
        smallest_margin=float(found.smallest_margin),
        largest_matches=np.asarray(found.largest_matches),
    )


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """The first wrong bit of an execution, with everything that decided it."""

    step: int
    node: int
    bit_name: str
    expected: bool
    mean: float
    threshold: float
    matched: tuple[str, ...]

    def __str__(self) -> str:
        matched = "".join(f"\n    {line}" for line in self.matched)
        return (
            f"step {self.step}, node {self.node}: {self.bit_name} should be {int(self.expected)}, but "
            f"its mean {self.mean:.5f} is {'not above' if self.expected else 'above'} the threshold "
            f"{self.threshold:.5f}; matched templates:{matched}"
        )


def diagnose(engine: Engine, program: Program, verification: Verification) -> Diagnosis | None:
    """The first wrong node and bit of an execution that was verified, or None if all was right."""
    if verification.snapshot is None or verification.first_wrong_step is None:
        return None
    states = jnp.asarray(verification.snapshot).T
    matches = encode(engine.encoding, states)
    decision = decide(engine, matches)
    expected = np.asarray(matches.active > 0)
    wrong = (np.asarray(decision.bits) != expected) & verification.wrong_nodes
    node, bit = (int(i) for i in np.argwhere(wrong.T)[0])
    return Diagnosis(
        step=verification.first_wrong_step,
        node=node,
        bit_name=program.layout.bit_names[bit],
        expected=bool(expected[bit, node]),
        mean=float(decision.means[bit, node]),
        threshold=float(decision.thresholds[bit, node]),
        matched=tuple(
            program.describe(int(t)) for t in np.flatnonzero(np.asarray(matches.matched)[:-1, node])
        ),
    )
