"""What a run is made of, for each way to ask for it, and the words of what is refused."""

import pytest

from ntkexec import ensemble, pipeline
from ntkexec.certifying import Certifying
from ntkexec.ensemble import EnsembleConfig, GaussianEnsemble, thresholds
from ntkexec.errors import CertificateError, EnsembleError, NtkexecError, ProgramError


def run(**options):
    return pipeline.run("bfs", "path:4", **options)


@pytest.mark.parametrize(
    ("asked", "kind", "padding", "convention", "most"),
    [
        ({}, "factored", 0, "bit", 3),
        ({"kind": "joint"}, "joint", 0, "bit", 10),
        ({"kind": "joint", "padding": 40}, "joint", 40, "bit", 10),
        ({"kind": "joint", "threshold": "shared", "bound": "states"}, "joint", 67, "shared", 16),
        ({"kind": "joint", "threshold": "zero"}, "joint", 0, "zero", 10),
        ({"bound": 2}, "factored", 0, "bit", 2),
        ({"bound": 1}, "factored", 0, "bit", 1),
    ],
    ids=str,
)
def test_a_run_is_certified_as_it_is_asked_to_be(asked, kind, padding, convention, most):
    found = run(engine="kernel", **asked)
    assert found.exact
    certificate = found.certificate
    assert (certificate.problem.kind, certificate.problem.padding) == (kind, padding)
    assert (certificate.convention, certificate.max_matches) == (convention, most)
    assert found.ensemble is None
    assert found.finite_width is None
    assert found.train_seconds == 0


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (
            {"members": 2, "width": 256, "seed": 3},
            EnsembleConfig(members=2, width=256, seed=3),
        ),
        (
            {"descent": "plain", "weight_std": 2.0, "width": 1024, "members": 1},
            EnsembleConfig(members=1, width=1024, descent="plain", weight_std=2.0),
        ),
        pytest.param(
            {"draw": "linearised"},
            EnsembleConfig(members=1, width=1024, draw="linearised"),
            marks=pytest.mark.slow,
        ),
        ({"draw": "gaussian"}, EnsembleConfig(members=1, width=1024, draw="gaussian")),
        ({"engine": "ensemble-memo"}, EnsembleConfig(members=1, width=1024)),
    ],
    ids=str,
)
def test_networks_are_drawn_as_they_are_asked_to_be(asked, expected):
    found = run(**asked)
    assert found.ensemble.config == expected
    assert isinstance(found.ensemble, GaussianEnsemble) == (asked.get("draw") == "gaussian")
    assert (found.finite_width is None) == (asked.get("draw") == "gaussian")
    assert found.train_seconds > 0


@pytest.mark.parametrize(
    ("asked", "steps", "verified", "traced"),
    [
        ({}, 7, True, False),
        ({"until": "fixed-point"}, 7, True, False),
        ({"verify": False}, 7, False, False),
        ({"trace": True}, 7, True, True),
    ],
    ids=str,
)
def test_an_execution_goes_as_far_and_keeps_as_much_as_is_asked(asked, steps, verified, traced):
    execution = run(engine="boolean", **asked).execution
    assert execution.steps == steps
    assert (execution.verification is not None, execution.trace is not None) == (verified, traced)


def test_a_linear_read_out_runs_without_a_certificate_and_networks_do_not():
    asked = {"kind": "joint", "threshold": "zero", "padding": 0, "bound": "states"}
    found = run(engine="linear", **asked)
    assert found.exact
    assert not found.certificate.certified
    with pytest.raises(CertificateError, match=r"not certified: bit .* at m = "):
        run(engine="kernel", **asked)


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"engine": "kernal"}, NtkexecError, "no engine 'kernal'; .*; did you mean 'kernel'"),
        ({"kind": "single"}, ProgramError, "ensemble kind 'single'; there are factored and joint"),
        ({"colour": 3}, NtkexecError, "bfs takes the inputs .*, not 'colour'"),
        ({"weights": "weight"}, NtkexecError, "bfs reads no weights, but 'weight' was given"),
        ({"delta": 2.0}, CertificateError, "delta must lie between 0 and 1, got 2.0"),
        ({"bound": "all"}, CertificateError, "matches is states, graph or a number, not 'all'"),
        ({"threshold": "two"}, CertificateError, "thresholds is zero, shared, bit, not 'two'"),
        ({"weight_std": 0.0}, CertificateError, "weight_std must be positive, got 0"),
        ({"until": "halt"}, NtkexecError, "bfs has no halt flag; it can run until steps or"),
        ({"until": "never"}, ProgramError, "until is steps, fixed-point or halt, not 'never'"),
        ({"engine": "ensemble", "members": 0}, EnsembleError, "members must be at least 1, got 0"),
        ({"engine": "ensemble", "width": 0}, EnsembleError, "width must be at least 1, got 0"),
        ({"engine": "ensemble", "seed": -1}, EnsembleError, "seed must lie between 0 and 2"),
        (
            {"engine": "ensemble", "descent": "up"},
            CertificateError,
            "descent is auto, .*, not 'up'",
        ),
        (
            {"engine": "ensemble-memo", "draw": "gaussian"},
            EnsembleError,
            "ensemble-memo tabulates networks that have weights",
        ),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named(asked, error, words):
    with pytest.raises(error, match=words):
        run(**{"engine": "kernel", **asked})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    instance = pipeline.prepare("bfs", "path:n=4")
    certificate = pipeline.certify(instance.program, num_decisions=1)
    path = tmp_path_factory.mktemp("stored") / "networks"
    ensemble.draw(
        certificate.problem,
        EnsembleConfig(members=2, width=64),
        directory=path,
        sizes=dict(instance.sizes),
        thresholds=thresholds.running(certificate),
        convention="bit",
    )
    return path


@pytest.mark.parametrize("engine", ["ensemble", "ensemble-memo"])
def test_stored_networks_run_all_of_them_or_the_first(folder, engine):
    every = pipeline.run("bfs", "path:3", trained=folder, engine=engine)
    first = pipeline.run("bfs", "path:3", trained=folder, engine=engine, members=1)
    assert every.exact
    assert first.exact
    assert [one.ensemble.config.members for one in (every, first)] == [2, 1]
    assert every.instance.sizes == ensemble.read_manifest(folder).parameters
    assert every.train_seconds == 0


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"engine": "kernel"}, "goes with the engine 'ensemble' or 'ensemble-memo', not 'kernel'"),
        ({"members": 5}, "the ensemble has 2 members, not 5"),
        ({"seed": 7}, "has seed 0, not 7"),
        ({"certifying": Certifying(kind="joint")}, "has kind factored, not joint"),
        ({"threshold": "shared"}, "runs with the thresholds 'bit' that it was stored with, not"),
        ({"program": "dfs"}, "learned bfs, not dfs"),
        ({"trained": "nowhere"}, "there is no folder nowhere"),
    ],
    ids=str,
)
def test_what_stored_networks_cannot_do_is_named(folder, asked, words):
    with pytest.raises(EnsembleError, match=words):
        pipeline.run(**{"program": "bfs", "graph": "path:3", "trained": folder, **asked})
