"""The neural-tangents oracle: kernels, predictions and an engine by an independent second route.

`ntkexec.theory.kernel` and `ntkexec.theory.predictor` are closed forms for one hidden layer; here the same
numbers come from a general library and a dense solve, and other depths are within reach.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ntkexec import _neural_tangents
from ntkexec.errors import ProgramError
from ntkexec.executor.encoding import Encoding, Matches, index_arrays
from ntkexec.program.problem import LearningProblem, Stack
from ntkexec.theory.certificate import Certificate


class Kernels(NamedTuple):
    """Both infinite-width kernels of the same network."""

    nngp: Float[Array, "n1 n2"]
    ntk: Float[Array, "n1 n2"]


class Prediction(NamedTuple):
    """One output of the trained network, over initialisations, is Gaussian with these moments.

    mean: by test point and output.
    covariance: between test points, the same for every output; outputs are independent.
    """

    mean: Float[Array, "n k"]
    covariance: Float[Array, "n n"]


# Any: the type of a kernel function of neural-tangents, which it does not export.
def _kernel_fn(*, weight_std: float, bias_std: float, num_hidden_layers: int) -> Any:
    """Kernel function of the fully connected ReLU network; kernels do not depend on its widths."""
    if num_hidden_layers < 1:
        raise ProgramError(f"the network needs a hidden layer, got {num_hidden_layers}")
    stax = _neural_tangents.load().stax
    dense = stax.Dense(1, W_std=weight_std, b_std=bias_std, parameterization="ntk")
    # The angle of an input with itself is the root of a difference. Compiled, it is a rounding
    # error unless both norms are 1, to which this option scales the kernel for the time being:
    # without it the mean is off by up to 2e-5 in float32 and 8e-10 in float64 (n0 = 31 to 46).
    relu = stax.Relu(do_stabilize=True)
    return stax.serial(*[dense, relu] * num_hidden_layers, dense)[2]


# Any: likewise.
def _predict_fn(targets: Float[Array, "n0 k"], kernel_fn: Any) -> Any:
    inputs = jnp.eye(targets.shape[0], dtype=targets.dtype)
    predict = _neural_tangents.load().predict
    return predict.gradient_descent_mse_ensemble(kernel_fn, inputs, targets, diag_reg=0.0)


def kernels(
    x1: Float[Array, "n1 d"],
    x2: Float[Array, "n2 d"],
    *,
    weight_std: float = 1.0,
    bias_std: float = 0.0,
    num_hidden_layers: int = 1,
) -> Kernels:
    """NNGP and NTK of a ReLU network in the NTK parametrisation, by neural-tangents.

    Args:
        x1: one input per row.
        x2: the same, for the columns of the result.
        weight_std: standard deviation of a weight before the 1/sqrt(fan-in) factor.
        bias_std: standard deviation of a bias.
        num_hidden_layers: at least 1.

    Returns:
        Kernels in squared output units. Without biases they are, at one hidden layer and unit
        norms, `weight_std**4 / d` times those of `ntkexec.theory.kernel`, and 0 at a zero input.

    Raises:
        MissingExtraError: neural-tangents is not installed.
        ProgramError: no hidden layer.
    """
    kernel_fn = _kernel_fn(
        weight_std=weight_std, bias_std=bias_std, num_hidden_layers=num_hidden_layers
    )
    found = kernel_fn(x1, x2, ("nngp", "ntk"))
    return Kernels(found.nngp, found.ntk)


def predict(
    targets: Float[Array, "n0 k"],
    x_test: Float[Array, "n n0"],
    *,
    weight_std: float = 1.0,
    bias_std: float = 0.0,
    num_hidden_layers: int = 1,
) -> Prediction:
    """Mean and covariance of networks trained on the standard basis until their loss is zero.

    The training inputs are the rows of the identity. The kernel is not regularised: without
    biases the smallest eigenvalue of its Gram matrix stays away from 0 however large n0 is
    (`kernel.NTK_GAP` at one hidden layer, before the common factor).

    Args:
        targets: row i belongs to the standard basis vector e_i.
        x_test: one input per row.
        weight_std: standard deviation of a weight before the 1/sqrt(fan-in) factor.
        bias_std: standard deviation of a bias.
        num_hidden_layers: at least 1.

    Raises:
        MissingExtraError: neural-tangents is not installed.
        ProgramError: no hidden layer.

    Source: Lee et al., arXiv:1902.06720, equations 13 and 16, at infinite time.
    """
    kernel_fn = _kernel_fn(
        weight_std=weight_std, bias_std=bias_std, num_hidden_layers=num_hidden_layers
    )
    predict_fn = _predict_fn(targets, kernel_fn)
    found = predict_fn(x_test=x_test, get="ntk", compute_cov=True)
    return Prediction(found.mean, found.covariance)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _StackArrays:
    """Components of equal n0, all evaluated by one solve.

    components: which they are, rows of `Matches.count`.
    templates: rows of `Matches.matched`; unused places point at one that never matches.
    targets: as `LearningProblem.targets` has them.
    """

    components: Int[Array, "c"]
    templates: Int[Array, "c s"]
    targets: Float[Array, "c n0 o"]

    def means(self, matches: Matches, num_hidden_layers: int) -> Float[Array, "c o n"]:
        num_components, num_inputs, _ = self.targets.shape
        num_nodes = matches.matched.shape[1]
        count = matches.count[self.components].T
        matched = matches.matched[self.templates].transpose(2, 0, 1)
        norm = jnp.sqrt(jnp.maximum(count, 1).astype(self.targets.dtype))[:, :, None]
        padding = ((0, 0), (0, 0), (0, num_inputs - self.templates.shape[1]))
        encoded = jnp.pad(matched.astype(norm.dtype) / norm, padding)
        # The mean is linear in the targets, so that those of the identity, one output for every
        # training point, serve all components: they are what each training point contributes.
        identity = jnp.eye(num_inputs, dtype=self.targets.dtype)
        kernel_fn = _kernel_fn(weight_std=1.0, bias_std=0.0, num_hidden_layers=num_hidden_layers)
        predict_fn = _predict_fn(identity, kernel_fn)
        contributions = predict_fn(x_test=encoded.reshape(-1, num_inputs), get="ntk")
        contributions = contributions.reshape(num_nodes, num_components, num_inputs)
        # A network without biases maps 0 to 0 whatever its weights. The kernel has no angle there,
        # so we do not rely on what neural-tangents makes of it.
        contributions = jnp.where(count[:, :, None] > 0, contributions, 0)
        # Not the default precision: on an accelerator it would round float32 to fewer bits.
        return jnp.einsum(
            "nci,cio->con", contributions, self.targets, precision=jax.lax.Precision.HIGHEST
        )


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class OracleEngine:
    """The mean of the trained network over initialisations, by neural-tangents.

    A dense solve in every step: for cross-checks, not for speed.

    stacks: components of equal n0 together.
    row_of_bit: (bits,), where a bit's mean is among all components' outputs, one after another.
    num_hidden_layers: of the network; static.
    """

    encoding: Encoding
    thresholds: Float[Array, "k m"]
    stacks: tuple[_StackArrays, ...]
    row_of_bit: Int[Array, "k"]
    num_hidden_layers: int = dataclasses.field(metadata={"static": True})

    def means(self, matches: Matches) -> Float[Array, "k n"]:
        num_nodes = matches.matched.shape[1]
        found = [stack.means(matches, self.num_hidden_layers) for stack in self.stacks]
        rows = [stack_means.reshape(-1, num_nodes) for stack_means in found]
        # The last row is for the bits that nothing writes.
        rows.append(jnp.zeros((1, num_nodes), rows[0].dtype))
        return jnp.concatenate(rows)[self.row_of_bit]


def _stack_arrays(problem: LearningProblem, stack: Stack) -> _StackArrays:
    return _StackArrays(
        components=jnp.asarray(stack.components, jnp.int32),
        templates=jnp.asarray(problem.stack_templates(stack)),
        # float: float64 inside `precision.float64()`, else float32.
        targets=jnp.asarray(problem.targets(stack), float),
    )


def oracle_engine(certificate: Certificate, *, num_hidden_layers: int = 1) -> OracleEngine:
    """The infinite ensemble of a certificate, evaluated by neural-tangents.

    Args:
        certificate: the problem and its thresholds, which need not be certified. Its weight_std
            does not matter: without biases it drops out of the mean.
        num_hidden_layers: the certificate's theory is for 1; at other depths its thresholds carry
            no guarantee.

    Raises:
        MissingExtraError: neural-tangents is not installed.
        ProgramError: no hidden layer.
    """
    # Here and not only when the step is traced, so that both errors come at the boundary.
    _kernel_fn(weight_std=1.0, bias_std=0.0, num_hidden_layers=num_hidden_layers)
    problem = certificate.problem
    return OracleEngine(
        encoding=index_arrays(problem),
        thresholds=jnp.asarray(certificate.thresholds),
        stacks=tuple(_stack_arrays(problem, stack) for stack in problem.stacks),
        row_of_bit=jnp.asarray(problem.row_of_bit, jnp.int32),
        num_hidden_layers=num_hidden_layers,
    )
