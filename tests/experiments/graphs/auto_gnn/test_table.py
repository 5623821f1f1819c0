"""The shipped table is the one this code was written for, and can be measured again."""

import os
from pathlib import Path

import numpy as np
import pytest

from experiments.data import load
from experiments.files.storage import read_sealed, write_sealed
from experiments.graphs.auto_gnn import stored_table, tabulate
from experiments.graphs.auto_gnn.table import PATH, REPEATS, SPACE, measured, prepared
from ntkexec.errors import ExperimentError

DATA = Path(os.environ["NTKEXEC_DATA"]) if "NTKEXEC_DATA" in os.environ else None


def test_the_table_has_a_row_for_every_architecture_and_says_how_it_was_made():
    table = stored_table()
    assert table.validation.shape == table.test.shape == (SPACE.size, REPEATS) == (576, 3)
    assert {"by", "versions", "data", "device"} <= set(table.made)
    assert np.corrcoef(table.validation.mean(1), table.test.mean(1))[0, 1] > 0.9
    assert table.validation.std(1).max() > 0  # trainings differ


def test_a_table_that_was_changed_is_refused(tmp_path):
    copy = tmp_path / "table.json"
    copy.write_bytes(PATH.read_bytes())
    assert stored_table(copy).validation.shape == (576, 3)
    copy.write_bytes(PATH.read_bytes().replace(b'"repeats": 3', b'"repeats": 4'))
    with pytest.raises(ExperimentError, match="changed after it was written"):
        stored_table(copy)
    rows = read_sealed(PATH)
    write_sealed(copy, {**rows, "test": rows["test"][1:]})
    with pytest.raises(ExperimentError, match="no counts of 1000 test nodes"):
        stored_table(copy)
    with pytest.raises(ExperimentError, match=r"tabulate\.py makes it"):
        stored_table(tmp_path / "none.json")


def test_the_table_is_made_in_parts_and_goes_on_where_it_stopped(tmp_path, monkeypatch):
    trained = []

    def counted(data, graph, number, repeat):
        trained.append((number, repeat))
        return number % 501, repeat

    monkeypatch.setattr(tabulate, "measured", counted)
    monkeypatch.setattr(tabulate, "load", lambda name, folder: name)
    monkeypatch.setattr(tabulate, "prepared", lambda data: data)
    monkeypatch.setattr(tabulate, "PART", 192)
    out = tmp_path / "table.json"
    given = ["--data", ".", "--work", str(tmp_path / "work"), "--out", str(out), "--parts", "2"]
    tabulate.main(given)
    assert not out.exists()
    tabulate.main(given)
    assert sorted(trained) == [(n, r) for n in range(576) for r in range(3)]
    assert (stored_table(out).validation[:, 0] == np.arange(576) % 501 / 500).all()


@pytest.mark.slow
@pytest.mark.skipif(DATA is None, reason="needs Cora")
def test_two_entries_measured_again_are_the_table_s():
    data, table = load("cora", DATA), stored_table()
    graph = prepared(data)
    best = int(table.validation.mean(1).argmax())
    for number, repeat in ((best, 0), (SPACE.size // 3, 1)):
        validation, test = measured(data, graph, number, repeat)
        # Equal on the machine that made it; elsewhere sums are rounded otherwise.
        assert validation / 500 == pytest.approx(table.validation[number, repeat], abs=0.03)
        assert test / 1000 == pytest.approx(table.test[number, repeat], abs=0.03)
