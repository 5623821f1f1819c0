"""Kernels of other networks: against neural-tangents, and the numbers of the theory."""

import functools
import math

import jax.numpy as jnp
import numpy as np
import pytest
from support.certificates import read_states, thresholds_of
from support.programs import expected_bits, matched_table, written_table

import ntkexec
from ntkexec import _neural_tangents
from ntkexec.engines.registry import make_engine
from ntkexec.errors import CertificateError, NtkexecError
from ntkexec.program.problem import LearningProblem
from ntkexec.runtime.precision import float64
from ntkexec.theory import predictor
from ntkexec.theory.at_width import AtWidth
from ntkexec.theory.certificate import Certificate
from ntkexec.theory.dot_product import TWO_LAYER_RELU, DotProductKernel, writers_below
from ntkexec.theory.match_bound import state_bound
from proofs_check.fixtures.programs import collision_program

KERNELS = (
    TWO_LAYER_RELU,
    DotProductKernel(trained="nngp"),
    DotProductKernel(depth=3),
    DotProductKernel(depth=5),
    DotProductKernel(bias_std=1.0),
    DotProductKernel(depth=2, trained="nngp", bias_std=0.5),
    DotProductKernel(activation="erf"),
    DotProductKernel(depth=2, activation="erf", bias_std=0.7),
    DotProductKernel(activation="linear"),
    DotProductKernel(activation="linear", bias_std=0.3),
)
BY_NAME = pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.told)
# Two float64 routes, one of which solves with a Gram matrix of condition below 100.
CLOSE = {"rtol": 0, "atol": 1e-11}
NUM_TEMPLATES = 9
COUNTS = np.array([0, 1, 2, 4, 9])


@functools.cache
def matrices(kernel, num_templates):
    """NNGP kernel and NTK by neural-tangents, of rows, in the scale of `DotProductKernel`."""
    stax = _neural_tangents.load().stax
    layer = {"relu": lambda: stax.Relu(do_stabilize=True), "erf": stax.Erf}.get(kernel.activation)
    deviation, bias = 2**0.5 if kernel.activation == "relu" else 1.0, kernel.bias_std
    layers = [stax.Dense(1, W_std=num_templates**0.5, b_std=bias or None)]
    for _ in range(kernel.depth):
        layers += [layer()] if layer is not None else []
        layers += [stax.Dense(1, W_std=deviation, b_std=bias or None)]
    *_, of = stax.serial(*layers)

    def by_library(rows):
        with float64():
            x = jnp.asarray(rows)
            found = of(x, x, ("nngp", "ntk"))
            nngp, ntk = (np.array(k, np.float64) for k in (found.nngp, found.ntk))
        unit = int(np.argmax(np.linalg.norm(rows, axis=1)))
        if not kernel.has_biases:
            # A row of zeros has no angle; whatever the weights, the output is 0 there.
            silent = ~rows.any(axis=1)
            for k in (nngp, ntk):
                k[silent] = k[:, silent] = 0
        return nngp * 0.5 / nngp[unit, unit], ntk * 0.5 / nngp[unit, unit]

    return by_library


@pytest.mark.parametrize(
    "fields",
    [
        {"activation": "erf", "depth": 100, "bias_std": 1.0},
        {"activation": "erf", "bias_std": 1e4},
        {"bias_std": 9e5},
        {"bias_std": 9e5, "activation": "linear", "trained": "nngp"},
    ],
    ids=str,
)
def test_a_kernel_whose_differences_are_rounding_is_refused(fields):
    with pytest.raises(CertificateError, match="drowns in rounding"):
        DotProductKernel(**fields)
    # What is accepted has a variance that is one.
    near = DotProductKernel(**fields | {"bias_std": 1e-3 * fields["bias_std"]})
    assert predictor.variance(4, 40, weight_std=1.0, kernel=near) > 0


def solved(kernel, matched):
    """v(x), with which targets are combined, and the covariance of all outputs, by a dense solve."""
    n0 = matched.shape[1]
    rows = matched / np.sqrt(np.maximum(matched.sum(axis=1, keepdims=True), 1))
    nngp, ntk = matrices(kernel, n0)(np.concatenate([np.eye(n0), rows]))
    learned = ntk if kernel.trained == "ntk" else nngp
    v = np.linalg.solve(learned[:n0, :n0], learned[:n0, n0:]).T
    apart = np.concatenate([-v, np.eye(len(rows))], axis=1)
    return v, apart @ nngp @ apart.T / n0


@BY_NAME
def test_coefficients_variance_and_covariance_are_those_of_neural_tangents(kernel):
    matched = np.arange(NUM_TEMPLATES) < COUNTS[:, None]
    v, covariance = solved(kernel, matched)
    alpha, beta = predictor.coefficients(COUNTS, NUM_TEMPLATES, kernel=kernel)
    np.testing.assert_allclose(np.where(matched, alpha[:, None], beta[:, None]), v, **CLOSE)
    np.testing.assert_allclose(
        predictor.variance(COUNTS, NUM_TEMPLATES, kernel=kernel), np.diag(covariance), **CLOSE
    )
    found = predictor.covariance(
        COUNTS[:, None],
        COUNTS[None],
        np.minimum(COUNTS[:, None], COUNTS[None]),
        NUM_TEMPLATES,
        kernel=kernel,
    )
    np.testing.assert_allclose(found, covariance, **CLOSE)
    # Another depth is another kernel.
    other = DotProductKernel(kernel.depth + 1, kernel.trained, kernel.activation, kernel.bias_std)
    if kernel.activation != "linear":
        moved = predictor.coefficients(COUNTS, NUM_TEMPLATES, kernel=other).matched
        assert abs(moved - alpha).max() > 1e-3


