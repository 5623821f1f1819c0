"""What a stored ensemble was trained with decides how it runs."""

import pytest

import ntkexec
from ntkexec import ensemble, pipeline
from ntkexec.ensemble import EnsembleConfig, thresholds
from ntkexec.errors import EnsembleError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    instance = pipeline.prepare("bfs", "path:n=2")
    certificate = pipeline.certify(instance.program, num_decisions=1)
    path = tmp_path_factory.mktemp("stored") / "networks"
    ensemble.draw(
        certificate.problem,
        EnsembleConfig(members=1, width=64),
        directory=path,
        sizes=dict(instance.sizes),
        thresholds=thresholds.running(certificate),
        convention="bit",
    )
    return path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("width", 128),
        ("padding", 3),
        ("kind", "joint"),
        ("draw", "linearised"),
        ("descent", "plain"),
        ("seed", 7),
        ("weight_std", 2.0),
    ],
)
def test_another_kind_of_network_is_refused_and_not_passed_over(folder, name, value):
    with pytest.raises(EnsembleError, match=rf"has {name} .*, not {value}"):
        ntkexec.run("bfs", "path:n=2", trained=folder, **{name: value})


def test_what_is_asked_for_may_be_what_is_stored(folder):
    asked = {"width": 64, "padding": 0, "draw": "trained", "weight_std": 1.0}
    assert ntkexec.run("bfs", "path:n=2", trained=folder, **asked).exact
