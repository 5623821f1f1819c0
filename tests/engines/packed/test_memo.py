"""A tabulated ensemble decides as the networks do, also where they are wrong."""

import dataclasses
import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from ntkexec import ensemble, executor, pipeline
from ntkexec.engines.packed import memo, memo_engine
from ntkexec.ensemble import EnsembleConfig, decisions, evaluation
from ntkexec.errors import EnsembleError
from ntkexec.graphs import message_passing
from ntkexec.program.fields import Flag, Word
from ntkexec.program.layout import Layout
from ntkexec.program.program import Program
from ntkexec.program.templates import template


def trained(program, *, members=1, width=64, kind="factored", seed=0, threshold="bit"):
    certificate = pipeline.certify(program, kind=kind, num_decisions=1000, threshold=threshold)
    config = EnsembleConfig(members=members, width=width, seed=seed)
    return certificate, ensemble.train(certificate.problem, config)


def spoilt(networks, *, noise):
    """The same networks with noise on their output weights, so that they err."""
    rng = np.random.default_rng(0)
    weights = [
        w._replace(
            output=w.output + np.float32(noise) * rng.standard_normal(w.output.shape, np.float32)
        )
        for w in networks.weights
    ]
    return dataclasses.replace(networks, weights=tuple(weights))


def unions(word):
    """Bits that are unions of up to `word` inputs, so that many may match."""
    layout = Layout((Word("input", word), Flag("either"), Word("copy", word)))
    inputs = layout.bits("input")
    templates = [template({bit: 1}, [layout.bit("either")]) for bit in inputs]
    templates += [
        template({bit: 1, other: 0}, [layout.bit("copy", index)])
        for index, (bit, other) in enumerate(itertools.pairwise(inputs))
    ]
    return Program("unions", layout, tuple(templates))


def without_edges(states):
    nothing = np.zeros(0, int)
    return message_passing.graphs_tuple(nothing, nothing, len(states), nodes=states)


def one_step(engine, program, states):
    return executor.execute(
        engine, program, without_edges(states), num_steps=1, verify=False
    ).states


def test_wrong_decisions_of_weak_networks_are_kept():
    program = unions(6)
    certificate, networks = trained(program, threshold="shared")
    assert not memo_engine(networks, certificate).packed.corrections
    networks = spoilt(networks, noise=1.0)
    engine = memo_engine(networks, certificate)
    assert engine.packed.corrections
    assert (
        f"at {len(engine.packed.corrections)} of which the networks are wrong" in engine.relies_on
    )
    states = np.zeros((64, program.layout.num_bits), bool)
    states[:, :6] = list(itertools.product((False, True), repeat=6))
    plain = pipeline.make_engine("ensemble", certificate, networks)
    expected = one_step(plain, program, states)
    assert np.array_equal(one_step(engine, program, states), expected)
    # Without the corrections it would be the program, not the ensemble.
    kernel = pipeline.make_engine("kernel-packed", certificate)
    assert not np.array_equal(one_step(kernel, program, states), expected)


def test_a_run_equals_the_plain_ensembles():
    instance = pipeline.prepare("flooding", "petersen", message="1")
    certificate, networks = trained(instance.program, members=2, width=256)
    plain, packed = (
        executor.execute(
            pipeline.make_engine(name, certificate, networks),
            instance.program,
            instance.graphs,
            num_steps=instance.num_steps,
            trace=True,
        )
        for name in ("ensemble", "ensemble-memo")
    )
    assert np.array_equal(plain.trace, packed.trace)
    assert plain.verification.wrong_bits == packed.verification.wrong_bits
    assert plain.verification.smallest_margin == pytest.approx(
        packed.verification.smallest_margin, rel=1e-3
    )


def test_rounding_in_float32_stays_within_the_bound():
    program = unions(5)
    certificate, networks = trained(program, width=128)
    plain = pipeline.make_engine("ensemble", certificate, networks)
    problem, broken = certificate.problem, []
    for stack, wide in zip(problem.stacks, plain.stacks):
        for position, index in enumerate(stack.components):
            size = len(problem.components[index].templates)
            sets = np.array(list(itertools.product((False, True), repeat=size)))[1:]
            exact = evaluation.evaluate(evaluation.networks_of(networks, index), sets)
            means, errors = exact.mean[:, 0], exact.error()[:, 0]
            inputs = np.float32(sets) / np.sqrt(np.float32(np.maximum(sets.sum(1), 1)))[:, None]
            hidden = np.asarray(wide.hidden[position, :size])
            rounded = np.maximum(inputs @ hidden, 0) @ np.asarray(wide.output[position, :, 0])
            difference = np.abs(rounded - means)
            assert (difference <= errors).all()
            coarse = np.float64(wide.output[position, :, 0].astype(jnp.bfloat16))
            broken.append((np.abs(np.maximum(inputs @ hidden, 0) @ coarse - means) > errors).any())
    # A shorter mantissa breaks the bound, so it is no empty one.
    assert any(broken)


def test_means_that_are_no_numbers_are_refused(monkeypatch):
    certificate, networks = trained(unions(3), width=64)
    honest = decisions.evaluate

    def spoilt(*arguments):
        found = honest(*arguments)
        rows = np.arange(len(found.mean))[:, None]
        return dataclasses.replace(found, mean=np.where(rows == 1, np.nan, found.mean))

    monkeypatch.setattr(decisions, "evaluate", spoilt)
    with pytest.raises(EnsembleError, match="margin of nan"):
        pipeline.make_engine("ensemble-memo", certificate, networks)


def test_a_joint_ensemble_has_too_many_sets(monkeypatch):
    monkeypatch.setattr(memo, "MAX_SETS", 1 << 6)
    program = unions(7)
    certificate, networks = trained(program, kind="joint", width=1024)
    with pytest.raises(EnsembleError, match="more than 64 sets of matches"):
        memo_engine(networks, certificate)


def test_networks_that_are_mostly_wrong_are_refused(monkeypatch):
    monkeypatch.setattr(memo, "MAX_CORRECTIONS", 1)
    certificate, networks = trained(unions(6))
    with pytest.raises(EnsembleError, match="more than 1 sets of matches wrong"):
        memo_engine(spoilt(networks, noise=2.0), certificate)


def test_linearised_networks_are_tabulated_as_they_run():
    program = unions(5)
    certificate = pipeline.certify(program, num_decisions=1000, threshold="shared")
    config = EnsembleConfig(members=1, width=64, draw="linearised")
    networks = spoilt(ensemble.draw(certificate.problem, config), noise=1.0)
    engine = memo_engine(networks, certificate)
    assert engine.packed.corrections
    states = np.zeros((32, program.layout.num_bits), bool)
    states[:, :5] = list(itertools.product((False, True), repeat=5))
    plain = pipeline.make_engine("ensemble", certificate, networks)
    assert np.array_equal(one_step(engine, program, states), one_step(plain, program, states))


def test_networks_without_weights_are_not_tabulated():
    certificate = pipeline.certify(unions(2), num_decisions=1000)
    config = EnsembleConfig(members=1, width=64, draw="gaussian")
    networks = ensemble.draw(certificate.problem, config)
    with pytest.raises(EnsembleError, match="gaussian draws run as 'ensemble'"):
        memo_engine(networks, certificate)
