"""The packed engines: they decide as a plain engine would, 32 nodes at a time."""

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Array, Bool, Float

from ntkexec.engines.packed.checking import run_verified
from ntkexec.engines.packed.comparison import check_packed_step
from ntkexec.engines.packed.execution import PackedExecution, PackedState, prepare
from ntkexec.engines.packed.plan import PackedProgram
from ntkexec.engines.packed.reliance import certified_kernel
from ntkexec.engines.packed.resting import run_to_rest
from ntkexec.errors import ExecutionError, ProgramError
from ntkexec.executor import Execution, Options
from ntkexec.executor.encoding import Encoding, Matches
from ntkexec.executor.protocol import Engine
from ntkexec.executor.stepping import step_by_step
from ntkexec.executor.verification import StepCheck
from ntkexec.graphs.message_passing import GraphsTuple
from ntkexec.program.program import Program
from ntkexec.theory.certificate import Certificate


@dataclasses.dataclass(frozen=True, eq=False)
class PackedEngine:
    """Executes on packed states what a plain engine would decide number by number.

    Args:
        plain: the engine whose decisions these are.
        packed: its program.
        relies_on: what makes the two equal, in words.
        devices: among which nodes are divided; None for one device.
    """

    plain: Engine
    packed: PackedProgram
    relies_on: str
    devices: tuple[jax.Device, ...] | None = None

    @property
    def encoding(self) -> Encoding:
        return self.plain.encoding

    @property
    def thresholds(self) -> Float[Array, "k m"]:
        return self.plain.thresholds

    def means(self, matches: Matches) -> Float[Array, "k n"]:
        return self.plain.means(matches)

    def execute(self, program: Program, graphs: GraphsTuple, options: Options) -> Execution:
        """The engine's own loop; see `executor.execute`.

        With `verify` every bit of every step is compared with the plain engine's and the program's,
        which costs what the plain engine costs, or less where many nodes hold the same. With
        `verify="program"` it is compared with the program alone, evaluated on packed states
        (`checking`); where one differs, the run is repeated beside the plain engine, which says where
        and why. Rounds at some nodes only are compared as they are carried out (`ledger`); a
        difference there is no decision of the engine's. A run until nothing changes is carried out
        twice: until then, and compared for as many steps; beside the plain engine where that cannot
        be one loop (several devices, masked nodes).

        Raises:
            ProgramError: another program; or `verify="program"` with a trace, several devices or
                until all nodes halt.
            ExecutionError: `verify="program"`, and what was carried out at some nodes only differs, or
                what was carried out until nothing changed.
        """
        if program != self.packed.program:
            raise ProgramError(f"the engine executes {self.packed.program!r}, not {program!r}")
        prepared = prepare(self.packed, graphs, num_steps=options.num_steps, devices=self.devices)
        if options.verify == "program":
            return self._beside_program(prepared, graphs, options)
        if options.until == "steps" and not options.verify and not options.trace:
            now = prepared.run(options.num_steps)
            return _execution(prepared, graphs, now, prepared.states(now.clock, now.rows))
        if (
            options.until == "fixed-point"
            and not (options.verify or options.trace)
            and options.node_mask.all()
        ):
            rested = run_to_rest(prepared, options.num_steps, program.round_length)
            if rested is not None:
                now, rests = rested
                done = _execution(prepared, graphs, now, prepared.states(now.clock, now.rows))
                return dataclasses.replace(done, stopped="fixed-point" if rests else "steps")
        return self._step_by_step(prepared, graphs, options)

    def _beside_program(
        self, prepared: PackedExecution, graphs: GraphsTuple, options: Options
    ) -> Execution:
        if options.until == "halt" or options.trace:
            raise ProgramError(
                "verify='program' goes without a trace, until steps or fixed-point; verify=True would do"
            )
        beside_plain = dataclasses.replace(options, verify=True)
        steps, rested = options.num_steps, None
        if options.until == "fixed-point":
            # First where it ends: then as many steps are compared.
            if options.node_mask.all():
                rested = run_to_rest(prepared, steps, self.packed.program.round_length)
            if rested is None:
                return self._step_by_step(prepared, graphs, beside_plain)
            steps = rested[0].step
        now, found = run_verified(prepared, steps, options.node_mask)
        # The number of wrong bits is counted modulo 2^32.
        if not found.exact or found.wrong_nodes.any():
            return self._step_by_step(prepared, graphs, beside_plain)
        done = _execution(prepared, graphs, now, prepared.states(now.clock, now.rows))
        if rested is not None:
            before, rests = rested
            if not np.array_equal(done.states, prepared.states(before.clock, before.rows)):
                raise ExecutionError(
                    f"{steps} steps until nothing changes, and as many that were compared with the program, "
                    "end in different states: a fault of packed execution; verify=True would do"
                )
            done = dataclasses.replace(
                done,
                stopped="fixed-point" if rests else "steps",
                compile_seconds=done.compile_seconds + before.compile_seconds,
                run_seconds=done.run_seconds + before.run_seconds,
            )
        return dataclasses.replace(done, verification=found)

    def _step_by_step(
        self, prepared: PackedExecution, graphs: GraphsTuple, options: Options
    ) -> Execution:
        program, many = self.packed.program, options.num_steps > len(prepared.orbit.ring)
        now = prepared.start_of_rounds if many else prepared.start

        def advance(
            step: int, states: Bool[np.ndarray, "n k"]
        ) -> tuple[Bool[np.ndarray, "n k"], StepCheck | None]:
            nonlocal now
            decided, now = prepared.step(now)
            after = prepared.states(now.clock, now.rows)
            if not options.verify:
                return after, None
            bits = prepared.states(now.clock, decided)
            mask, layout = options.node_mask, program.layout
            return after, check_packed_step(self.plain, layout, mask, step, states, bits)

        walk = step_by_step(
            self.plain,
            np.asarray(graphs.nodes, bool),
            options,
            advance,
            round_length=program.round_length,
        )
        return dataclasses.replace(
            _execution(prepared, graphs, now, walk.states),
            stopped=walk.stopped,
            verification=walk.verification,
            trace=walk.trace,
        )


def _execution(
    prepared: PackedExecution,
    graphs: GraphsTuple,
    now: PackedState,
    states: Bool[np.ndarray, "n k"],
) -> Execution:
    return Execution(
        graphs=graphs._replace(nodes=states),
        steps=now.step,
        stopped="steps",
        collisions=now.collisions,
        verification=None,
        trace=None,
        compile_seconds=now.compile_seconds,
        run_seconds=now.run_seconds,
    )


def packed_kernel_engine(
    certificate: Certificate, *, devices: Sequence[jax.Device] | None = None
) -> PackedEngine:
    """The infinite ensemble on packed states: `kernel`, bit for bit.

    Args:
        certificate: gives the learning problem, the thresholds and the bound on matches.
        devices: see `PackedEngine`.

    Raises:
        CertificateError: the kernel does not decide as the program does within the certificate's
            bound, so that there is arithmetic to be done.
    """
    plain, relies_on = certified_kernel(certificate)
    return PackedEngine(
        plain,
        PackedProgram(certificate.problem.program),
        relies_on,
        None if devices is None else tuple(devices),
    )
