"""The trained ensemble as an update engine: the mean of N networks, evaluated as one wide network."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ntkexec.certificate import Certificate
from ntkexec.encoding import Encoding, Matches, encoding
from ntkexec.engines import bit_thresholds
from ntkexec.ensemble.training import EnsembleConfig, Weights
from ntkexec.errors import EnsembleError
from ntkexec.problem import LearningProblem, Stack

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
    """

    templates: Int[Array, "c i"]
    components: Int[Array, "c"]
    hidden: Float[Array, "c i h"]
    output: Float[Array, "c h o"]
    hidden_bias: Float[Array, "c h"] | None
    output_bias: Float[Array, "c o"] | None

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
            x = matched.T / jnp.sqrt(jnp.maximum(count, 1).astype(stack.hidden.dtype))[:, None]
            before = jnp.matmul(x, stack.hidden, precision=jax.lax.Precision.HIGHEST)
            if stack.hidden_bias is not None:
                before = before + stack.hidden_bias[None]
            after = jnp.matmul(
                jax.nn.relu(before), stack.output, precision=jax.lax.Precision.HIGHEST
            )
            return (after if stack.output_bias is None else after + stack.output_bias[None]).T

        def of_chunk(arrays: tuple[Array, Array]) -> Array:
            count, matched = arrays
            rows = (self, count[self.components], matched[self.templates])
            together = max(1, ACTIVATION_BYTES // (4 * width * chunk))
            return jax.lax.map(of_component, rows, batch_size=min(together, num_components))

        outputs = jax.lax.map(of_chunk, (in_chunks(matches.count), in_chunks(matches.matched)))
        return jnp.moveaxis(outputs, 0, -2).reshape(*outputs.shape[1:3], -1)[..., :num_nodes]


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


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """A trained ensemble: the learning problem, how it was trained, and the weights by stack."""

    problem: LearningProblem
    config: EnsembleConfig
    weights: tuple[Weights, ...]

    def __post_init__(self) -> None:
        if len(self.weights) != len(self.problem.stacks):
            raise EnsembleError(
                f"{len(self.weights)} stacks of weights for a problem with {len(self.problem.stacks)}"
            )

    @property
    def residual(self) -> float:
        """Largest error of any network on its training set."""
        return max(float(w.residual.max()) for w in self.weights)

    @property
    def max_steps(self) -> int:
        """Most gradient steps that any network took."""
        return max(int(w.steps.max()) for w in self.weights)

    @property
    def num_parameters(self) -> int:
        return sum(
            array.size
            for weights in self.weights
            for array in (weights.hidden, weights.output, weights.hidden_bias, weights.output_bias)
            if array is not None
        )

    def first(self, members: int) -> "Ensemble":
        """The ensemble of the first `members` networks, the same as if trained with fewer.

        Raises:
            EnsembleError: there are not that many.
        """
        if not 1 <= members <= self.config.members:
            raise EnsembleError(f"the ensemble has {self.config.members} members, not {members}")
        kept = tuple(
            Weights._make(None if array is None else array[:members] for array in weights)
            for weights in self.weights
        )
        return Ensemble(self.problem, dataclasses.replace(self.config, members=members), kept)


def ensemble_engine(ensemble: Ensemble, certificate: Certificate) -> EnsembleEngine:
    """The ensemble as an engine, with the certificate's thresholds.

    Raises:
        EnsembleError: the certificate is for another learning problem.
    """
    problem = ensemble.problem
    if problem != certificate.problem:
        raise EnsembleError(
            f"the ensemble learned {problem.program!r} ({problem.kind}, padding {problem.padding}), "
            f"the certificate is for {certificate.problem.program!r} ({certificate.problem.kind}, "
            f"padding {certificate.problem.padding})"
        )
    return EnsembleEngine(
        encoding=encoding(problem),
        thresholds=bit_thresholds(certificate),
        stacks=tuple(
            _wide(ensemble.config, weights, problem, stack)
            for weights, stack in zip(ensemble.weights, problem.stacks, strict=True)
        ),
        row_of_bit=jnp.asarray(problem.row_of_bit, jnp.int32),
    )


def _wide(
    config: EnsembleConfig, weights: Weights, problem: LearningProblem, stack: Stack
) -> WideStack:
    members, _, num_inputs, width = weights.hidden.shape

    def side_by_side(array: np.ndarray, axis: int) -> np.ndarray:
        """Moves the members' axis next to the width's and joins the two."""
        moved = np.moveaxis(array, 0, axis - 1)
        shape = (*moved.shape[: axis - 1], -1, *moved.shape[axis + 1 :])
        return moved.reshape(shape)

    inner_scale = config.weight_std / num_inputs**0.5
    outer_scale = config.weight_std / width**0.5 / members
    hidden_bias, output_bias = weights.hidden_bias, weights.output_bias
    return WideStack(
        templates=jnp.asarray(problem.stack_templates(stack)),
        components=jnp.asarray(stack.components, jnp.int32),
        hidden=jnp.asarray(
            inner_scale * side_by_side(weights.hidden[:, :, : stack.num_templates], 3)
        ),
        output=jnp.asarray(outer_scale * side_by_side(weights.output, 2)),
        hidden_bias=(
            None
            if hidden_bias is None
            else jnp.asarray(config.bias_std * side_by_side(hidden_bias, 2))
        ),
        output_bias=None
        if output_bias is None
        else jnp.asarray(config.bias_std * output_bias.mean(0)),
    )
