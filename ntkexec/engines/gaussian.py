"""Gaussian draws as an update engine, evaluated on the host.

A network of infinite width is drawn as it is asked: the values at states that come up anew depend on
those drawn before. Compiled code may call back twice, in another order or not at all, and would make
of that another draw. So every step is encoded and its messages are exchanged by compiled code, and the
draws are asked in between, by the loop on the host: once a step, in the order of the steps. The
values follow from the seed and that order alone; asked again, a state has the value that it has.
"""

import dataclasses
import time

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ntkexec.ensemble.gaussian import GaussianEnsemble
from ntkexec.executor.encoding import Encoding, Matches, encode, index_arrays
from ntkexec.executor.execution import Execution
from ntkexec.executor.loop import exchange_bits
from ntkexec.executor.options import Options
from ntkexec.executor.protocol import decide
from ntkexec.executor.stepping import step_by_step
from ntkexec.executor.verification import StepCheck, check_step
from ntkexec.graphs.message_passing import GraphsTuple
from ntkexec.program.program import Program
from ntkexec.runtime import compilation, devices
from ntkexec.theory.certificate import Certificate


@dataclasses.dataclass(frozen=True, eq=False)
class GaussianEngine:
    """N networks of infinite width, averaged; no pytree, since no compiled code may evaluate it."""

    encoding: Encoding
    thresholds: Float[Array, "k m"]
    ensemble: GaussianEnsemble

    def means(self, matches: Matches) -> Float[Array, "k n"]:
        means = self.ensemble.means(np.asarray(matches.matched))
        return jnp.asarray(means.astype(np.float32))

    def execute(self, program: Program, graphs: GraphsTuple, options: Options) -> Execution:
        """The engine's own loop; see `executor.execute`."""
        edges, mask = graphs._replace(nodes=None), jnp.asarray(options.node_mask)
        collisions, compile_seconds, start = 0, 0.0, time.perf_counter()

        def advance(
            step: int, states: Bool[np.ndarray, "n k"]
        ) -> tuple[Bool[np.ndarray, "n k"], StepCheck | None]:
            nonlocal collisions, compile_seconds
            matches, first, _ = compilation.call(encode, self.encoding, jnp.asarray(states.T))
            decision = decide(self, matches)
            (after, met), second, _ = compilation.call(
                exchange_bits,
                edges,
                decision.bits,
                num_computation_bits=program.layout.num_computation_bits,
            )
            collisions += int(met)
            compile_seconds += first + second
            check = check_step(matches, decision, mask) if options.verify else None
            return np.asarray(after).T, check

        walk = step_by_step(
            self,
            np.asarray(graphs.nodes, bool),
            options,
            advance,
            round_length=program.round_length,
        )
        return Execution(
            graphs=graphs._replace(nodes=walk.states),
            steps=walk.steps,
            stopped=walk.stopped,
            collisions=collisions,
            verification=walk.verification,
            trace=walk.trace,
            compile_seconds=compile_seconds,
            run_seconds=time.perf_counter() - start - compile_seconds,
        )


def gaussian_engine(ensemble: GaussianEnsemble, certificate: Certificate) -> GaussianEngine:
    """The ensemble as an engine, with the certificate's thresholds."""
    return GaussianEngine(
        index_arrays(certificate.problem), devices.put(certificate.thresholds), ensemble
    )
