"""Training of stacks as they are, each compiled for itself: whatever a network is like.

Networks with biases, in float64, linearised, of many outputs or of many templates; the small and
plain ones are trained in `panels`.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Integer

from ntkexec.ensemble import linearised
from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.ensemble.descent import descend
from ntkexec.ensemble.network import TwoLayerNetwork, initial
from ntkexec.ensemble.schedule import Schedule
from ntkexec.ensemble.weights import WEIGHT_FIELDS, Weights, join
from ntkexec.program.problem import LearningProblem, Stack
from ntkexec.runtime import compilation, devices
from ntkexec.vocabulary import Draw


def network_for(config: EnsembleConfig, stack: Stack) -> TwoLayerNetwork:
    """The network that learns one component of a stack."""
    return TwoLayerNetwork(
        stack.num_inputs,
        config.width,
        stack.num_outputs,
        config.weight_std,
        config.bias_std,
        jnp.dtype(config.precision),
    )


def train(
    problem: LearningProblem, config: EnsembleConfig, stack: Stack, plan: Schedule, members: range
) -> Weights:
    """Trains some members of all components of a stack.

    Args:
        problem: what is learned.
        config: how the networks are drawn.
        stack: which components.
        plan: how they descend, or after how many steps a solver gives up.
        members: which members.
    """
    together = devices.mesh().size
    others = (
        devices.place(np.asarray(config.seed, np.uint32), None),
        devices.place(np.asarray(stack.components, np.uint32), None),
        devices.place(problem.targets(stack).astype(config.precision), None),
    )
    parts = []
    # One member a device and call: the compiled code, and so every rounding error, is then the same
    # however the members are divided among calls, chunks, devices and processes.
    for first in range(members.start, members.stop, together):
        (weights, residual, taken, peak), _, _ = compilation.call(
            _train,
            devices.place(np.arange(first, first + together, dtype=np.uint32), 0),
            *others,
            network=network_for(config, stack),
            plan=plan,
            draw=config.draw,
            tolerance=config.tolerance,
        )
        found = devices.gather(weights)
        part = Weights(
            **{field: found.get(field) for field in WEIGHT_FIELDS},
            residual=devices.gather(residual),
            steps=devices.gather(taken),
            peak=devices.gather(peak) if config.descended else None,
        )
        kept = min(together, members.stop - first)
        parts.append(Weights._make(None if a is None else a[:kept] for a in part))
    return join(parts)


def _train(
    members: Integer[Array, "e"],
    seed: Integer[Array, ""],
    components: Integer[Array, "c"],
    targets: Float[Array, "c n0 o"],
    *,
    network: TwoLayerNetwork,
    plan: Schedule,
    draw: Draw,
    tolerance: float,
    max_steps: int | None = None,
) -> tuple[
    dict[str, Float[Array, "e c ..."]],
    Float[Array, "e c"],
    Int[Array, "e c"],
    Float[Array, "e c"],
]:
    limit = plan.most_steps if max_steps is None else max_steps

    def train_one(
        key: Array, member: Array, component: Array, target: Float[Array, "n0 o"]
    ) -> tuple[dict[str, Array], Array, Array, Array]:
        own_key = jax.random.fold_in(jax.random.fold_in(key, member), component)
        weights = initial(network, own_key, antisymmetric=draw == "antisymmetric")
        if draw == "linearised":
            solved = linearised.solve(
                network, weights, target, tolerance=tolerance, max_steps=limit
            )
            start, shift = weights["params"], solved.shift["params"]
            # The output is linear in the weights and biases after the hidden units.
            found = {n: a + shift[n] if "output" in n else a for n, a in start.items()}
            found |= {f"{n}_shift": shift[n] for n in start if "hidden" in n}
            found["initial_output"] = start["output"]
            return found, solved.residual, solved.steps, jnp.zeros_like(solved.residual)
        trained = descend(network, weights, target, plan, tolerance=tolerance, max_steps=limit)
        return dict(trained.weights["params"]), *trained[1:]

    def on_one_device(members: Array, seed: Array, components: Array, targets: Array) -> Any:
        train_all_components = jax.vmap(train_one, in_axes=(None, None, 0, 0))
        return jax.vmap(train_all_components, in_axes=(None, 0, None, None))(
            jax.random.key(seed), members, components, targets
        )

    return devices.over_members(on_one_device)(members, seed, components, targets)
