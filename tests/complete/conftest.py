"""A trained ensemble that several files certify."""

import shutil

import pytest

from ntkexec import ensemble, pipeline
from ntkexec.ensemble import EnsembleConfig, thresholds

SIZES = {"degree": 2, "slots": 4, "word": 1}


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A trained BFS ensemble."""
    return tmp_path_factory.mktemp("trained") / "bfs"


@pytest.fixture(scope="session")
def bfs(folder):
    program = pipeline.find_algorithm("bfs").program(**SIZES)
    certificate = pipeline.certify(program, num_decisions=1)
    config = EnsembleConfig(members=4, width=128, seed=3)
    trained = ensemble.train(
        certificate.problem,
        config,
        directory=folder,
        sizes=SIZES,
        thresholds=thresholds.running(certificate),
    )
    return trained, certificate


@pytest.fixture
def stored(folder, bfs, tmp_path):
    """Its ensemble, to be certified by the command."""
    shutil.copytree(folder, tmp_path / "bfs")
    return tmp_path / "bfs"