def test_the_general_recursion_gives_the_closed_form_of_two_layers():
    u = np.linspace(-1, 1, 41)
    nngp, ntk = TWO_LAYER_RELU._recursion(u, 1.0, 1.0)
    np.testing.assert_allclose(nngp / 2, TWO_LAYER_RELU.prior(u), atol=1e-14)
    np.testing.assert_allclose(ntk / 2, TWO_LAYER_RELU.learned(u), atol=1e-14)


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        (TWO_LAYER_RELU, (19.4, 7.4, 11.4, 11.1)),
        (DotProductKernel(trained="nngp"), (13.4, 6.3, 10.1, 10.2)),
        (DotProductKernel(depth=3), (math.inf, 16, 22, 17)),
        (DotProductKernel(depth=5), (math.inf, math.inf, math.inf, 43)),
        (DotProductKernel(bias_std=1.0), (13.8, 6.3, 10.2, 10.3)),
        (DotProductKernel(activation="erf"), (math.inf,) * 4),
        (DotProductKernel(activation="linear"), (math.inf,) * 4),
    ],
    ids=lambda value: value.told if isinstance(value, DotProductKernel) else "",
)
def test_writers_that_one_threshold_allows_are_those_of_the_theory(kernel, expected):
    sizes = ((4, 20), (12, 46), (15, 100), (27, 206))
    found = [writers_below(kernel, m, n0) for m, n0 in sizes]
    for one, known, (m, n0) in zip(found, expected, sizes, strict=True):
        # As many digits as are known.
        digits = 0 if isinstance(known, int) else 1
        assert known == (one if math.isinf(one) else round(one, digits))
        alpha, beta = (float(x) for x in predictor.coefficients(m, n0, kernel=kernel))
        if math.isfinite(one):
            # The criterion is where the mean changes its sign.
            assert alpha + (math.ceil(one) - 2) * beta > 0 >= alpha + (math.ceil(one) - 1) * beta
        else:
            assert beta >= 0


@BY_NAME
@pytest.mark.parametrize("convention", ["bit", "shared"])
def test_a_certificate_of_another_kernel_says_how_far_means_are_from_thresholds(kernel, convention):
    program = collision_program(4, 3)
    problem = LearningProblem(program, "joint", 2)
    found = Certificate(problem, state_bound(problem), convention=convention, kernel=kernel)
    states = read_states(program)
    matched = matched_table(program, states)
    inputs = np.pad(matched, ((0, 0), (0, 2)))
    v, covariance = solved(kernel, inputs)
    means = v[:, : program.num_templates] @ written_table(program)
    ones, thresholds = expected_bits(program, states), thresholds_of(found, states)
    distance = np.where(ones, means - thresholds, thresholds - means)
    some = matched.any(axis=1) | kernel.has_biases
    # Thresholds are float32 numbers, so means in float64 are as far from them as the certificate says.
    smallest = distance[some].min()
    assert smallest >= found.smallest_margin - 1e-11
    assert found.certified == bool(found.smallest_margin > 0)
    assert found.certified or convention == "shared"
    # The spread of a written bit at the number of matches of each state.
    (bit,) = program.layout.bits("target")[:1]
    spread = found.variances[bit, matched.sum(axis=1)]
    np.testing.assert_allclose(spread, np.where(some, np.diag(covariance), 0), **CLOSE)


def test_certify_takes_a_kernel_and_says_so():
    program = collision_program(4, 3)
    deep = ntkexec.certify(program, kind="joint", kernel=DotProductKernel(depth=3))
    plain = ntkexec.certify(program, kind="joint")
    assert deep.certified
    assert deep.smallest_margin != plain.smallest_margin
    assert "ReLU NTK, 3 hidden layers; in the limit alone" in str(deep)
    assert "3 hidden layers" in repr(deep)
    assert "kernel" not in dict(plain.rows())
    # Nothing runs it, and no width is claimed for it.
    for name in ("kernel", "ensemble", "boolean"):
        with pytest.raises(
            CertificateError,
            match="not of the ReLU NTK, 3 hidden layers",
        ):
            make_engine(name, deep)
    assert "not the ReLU NTK, 3 hidden layers" in AtWidth(deep, 1024, "auto").not_covered
    with pytest.raises(NtkexecError, match="not 'kernel'"):
        ntkexec.run("flooding", "path:3", kernel=DotProductKernel(depth=3))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"depth": 0}, "1 to 100 hidden layers, got depth 0"),
        ({"trained": "all"}, "trained is ntk, nngp, not 'all'"),
        ({"activation": "tanh"}, "activation is relu, erf, linear, not 'tanh'"),
        ({"bias_std": -1.0}, "bias_std must lie between 0 and a million, got -1"),
    ],
)
def test_a_kernel_that_there_is_not_is_refused(wrong, message):
    with pytest.raises(CertificateError, match=message):
        DotProductKernel(**wrong)
