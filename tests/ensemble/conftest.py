"""Fixtures of stored ensembles."""

import pytest
from support.stored import train_here

from ntkexec.ensemble import training


@pytest.fixture
def folder(tmp_path):
    train_here(tmp_path / "stored")
    return tmp_path / "stored"


@pytest.fixture
def trained_chunks(monkeypatch):
    calls, trains = [], training.train_chunk

    def count(problem, config, chunk):
        calls.append(chunk)
        return trains(problem, config, chunk)

    monkeypatch.setattr(training, "train_chunk", count)
    return calls
