"""Honest certificates, made once, and copies of them to change."""

import pytest

from benchmarks.forgeries import KINDS, make_case


@pytest.fixture(scope="session")
def cases(tmp_path_factory):
    """By kind of ensemble, an honest certificate; made when it is first asked for, and never changed."""
    made = {}

    def case(name):
        if name not in made:
            made[name] = make_case(KINDS[name], tmp_path_factory.mktemp(name) / "honest")
        return made[name]

    return case


@pytest.fixture
def case(cases):
    return cases("factored")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "work"


@pytest.fixture
def bundle(case):
    return case.bundle.copy()
