"""The neural-tangents oracle: its import, its networks, and its engine beside the kernel engine."""

import contextlib
import itertools
import subprocess
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkexec import _neural_tangents, executor
from ntkexec.engines import neural_tangents
from ntkexec.engines.boolean import boolean_engine
from ntkexec.engines.kernel import kernel_engine
from ntkexec.engines.neural_tangents import oracle_engine
from ntkexec.errors import MissingExtraError, ProgramError
from ntkexec.executor.encoding import encode
from ntkexec.executor.protocol import decide
from ntkexec.graphs.message_passing import graphs_tuple
from ntkexec.language import initial_states
from ntkexec.program.fields import Flag
from ntkexec.program.layout import Layout
from ntkexec.program.problem import LearningProblem
from ntkexec.program.program import Program
from ntkexec.program.templates import template
from ntkexec.programs.graph import flooding, floods
from ntkexec.runtime import precision
from ntkexec.theory.certificate import Certificate
from ntkexec.theory.kernel import NTK_GAP, NTK_ORTHOGONAL
from ntkexec.theory.match_bound import given_bound
from ntkexec.vocabulary import KINDS

# Two float64 routes.
FLOAT64 = 1e-12
NUM_BITS = 8


def float32_bound(num_inputs):
    """Eight units in the last place, times the condition number of the system that is solved."""
    condition = 1 + NTK_ORTHOGONAL * num_inputs / NTK_GAP
    return max(1e-6, 8 * np.finfo(np.float32).eps * condition)


def scope(dtype):
    return precision.float64() if dtype == np.float64 else contextlib.nullcontext()


# Import.


def run(code):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )


