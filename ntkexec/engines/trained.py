"""The trained ensemble as an update engine: the mean of N networks, evaluated as one wide network."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ntkexec.engines.gaussian import GaussianEngine, gaussian_engine
from ntkexec.ensemble import thresholds as running_thresholds
from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.ensemble.gaussian import GaussianEnsemble
from ntkexec.ensemble.trained import Ensemble
from ntkexec.ensemble.weights import Weights
from ntkexec.errors import EnsembleError
from ntkexec.executor.encoding import Encoding, Matches, index_arrays
from ntkexec.program.problem import LearningProblem, Stack
from ntkexec.runtime import devices
from ntkexec.theory.certificate import Certificate

# Activations that one evaluation may hold.
ACTIVATION_BYTES = 128 << 20


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class WideStack:
    """All members of a stack side by side, scaled, so that one evaluation gives their mean.

    templates: rows of `Matches.matched` that a component reads; (components, inputs).
    components: which components; (components,).
    hidden: (components, inputs, members * width); padding inputs, always 0, are left out.
    output: (components, members * width, outputs).
    hidden_bias: (components, members * width), or None.
    output_bias: (components, outputs), or None.
    hidden_shift, hidden_bias_shift, initial_output: of linearised networks, see `Weights`; scaled
        alike, or None.
    """

    templates: Int[Array, "c i"]
    components: Int[Array, "c"]
    hidden: Float[Array, "c i h"]
    output: Float[Array, "c h o"]
    hidden_bias: Float[Array, "c h"] | None
    output_bias: Float[Array, "c o"] | None
    hidden_shift: Float[Array, "c i h"] | None = None
    hidden_bias_shift: Float[Array, "c h"] | None = None
    initial_output: Float[Array, "c h o"] | None = None

    def means(self, matches: Matches) -> Float[Array, "c o n"]:
        """Mean outputs of all components for all nodes."""
        num_components, _, width = self.hidden.shape
        num_nodes = matches.count.shape[1]
        chunk = max(1, min(num_nodes, ACTIVATION_BYTES // (4 * width)))
        num_chunks = -(-num_nodes // chunk)
        fill = num_chunks * chunk - num_nodes

        def in_chunks(rows: Array) -> Array:
            padded = jnp.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(0, fill)])
            return jnp.moveaxis(padded.reshape(*rows.shape[:-1], num_chunks, chunk), -2, 0)

        def of_component(arrays: tuple[WideStack, Int[Array, "n"], Bool[Array, "i n"]]) -> Array:
            stack, count, matched = arrays
            norm = jnp.sqrt(jnp.maximum(count, 1).astype(stack.hidden.dtype))
            x = matched.T.astype(norm.dtype) / norm[:, None]
            return stack.outputs(x).T

        def of_chunk(arrays: tuple[Array, Array]) -> Array:
            count, matched = arrays
            rows = (self, count[self.components], matched[self.templates])
            together = max(1, ACTIVATION_BYTES // (4 * width * chunk))
            if together >= num_components:
                return jax.vmap(of_component)(rows)
            return jax.lax.map(of_component, rows, batch_size=together)

        if num_chunks == 1:
            # No loop: one that turns once is compiled like any other.
            return of_chunk((matches.count, matches.matched))
        outputs = jax.lax.map(of_chunk, (in_chunks(matches.count), in_chunks(matches.matched)))
        return jnp.moveaxis(outputs, 0, -2).reshape(*outputs.shape[1:3], -1)[..., :num_nodes]

    def outputs(self, x: Float[Array, "n i"]) -> Float[Array, "n o"]:
        """Mean outputs of one component, whose arrays have no leading axis, for encoded match sets."""
        before = _product(x, self.hidden)
        if self.hidden_bias is not None:
            before = before + self.hidden_bias[None]
        after = _product(jax.nn.relu(before), self.output)
        if self.output_bias is not None:
            after = after + self.output_bias[None]
        if self.hidden_shift is None or self.initial_output is None:
            return after
        moved = _product(x, self.hidden_shift)
        if self.hidden_bias_shift is not None:
            moved = moved + self.hidden_bias_shift[None]
        return after + _product(jnp.where(before > 0, moved, 0), self.initial_output)


def _product(left: Float[Array, "n i"], right: Float[Array, "i o"]) -> Float[Array, "n o"]:
    # Not the default precision: on an accelerator it would round float32 to fewer bits.
    return jnp.matmul(left, right, precision=jax.lax.Precision.HIGHEST)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class EnsembleEngine:
    """N trained networks for every learning problem, averaged: the real thing.

    stacks: the networks.
    row_of_bit: `LearningProblem.row_of_bit`, into the outputs of all stacks and a last row of 0.
    """

    encoding: Encoding
    thresholds: Float[Array, "k m"]
    stacks: tuple[WideStack, ...]
    row_of_bit: Int[Array, "k"]

    def means(self, matches: Matches) -> Float[Array, "k n"]:
        outputs = [stack.means(matches) for stack in self.stacks]
        rows = [output.reshape(-1, output.shape[-1]) for output in outputs]
        nothing = jnp.zeros((1, matches.count.shape[1]), rows[0].dtype)
        return jnp.concatenate([*rows, nothing])[self.row_of_bit]


def ensemble_engine(
    ensemble: Ensemble | GaussianEnsemble, certificate: Certificate
) -> EnsembleEngine | GaussianEngine:
    """The ensemble as an engine, with the certificate's thresholds.

    Raises:
        EnsembleError: the certificate is for another learning problem, another kind of network, or
            other thresholds than those with which the ensemble was stored.
    """
    problem, config = ensemble.problem, ensemble.config
    if problem != certificate.problem:
        raise EnsembleError(
            f"the ensemble learned {problem.program!r} ({problem.kind}, padding {problem.padding}), "
            f"the certificate is for {certificate.problem.program!r} ({certificate.problem.kind}, "
            f"padding {certificate.problem.padding})"
        )
    certificate.require_networks(
        weight_std=config.weight_std, bias_std=config.bias_std, draw=config.draw
    )
    if isinstance(ensemble, GaussianEnsemble):
        return gaussian_engine(ensemble, certificate)
    table = running_thresholds.shared_by(ensemble.thresholds, certificate)
    return uncertified_engine(ensemble, table)


def uncertified_engine(ensemble: Ensemble, thresholds: Float[np.ndarray, "k m"]) -> EnsembleEngine:
    """Any networks with any thresholds, by bit and number of matches: nothing vouches for them."""
    problem = ensemble.problem
    return EnsembleEngine(
        encoding=index_arrays(problem),
        thresholds=devices.put(thresholds),
        stacks=tuple(
            wide_stack(ensemble.config, weights, problem, stack)
            for weights, stack in zip(ensemble.weights, problem.stacks, strict=True)
        ),
        row_of_bit=devices.put(problem.row_of_bit, np.int32),
    )


def wide_stack(
    config: EnsembleConfig, weights: Weights, problem: LearningProblem, stack: Stack
) -> WideStack:
    """The members of one stack side by side."""
    members, _, num_inputs, width = weights.hidden.shape

    # Any: an array, or None for None.
    def joined(array: np.ndarray | None, scale: float, axis: int) -> Any:
        """Moves the members' axis next to the width's, joins the two, and scales."""
        if array is None:
            return None
        moved = np.moveaxis(array, 0, axis - 1)
        shape = (*moved.shape[: axis - 1], -1, *moved.shape[axis + 1 :])
        return devices.spread(scale * moved.reshape(shape), axis - 1)

    def real(array: np.ndarray | None) -> np.ndarray | None:
        """Without the rows of padding inputs, which are always 0."""
        return None if array is None else array[:, :, : stack.num_templates]

    inner_scale = config.weight_std / num_inputs**0.5
    outer_scale = config.weight_std / width**0.5 / members
    return WideStack(
        templates=devices.put(problem.stack_templates(stack)),
        components=devices.put(np.array(stack.components), np.int32),
        hidden=joined(real(weights.hidden), inner_scale, 3),
        output=joined(weights.output, outer_scale, 2),
        hidden_bias=joined(weights.hidden_bias, config.bias_std, 2),
        output_bias=None
        if weights.output_bias is None
        else devices.put(config.bias_std * weights.output_bias.mean(0)),
        hidden_shift=joined(real(weights.hidden_shift), inner_scale, 3),
        hidden_bias_shift=joined(weights.hidden_bias_shift, config.bias_std, 2),
        initial_output=joined(weights.initial_output, outer_scale, 2),
    )
