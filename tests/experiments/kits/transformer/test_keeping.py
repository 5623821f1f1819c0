"""What is kept is read, never what is damaged, foreign or made from something else."""

import numpy as np
import pytest

from experiments.kits.transformer.keeping import kept, path_of
from ntkexec.errors import ExperimentError


def test_arrays_are_made_once_for_what_they_are_made_from(tmp_path):
    calls = []

    def make():
        calls.append(1)
        return {"a": np.arange(3), "b/c": np.float32([[0.5]])}

    for made_from in ({"n": 3}, {"n": 3}, {"n": np.int64(3)}, {"n": 4}):
        found = kept(tmp_path, "rows", made_from, make)
        assert found["a"].tolist() == [0, 1, 2]
        assert found["b/c"].dtype == np.float32
    assert len(calls) == 2
    kept(None, "rows", {"n": 3}, make)
    assert len(calls) == 3
    for wrong in (3, "", b"rows"):
        with pytest.raises(ExperimentError, match="is no folder"):
            kept(wrong, "rows", {"n": 3}, make)
    assert kept(str(tmp_path), "rows", {"n": 3}, None)["a"].tolist() == [0, 1, 2]
    assert path_of(str(tmp_path), "rows", {"n": 3}).exists()
    for _ in range(2):
        found = kept(tmp_path, "big", {}, lambda: {"a": np.arange(3, dtype=">f4")})
        assert found["a"].dtype == np.float32
        assert found["a"].tolist() == [0, 1, 2]


def test_damaged_and_foreign_files_are_refused_by_name(tmp_path):
    def make(number=0):
        return {"a": np.array(number)}

    kept(tmp_path, "rows", {"n": 1}, make)
    one, other = (path_of(tmp_path, "rows", {"n": n}) for n in (1, 2))
    other.write_bytes(one.read_bytes())
    with pytest.raises(
        ExperimentError, match=f"{other.name} holds '{one.stem}', not '{other.stem}'"
    ):
        kept(tmp_path, "rows", {"n": 2}, make)
    content = bytearray(one.read_bytes())
    content[-1] ^= 1
    one.write_bytes(content)
    with pytest.raises(ExperimentError, match=f"{one.name} is damaged; delete it"):
        kept(tmp_path, "rows", {"n": 1}, make)
    one.unlink()
    assert kept(tmp_path, "rows", {"n": 1}, lambda: make(5))["a"] == 5
    with pytest.raises(ExperimentError, match=r"'\.\./rows' names no file"):
        kept(tmp_path, "../rows", {}, make)
    for wrong in ({1: 5}, {"inner": [{1: 5}]}, {"z": 1j}, {"a": object()}):
        with pytest.raises(ExperimentError, match=r"keys, not 1|plain data|JSON"):
            kept(None, "rows", wrong, make)
    assert path_of(tmp_path, "rows", {"1": 5}) != path_of(tmp_path, "rows", {"1": "5"})
    for name, array in (
        ("__metadata__", np.zeros(1)), ("", np.zeros(1)), ("a", np.zeros(1, complex)),
        ("a", np.array("words")), ("a", np.array(None)),
        ("a", np.zeros(1, np.longdouble) if np.dtype(np.longdouble).itemsize > 8 else np.array(b"")),
    ):  # fmt: skip
        with pytest.raises(ExperimentError, match=r"cannot be kept with|cannot keep 'a' of type"):
            kept(tmp_path, "rows", {"n": 3}, lambda name=name, array=array: {name: array})
    for wrong in ({}, [1], {1: np.zeros(1)}):
        with pytest.raises(ExperimentError, match="no arrays by names"):
            kept(None, "rows", {}, lambda wrong=wrong: wrong)
