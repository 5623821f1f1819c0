"""What lies on a shelf is whole and by its name, or is refused by name."""

import numpy as np
import pytest

from experiments.kits.transformer.features import hidden_states
from experiments.kits.transformer.shelf import Shelf
from ntkexec.errors import ExperimentError

ROWS = np.arange(12, dtype=np.float32).reshape(6, 2)


def double(params, values):
    return [2 * params * values]


@pytest.mark.parametrize("name", ["../evil", "", "a/b", "a.b"])
def test_names_of_a_shelf_are_looked_at_before_anything_is_made(name, tmp_path):
    inner = tmp_path / "inner"
    with pytest.raises(ExperimentError, match="is no name of arrays"):
        Shelf(inner, "states", {}).writing({name: ((2,), "float32")}).__enter__()
    with pytest.raises(ExperimentError, match="is no name of arrays"):
        Shelf(inner, name, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "harm", ["cut", "changed", "missing", "unlisted", "link", "archive", "header", "deep"]
)
def test_damage_is_named(harm, tmp_path):
    def make():
        return hidden_states(double, np.float32(1), (ROWS,), block=5, folder=tmp_path, made_from={})

    make()
    file = next(tmp_path.glob("*/layer-0.npy"))
    if harm == "cut":
        file.write_bytes(file.read_bytes()[:-4])
    elif harm == "changed":
        file.write_bytes(file.read_bytes()[:-1] + b"\1")
    elif harm == "missing":
        file.unlink()
    elif harm == "unlisted":
        file.with_name("arrays.json").unlink()
    elif harm == "archive":
        with file.open("wb") as opened:
            np.savez(opened, a=np.zeros(2))
    elif harm == "header":
        file.write_bytes(file.read_bytes()[:20])
    elif harm == "deep":
        header = ("(" * 5000).ljust(9990).encode()
        file.write_bytes(b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header)
    else:
        file.unlink()
        file.symlink_to(tmp_path)
    with pytest.raises(
        ExperimentError, match="arrays.json" if harm == "unlisted" else "layer-0.npy"
    ):
        make()


def test_an_interrupted_run_leaves_nothing(tmp_path):
    def stop(what, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hidden_states(double, np.float32(1), (ROWS,), block=2, folder=tmp_path, report=stop)
    assert not list(tmp_path.iterdir())
