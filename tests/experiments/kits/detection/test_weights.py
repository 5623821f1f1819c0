"""Weights are kept once, found under the lowest seed, and never those of something else."""

import shutil

import numpy as np
import pytest

from experiments.kits.detection.weights import find_weights, kept_weights, read_weights
from ntkexec.errors import ExperimentError

VARIABLES = {
    "params": {"conv": {"kernel": np.arange(6.0, dtype=np.float32).reshape(1, 2, 3)}},
    "batch_stats": {"norm": {"mean": np.ones(3, np.float32)}},
}


def test_what_was_trained_once_is_read_again(tmp_path):
    calls = []

    def train():
        calls.append(1)
        return VARIABLES

    folder = tmp_path / "seed-1000"
    for _ in range(2):
        found = kept_weights(folder, "detector", {"steps": 3}, train)
        np.testing.assert_array_equal(
            found["params"]["conv"]["kernel"], VARIABLES["params"]["conv"]["kernel"]
        )
        assert found["batch_stats"]["norm"]["mean"].dtype == np.float32
    assert len(calls) == 1
    kept_weights(folder, "detector", {"steps": 4}, train)
    kept_weights(None, "detector", {"steps": 4}, train)
    assert len(calls) == 3


def test_weights_are_found_under_the_lowest_seed_by_their_own_name(tmp_path):
    assert find_weights(tmp_path / "none", "detector") is None
    for seed, what in ((1001, "detector"), (12, "detector"), (3, "detector-small"), (2, "other")):
        kept_weights(tmp_path / f"seed-{seed}", what, {"seed": seed}, lambda: VARIABLES)
    found = find_weights(tmp_path, "detector")
    assert found.parent.name == "seed-12"
    assert set(read_weights(found)) == {"params", "batch_stats"}
    assert find_weights(tmp_path, "detector-small").parent.name == "seed-3"
    assert find_weights(tmp_path, "small") is None


def test_renamed_and_damaged_files_are_refused(tmp_path):
    kept_weights(tmp_path / "seed-0", "detector", {"steps": 3}, lambda: VARIABLES)
    path = find_weights(tmp_path, "detector")
    other = path.with_name(f"detector-{'0' * 12}.safetensors")
    shutil.copy(path, other)
    with pytest.raises(ExperimentError, match="other weights than it is named by"):
        read_weights(other)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ExperimentError, match="changed after it was written"):
        read_weights(path)
    with pytest.raises(ExperimentError, match="under the name 'a/b'"):
        kept_weights(tmp_path, "detector", {}, lambda: {"a/b": np.ones(2)})


def test_several_of_one_seed_are_not_chosen_from(tmp_path):
    for steps in (3, 4):
        kept_weights(tmp_path / "seed-1", "detector", {"steps": steps}, lambda: VARIABLES)
    with pytest.raises(ExperimentError, match="seed-1 holds 2 files of detector"):
        find_weights(tmp_path, "detector")
    kept_weights(tmp_path / "seed-0", "detector", {"steps": 3}, lambda: VARIABLES)
    assert find_weights(tmp_path, "detector").parent.name == "seed-0"
