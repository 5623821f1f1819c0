"""All engines by name, and what a run has to know of each. A new engine is a file and a row here."""

import dataclasses
import logging
from collections.abc import Callable

from ntkexec.engines.boolean import boolean_engine
from ntkexec.engines.kernel import kernel_engine
from ntkexec.engines.linear import linear_engine
from ntkexec.engines.neural_tangents import oracle_engine
from ntkexec.engines.packed import memo_engine, packed_kernel_engine
from ntkexec.engines.packed.plan import compile_seconds, pays
from ntkexec.engines.trained import ensemble_engine
from ntkexec.ensemble import Ensemble, GaussianEnsemble, limits
from ntkexec.errors import EnsembleError, NtkexecError, did_you_mean
from ntkexec.executor.protocol import Engine
from ntkexec.program.limits import SECONDS_PER_LITERAL
from ntkexec.program.program import Program
from ntkexec.program.work import Work
from ntkexec.theory.certificate import Certificate
from ntkexec.vocabulary import EngineName

LOG = logging.getLogger("ntkexec")

# Processor seconds, fitted to the whole commands in tests/engines/test_seconds.py: for each literal of a
# program to train and compile networks, or to compile packed execution of programs of small degree;
TRAINING_SECONDS_PER_LITERAL = 1.1e-4
PACKING_SECONDS_PER_LITERAL = 3.5e-3
# and for each literal, node and step to evaluate networks, those that come with the package, which are
# narrower, and the kernel, which takes longer for the more templates that may match at once;
NETWORK_SECONDS_PER_LITERAL = 6e-8
READY_SECONDS_PER_LITERAL = 2.2e-8
KERNEL_SECONDS_PER_LITERAL = 8e-9
# on 32 nodes at a time, and to compare such a step with the kernel's.
PACKED_SECONDS_PER_LITERAL = 1e-11
COMPARING_SECONDS_PER_LITERAL = 3.5e-9


@dataclasses.dataclass(frozen=True)
class Preparation:
    """Work that an engine does for a program before the first step, whatever the graph.

    Args:
        seconds: about how long it takes, for a number of literals.
        pays: whether it can be worth that, for a run.
        otherwise: the engine that decides the same without it.
    """

    seconds: Callable[[int], float]
    pays: Callable[[Work], bool]
    otherwise: EngineName


@dataclasses.dataclass(frozen=True)
class Pace:
    """How long an engine takes, by which runs are weighed against each other.

    Args:
        set_up: seconds for each literal of a program, once: to build, certify, train and compile it.
        step: seconds for each literal at each node in each step.
        comparing: likewise, to compare the step with the program's, where that is dear.
    """

    set_up: float
    step: float
    comparing: float = 0.0

    def seconds(self, work: Work, *, verify: bool) -> float:
        """Of a run, of which every step is compared or none."""
        step = self.step + self.comparing * verify
        return work.literals * (self.set_up + step * work.nodes * work.steps)


@dataclasses.dataclass(frozen=True)
class EngineSpec:
    """A way to evaluate the learned function.

    Args:
        name: as users write it.
        summary: what it is, in a line.
        when: what it is for, in a line.
        build: `build(certificate)` gives the engine, or `build(networks, certificate)` if `trained`.
        trained: whether it needs trained networks.
        packed: whether it holds a bit of a node in a bit, and needs a small part of the memory that
            others do.
        certified: whether it runs only under a certificate that holds.
        preparation: what it does for a program beforehand, where that is worth a choice.
        pace: how long it takes.
        ready: likewise, where the networks come with the package.
    """

    name: EngineName
    summary: str
    when: str
    build: Callable[..., Engine]
    trained: bool = False
    packed: bool = False
    certified: bool = True
    preparation: Preparation | None = None
    pace: Pace = Pace(SECONDS_PER_LITERAL, KERNEL_SECONDS_PER_LITERAL)
    ready: Pace | None = None

    def seconds(self, work: Work, *, verify: bool = True) -> float:
        """About how long a run takes, by the engine that `suited` gives.

        Args:
            work: the run.
            verify: whether every step is compared with the program's.
        """
        slow = self.preparation
        if slow is not None and not slow.pays(work):
            return ENGINE_SPECS[slow.otherwise].seconds(work, verify=verify)
        pace = self.ready if work.ready and self.ready is not None else self.pace
        return pace.seconds(work, verify=verify)

    def make(
        self, certificate: Certificate, networks: Ensemble | GaussianEnsemble | None = None
    ) -> Engine:
        """The engine of a certificate's learning problem and thresholds.

        Raises:
            CertificateError: packed execution relies on decisions that the certificate does not vouch
                for, or the certificate is for networks that are not run.
            EnsembleError: trained networks are needed and missing, or do not suit.
        """
        certificate.kernel.require_run("every engine")
        if not self.trained:
            return self.build(certificate)
        if networks is None:
            raise EnsembleError(f"the engine {self.name!r} needs trained networks")
        return self.build(networks, certificate)

    def require_trained(self) -> None:
        """Raises EnsembleError unless it runs trained networks, such as those of a stored ensemble."""
        if not self.trained:
            suited = " or ".join(repr(name) for name, spec in ENGINE_SPECS.items() if spec.trained)
            raise EnsembleError(
                f"a trained ensemble goes with the engine {suited}, not {self.name!r}"
            )

    def suited(
        self, program: Program, *, num_nodes: int, num_steps: int, trace: bool
    ) -> "EngineSpec":
        """This engine, or one that decides the same where preparing this one does not pay.

        Raises:
            ProgramError: an execution of this size does not fit into memory.
        """
        slow = self.preparation
        work = Work(program.num_nonzeros, num_nodes, num_steps)
        if slow is not None and not slow.pays(work):
            LOG.warning(
                "%s would compile for about %.0f s; %s, which decides the same, is taken",
                self.name,
                slow.seconds(work.literals),
                slow.otherwise,
            )
            return ENGINE_SPECS[slow.otherwise].suited(
                program, num_nodes=num_nodes, num_steps=num_steps, trace=trace
            )
        if not self.packed:
            limits.check_execution(
                num_nodes=num_nodes,
                num_bits=program.layout.num_bits,
                num_templates=program.num_templates,
                trace_steps=num_steps if trace else None,
            )
        return self


