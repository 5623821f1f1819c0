"""The engine of gaussian draws: drawn in the order of the steps, by the loop on the host."""

import dataclasses
import gc
import weakref

import jax
import numpy as np
import pytest

from ntkexec import executor, pipeline
from ntkexec.engines.gaussian import gaussian_engine
from ntkexec.ensemble import EnsembleConfig, GaussianEnsemble
from ntkexec.executor.encoding import encode


@pytest.fixture(scope="module")
def prepared():
    instance = pipeline.prepare("bfs", "path:5")
    certificate = pipeline.certify(
        instance.program, kind="joint", num_decisions=1, padding=0, instance=instance
    )
    return instance, certificate


def engine_of(certificate, *, members=2, seed=0):
    config = EnsembleConfig(members=members, draw="gaussian", seed=seed)
    return gaussian_engine(GaussianEnsemble(certificate.problem, config), certificate)


def run(engine, instance, **options):
    options = {"num_steps": instance.num_steps, "trace": True} | options
    return executor.execute(engine, instance.program, instance.graphs, **options)


def test_a_run_is_reproducible_from_its_seed(prepared):
    instance, certificate = prepared
    one, again, other = (run(engine_of(certificate, seed=s), instance) for s in (0, 0, 1))
    np.testing.assert_array_equal(one.trace, again.trace)
    for field in dataclasses.fields(one.verification):
        first, second = (getattr(found.verification, field.name) for found in (one, again))
        np.testing.assert_array_equal(first, second)
    assert one.verification.smallest_margin != other.verification.smallest_margin


def test_every_step_is_decided_by_the_draws_asked_in_the_order_of_the_steps(prepared):
    instance, certificate = prepared
    found = run(engine_of(certificate), instance)
    fresh = engine_of(certificate)
    margin, wrong = np.inf, 0
    split = instance.program.layout.num_computation_bits
    for before, after in zip(found.trace, found.trace[1:]):
        matches = encode(fresh.encoding, before.T)
        means = fresh.ensemble.means(np.asarray(matches.matched)).astype(np.float32)
        limits = np.asarray(fresh.thresholds)[:, np.asarray(matches.count[0])]
        decided = means > limits
        np.testing.assert_array_equal(after[:, :split], decided[:split].T)
        margin = min(margin, np.abs(means - limits).min())
        wrong += (decided != (np.asarray(matches.matched_writers) > 0)).sum()
    assert found.verification.wrong_bits == wrong
    assert found.verification.smallest_margin == margin


def test_states_that_are_asked_again_have_the_values_that_they_have(prepared):
    instance, certificate = prepared
    engine = engine_of(certificate)
    first = run(engine, instance)
    np.testing.assert_array_equal(run(engine, instance).trace, first.trace)
    matches = encode(engine.encoding, first.trace[1].T)
    np.testing.assert_array_equal(engine.means(matches), engine.means(matches))


@pytest.mark.parametrize(
    "options",
    [{}, {"until": "fixed-point"}, {"until": "halt", "halt": "reached"}, {"verify": False}],
    ids=str,
)
def test_enough_networks_run_as_the_program_does(prepared, options):
    instance, certificate = prepared
    many = certificate.ensemble_size(delta=1e-6, num_decisions=10**5)
    options = {"num_steps": 3 * instance.num_steps} | options
    found = run(engine_of(certificate, members=many), instance, **options)
    expected = run(pipeline.make_engine("boolean", certificate), instance, **options)
    np.testing.assert_array_equal(found.trace, expected.trace)
    for name in ("steps", "stopped", "collisions"):
        assert getattr(found, name) == getattr(expected, name)
    if options.get("verify", True):
        assert found.verification.exact
    else:
        assert found.verification is None


def test_an_ensemble_dies_with_its_engine(prepared):
    instance, certificate = prepared
    engine = engine_of(certificate)
    run(engine, instance)
    ensemble = weakref.ref(engine.ensemble)
    del engine
    gc.collect()
    assert ensemble() is None


def test_compiled_code_cannot_ask(prepared):
    """It might ask twice, or not at all."""
    instance, certificate = prepared
    engine = engine_of(certificate)
    matches = encode(engine.encoding, instance.initial.T)
    with pytest.raises(jax.errors.TracerArrayConversionError):
        jax.jit(engine.means)(matches)
    engine.means(matches)


def test_the_first_mistake_of_too_few_draws_is_explained(prepared):
    instance, certificate = prepared
    engines = (engine_of(certificate, members=1, seed=seed) for seed in range(20))
    runs = ((engine, run(engine, instance)) for engine in engines)
    engine, found = next(pair for pair in runs if not pair[1].verification.exact)
    told = executor.diagnose(engine, instance.program, found.verification)
    assert told.step == found.verification.first_wrong_step
    assert (told.mean > told.threshold) != told.expected