def test_the_import_brings_no_tensorflow_makes_no_noise_and_leaves_jax_as_it_was():
    found = run(
        "import sys, jax.core, jax.interpreters.ad as ad\n"
        "before = set(vars(jax.core)) | set(vars(ad))\n"
        "from ntkexec import _neural_tangents\nfrom ntkexec.engines import neural_tangents\n"
        "assert 'neural_tangents' not in sys.modules\n"
        "package = _neural_tangents.load()\n"
        "assert package is _neural_tangents.load() is sys.modules['neural_tangents']\n"
        "assert package.__version__ and package.stax and package.predict\n"
        "assert set(vars(jax.core)) | set(vars(ad)) == before\n"
        "for name in ('tensorflow', 'tf2jax', 'neural_tangents.experimental'):\n"
        "    assert name not in sys.modules, name\n"
        "assert vars(sys.modules.get('jax.util', jax))['__spec__']\n"  # if there, JAX's own
        "assert not hasattr(package, 'experimental')\n"
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_the_subprocess_would_notice_a_failure():
    assert run("import sys; assert 'sys' not in sys.modules").returncode == 1


@pytest.fixture
def load_anew():
    _neural_tangents.load.cache_clear()
    yield
    _neural_tangents.load.cache_clear()


def test_a_package_that_was_imported_already_is_taken_as_it_is(monkeypatch, load_anew):
    package = types.ModuleType("neural_tangents")
    monkeypatch.setitem(sys.modules, "neural_tangents", package)
    assert _neural_tangents.load() is package


def test_without_neural_tangents_the_error_names_the_extra(monkeypatch, load_anew):
    monkeypatch.setitem(sys.modules, "neural_tangents", None)  # blocks the import
    message = r"ntkexec\[oracle\] \(in a checkout: pip install -e '\.\[oracle\]'\)"
    with pytest.raises(MissingExtraError, match=message):
        neural_tangents.kernels(jnp.eye(2), jnp.eye(2))
    with pytest.raises(MissingExtraError, match=message):
        neural_tangents.predict(jnp.eye(2), jnp.eye(2))
    with pytest.raises(MissingExtraError, match=message):
        oracle_engine(certificate(random_program(0), "joint", 0))
    assert vars(sys.modules.get("jax.util", types))["__spec__"]  # if there, JAX's own


# neural-tangents asks for the size of a shape; that works, but will not for ever.
@pytest.mark.filterwarnings("ignore:size requires ndarray:DeprecationWarning")
@pytest.mark.parametrize("implementation", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_empirical_kernels_work_after_the_aliases_are_gone(implementation):
    package = _neural_tangents.load()
    init, apply, _ = package.stax.serial(
        package.stax.Dense(16), package.stax.Relu(), package.stax.Dense(1)
    )
    x = jax.random.normal(jax.random.key(0), (3, 4))
    _, params = init(jax.random.key(1), x.shape)

    def squared_jacobian(x):
        jacobian = jax.jacobian(apply)(params, x)
        rows = [leaf.reshape(3, -1) for leaf in jax.tree.leaves(jacobian)]
        return sum(row @ row.T for row in rows)

    ntk = package.empirical_ntk_fn(apply, implementation=implementation)(x, None, params)
    np.testing.assert_allclose(ntk, squared_jacobian(x), rtol=1e-4)


# Kernels and predictions at any depth, against a recursion that is written down once more.


def dense_kernels(x1, x2, *, weight_std, bias_std, num_hidden_layers):
    weight, bias, fan_in = weight_std**2, bias_std**2, x1.shape[1]
    nngp = weight * x1 @ x2.T / fan_in + bias
    variance1 = weight * (x1**2).sum(1) / fan_in + bias
    variance2 = weight * (x2**2).sum(1) / fan_in + bias
    ntk = nngp
    for _ in range(num_hidden_layers):
        scale = np.sqrt(np.outer(variance1, variance2))
        cosine = np.clip(nngp / scale, -1, 1)
        angle = np.arccos(cosine)
        slope = (np.pi - angle) / (2 * np.pi)
        nngp = weight * scale * (np.sin(angle) / (2 * np.pi) + cosine * slope) + bias
        ntk = nngp + weight * slope * ntk
        variance1, variance2 = (weight * v / 2 + bias for v in (variance1, variance2))
    return nngp, ntk


NETWORKS = [
    {"weight_std": 1.0, "bias_std": 0.0, "num_hidden_layers": 1},
    {"weight_std": 1.4, "bias_std": 0.0, "num_hidden_layers": 2},
    {"weight_std": 1.3, "bias_std": 0.4, "num_hidden_layers": 3},
]


@pytest.mark.parametrize("network", NETWORKS)
def test_kernels_are_those_of_the_recursion(network):
    generator = np.random.default_rng(0)
    x1, x2 = generator.normal(size=(4, 5)), generator.normal(size=(6, 5))
    expected = dense_kernels(x1, x2, **network)
    with precision.float64():
        found = jax.jit(lambda a, b: neural_tangents.kernels(a, b, **network))(
            jnp.asarray(x1), jnp.asarray(x2)
        )
        np.testing.assert_allclose(np.asarray(found.nngp), expected[0], rtol=1e-12)
        np.testing.assert_allclose(np.asarray(found.ntk), expected[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("network", NETWORKS)
def test_predictions_are_those_of_the_recursion_and_a_dense_solve(network):
    x_test, train = np.random.default_rng(1).normal(size=(4, 5)), np.eye(5)
    targets = np.random.default_rng(2).normal(size=(5, 3))
    nngp_train, ntk_train = dense_kernels(train, train, **network)
    nngp_cross, ntk_cross = dense_kernels(x_test, train, **network)
    nngp_test, _ = dense_kernels(x_test, x_test, **network)
    weights = np.linalg.solve(ntk_train, ntk_cross.T).T
    cross = weights @ nngp_cross.T
    covariance = nngp_test + weights @ nngp_train @ weights.T - cross - cross.T
    with precision.float64():
        found = jax.jit(lambda y, x: neural_tangents.predict(y, x, **network))(
            jnp.asarray(targets), jnp.asarray(x_test)
        )
        np.testing.assert_allclose(np.asarray(found.mean), weights @ targets, rtol=0, atol=FLOAT64)
        np.testing.assert_allclose(np.asarray(found.covariance), covariance, rtol=0, atol=FLOAT64)


def test_a_network_without_a_hidden_layer_is_refused():
    for use in (
        lambda: neural_tangents.kernels(jnp.eye(2), jnp.eye(2), num_hidden_layers=0),
        lambda: neural_tangents.predict(jnp.eye(2), jnp.eye(2), num_hidden_layers=0),
        lambda: oracle_engine(certificate(random_program(0), "joint", 0), num_hidden_layers=0),
    ):
        with pytest.raises(ProgramError, match="needs a hidden layer, got 0"):
            use()


# Engine.


def random_program(seed, num_templates=9):
    """Templates of one to three conditions over all bits; they write all bits but the last."""
    generator = np.random.default_rng(seed)
    layout = Layout(tuple(map(Flag, "abcde")), tuple(map(Flag, "xyz")))
    outputs = {}
    while len(outputs) < num_templates:
        read = generator.choice(NUM_BITS, generator.integers(1, 4), replace=False)
        values = generator.integers(0, 2, len(read))
        condition = tuple(sorted(zip(read.tolist(), values.tolist(), strict=True)))
        written = generator.choice(NUM_BITS - 1, generator.integers(1, 3), replace=False)
        outputs[condition] = written.tolist()
    templates = [template(when, then) for when, then in outputs.items()]
    return Program("random", layout, tuple(templates))


def certificate(program, kind, padding):
    problem = LearningProblem(program, kind, padding)
    return Certificate(problem, given_bound(problem, program.num_templates))


def all_states():
    """Every assignment of the bits, bit-major."""
    return jnp.asarray(np.arange(2**NUM_BITS) >> np.arange(NUM_BITS)[:, None] & 1 == 1)


@jax.jit
def means_of(engine, states):
    return engine.means(encode(engine.encoding, states))


# Either program in one precision; in the other on demand.
@pytest.mark.parametrize(
    ("seed", "padding", "dtype"),
    [
        (0, 0, np.float32),
        (1, 5, np.float64),
        pytest.param(0, 0, np.float64, marks=pytest.mark.slow),
        pytest.param(1, 5, np.float32, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_the_oracle_engine_is_the_kernel_engine_on_every_state(seed, kind, padding, dtype):
    certified = certificate(random_program(seed), kind, padding)
    with scope(dtype):
        matches = jax.jit(encode)(kernel_engine(certified).encoding, all_states())
        found = np.asarray(means_of(oracle_engine(certified), all_states()))
        expected = np.asarray(means_of(kernel_engine(certified), all_states()))
    assert found.dtype == expected.dtype == dtype
    bound = FLOAT64 if dtype == np.float64 else float32_bound(certified.problem.num_inputs.max())
    # Relative to what the templates of a bit contribute; a few states match all its writers.
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound * max(1, expected.max()))
    # Exactly 0 where nothing matches, and at the bit that nothing writes.
    owner = certified.problem.component_of_bit
    unmatched = np.asarray(matches.count)[owner] == 0
    assert unmatched.any()
    assert (found[unmatched] == 0).all()
    assert certified.problem.program.num_writers[-1] == 0
    assert (found[-1] == 0).all()


def test_the_comparison_of_engines_notices_one_padding_template():
    with precision.float64():
        oracle_means, kernel_means = (
            np.asarray(means_of(engine(certificate(random_program(0), "joint", p)), all_states()))
            for engine, p in ((oracle_engine, 0), (kernel_engine, 1))
        )
    assert np.abs(oracle_means - kernel_means).max() > 1e-3


def test_at_two_hidden_layers_the_engine_solves_the_kernel_of_that_depth():
    program = random_program(3)
    certified = certificate(program, "joint", 2)
    num_inputs = program.num_templates + 2
    with precision.float64():
        engine = oracle_engine(certified, num_hidden_layers=2)
        matched = np.asarray(jax.jit(encode)(engine.encoding, all_states()).matched)[:-1].T
        found = np.asarray(means_of(engine, all_states())).T
    some = matched.any(axis=1)
    states = np.pad(matched[some] / np.sqrt(matched[some].sum(axis=1))[:, None], ((0, 0), (0, 2)))
    network = {"weight_std": 1.0, "bias_std": 0.0, "num_hidden_layers": 2}
    _, train = dense_kernels(np.eye(num_inputs), np.eye(num_inputs), **network)
    _, cross = dense_kernels(states, np.eye(num_inputs), **network)
    targets = np.pad(program.training_set()[1], ((0, 2), (0, 0)))
    expected = cross @ np.linalg.solve(train, targets)
    np.testing.assert_allclose(found[some], expected, rtol=0, atol=FLOAT64)
    assert (found[~some] == 0).all()
    with precision.float64():
        shallow = np.asarray(means_of(oracle_engine(certified), all_states())).T
    assert np.abs(shallow - found).max() > 1e-3


# Every state with every kind and precision: `test_the_oracle_engine_is_the_kernel_engine...`.
@pytest.mark.parametrize(
    "kind, dtype",
    [
        pytest.param(*row, marks=() if row == ("factored", np.float32) else pytest.mark.slow)
        for row in itertools.product(KINDS, [np.float32, np.float64])
    ],
)
def test_flooding_on_a_cycle_is_exact_with_the_oracle_engine(kind, dtype):
    program = flooding.program(degree=2, slots=5, message_bits=2, arrival_bits=2)
    certified = certificate(program, kind, 0)
    node = np.arange(5)
    senders = np.concatenate([node, (node + 1) % 5])
    receivers = np.concatenate([(node + 1) % 5, node])
    values = {"colour": node, "informed": node == 0, "message": 2 * (node == 0)}
    states = initial_states(program, 5, values)
    graphs = graphs_tuple(senders, receivers, 5, nodes=states)
    with scope(dtype):
        executions = [
            executor.execute(engine(certified), program, graphs, num_steps=flooding.num_steps(2))
            for engine in (oracle_engine, kernel_engine, boolean_engine)
        ]
    by_oracle, by_kernel, by_program = executions
    assert by_oracle.verification.exact
    np.testing.assert_array_equal(by_oracle.states, by_program.states)
    np.testing.assert_array_equal(
        floods.answer(program, by_oracle.states)["arrival"], [0, 1, 2, 2, 1]
    )
    difference = by_oracle.verification.smallest_margin - by_kernel.verification.smallest_margin
    bound = FLOAT64 if dtype == np.float64 else float32_bound(certified.problem.num_inputs.max())
    assert abs(difference) < bound


def test_the_compiled_loop_traces_the_oracle_a_fixed_number_of_times(monkeypatch):
    # Once a stack, not once a component: a program may have hundreds of those.
    certified = certificate(random_program(0, 5), "factored", 1)
    traces = []
    inner = neural_tangents._predict_fn
    monkeypatch.setattr(
        neural_tangents, "_predict_fn", lambda *args: traces.append(args) or inner(*args)
    )
    with precision.float64():
        engine = oracle_engine(certified)
        decision = jax.jit(lambda e, s: decide(e, encode(e.encoding, s)))
        for _ in range(2):
            decision(engine, all_states())
    assert len(traces) == len(certified.problem.stacks) <= len(certified.problem.components)