ENGINE_SPECS: dict[str, EngineSpec] = {
    spec.name: spec
    for spec in (
        EngineSpec(
            "ensemble",
            "trained networks",
            "the real thing, with the margin of every decision; the default",
            ensemble_engine,
            trained=True,
            pace=Pace(TRAINING_SECONDS_PER_LITERAL, NETWORK_SECONDS_PER_LITERAL),
            ready=Pace(SECONDS_PER_LITERAL, READY_SECONDS_PER_LITERAL),
        ),
        EngineSpec(
            "ensemble-memo",
            "the same networks, tabulated, on 32 nodes at a time",
            "large graphs; relies on the table, as the result says",
            memo_engine,
            trained=True,
            packed=True,
            pace=Pace(
                TRAINING_SECONDS_PER_LITERAL + PACKING_SECONDS_PER_LITERAL,
                PACKED_SECONDS_PER_LITERAL,
                NETWORK_SECONDS_PER_LITERAL,
            ),
            ready=Pace(
                PACKING_SECONDS_PER_LITERAL, PACKED_SECONDS_PER_LITERAL, READY_SECONDS_PER_LITERAL
            ),
        ),
        EngineSpec(
            "kernel",
            "their mean at infinite width, in closed form",
            "large graphs, many graphs",
            kernel_engine,
        ),
        EngineSpec(
            "kernel-packed",
            "the same mean, on 32 nodes at a time",
            "the largest graphs; relies on the certificate, as the result says",
            packed_kernel_engine,
            packed=True,
            preparation=Preparation(compile_seconds, pays, otherwise="kernel"),
            pace=Pace(
                PACKING_SECONDS_PER_LITERAL,
                PACKED_SECONDS_PER_LITERAL,
                COMPARING_SECONDS_PER_LITERAL,
            ),
        ),
        EngineSpec(
            "oracle",
            "the same mean, by neural-tangents",
            "to cross-check",
            oracle_engine,
        ),
        EngineSpec(
            "linear",
            "a linear read-out of the encoding, no network",
            "the baseline: exact for any program",
            lambda certificate: linear_engine(certificate.problem),
            certified=False,
        ),
        EngineSpec(
            "boolean",
            "the program itself, nothing learned",
            "to compare with",
            boolean_engine,
        ),
    )
}
"""In the order in which they are listed."""


def find_engine(name: str) -> EngineSpec:
    """The engine of a name.

    Raises:
        NtkexecError: there is none; suggests the nearest name.
    """
    if name not in ENGINE_SPECS:
        known = ", ".join(ENGINE_SPECS)
        raise NtkexecError(
            f"no engine {name!r}; there is {known}{did_you_mean(name, ENGINE_SPECS)}"
        )
    return ENGINE_SPECS[name]


def make_engine(
    name: EngineName, certificate: Certificate, networks: Ensemble | GaussianEnsemble | None = None
) -> Engine:
    """The engine of a name.

    Args:
        name: a name in `ENGINE_SPECS`.
        certificate: gives the learning problem and the thresholds.
        networks: the trained networks, where it needs them.

    Raises:
        NtkexecError: an unknown name, or see `EngineSpec.make`.
    """
    return find_engine(name).make(certificate, networks)
