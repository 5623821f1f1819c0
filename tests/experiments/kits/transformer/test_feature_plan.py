"""What hidden states take is known before, which inputs have places is said, a folder is a path or text."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.transformer.features import hidden_states, kept_states, predict_memory
from ntkexec.errors import ExperimentError

ROWS = np.arange(60, dtype=np.float32).reshape(5, 4, 3)


def double(params, values):
    """A backbone without anything to learn: two layers of other widths."""
    return values * params, jnp.concatenate([values, values], -1)


def test_what_is_kept_and_held_is_foretold(tmp_path):
    shapes = jax.ShapeDtypeStruct((5, 4, 3), np.float32)
    told = predict_memory(double, np.float32(1), (shapes,), block=2)
    states = hidden_states(double, np.float32(1), (ROWS,), block=2)
    assert told.state_bytes == sum(one.nbytes for one in states.layers) == 5 * 4 * 9 * 2
    assert told.held_bytes == 4 + 2 * 12 * 4 + 2 * 4 * 9 * 4
    assert told.temporary_bytes >= 0


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lengths": [1, 2, 3, 4, 1]},
        {"made_from": {"backbone": "döuble", "texts": np.int64(5), "of": [1.5, None]}},
        {"made_from": {}, "lengths": [4] * 5, "pooled": "mean", "kind": "float32", "layers": (-1,)},
    ],
)
def test_what_is_kept_is_foretold_to_the_byte(options, tmp_path):
    shapes = jax.ShapeDtypeStruct((5, 4, 3), np.float32)
    told = predict_memory(double, np.float32(1), (shapes,), block=2, **options)
    hidden_states(double, np.float32(1), (ROWS,), block=2, folder=tmp_path, **options)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert told.kept_bytes == sum(path.stat().st_size for path in files)


def weighted(params, tokens, table):
    """A backbone that reads a table of each text beside its tokens: (N, T) and (N, 7)."""
    return [tokens[:, :, None] * params * table.sum(1)[:, None, None]]


@pytest.mark.parametrize("places", [7, 9])
def test_an_input_whose_second_axis_are_no_places_is_never_cut(places):
    rng, lengths = np.random.default_rng(0), np.array([3, 7, 1, 2, 4])
    tokens, table = rng.normal(size=(5, places)), rng.normal(size=(5, 7))
    inputs = (np.float32(tokens), np.float32(table))
    given = {"run": weighted, "params": np.float32(1), "inputs": inputs, "block": 2}
    options = {**given, "lengths": lengths, "kind": "float32"}
    (found,) = hidden_states(**options, bucket=2, placed=[0]).layers
    whole = (tokens * table.sum(1)[:, None])[..., None]
    real = (np.arange(places) < lengths[:, None])[..., None]
    np.testing.assert_allclose(found, np.where(real, whole, 0), rtol=1e-5)
    with pytest.raises(ExperimentError, match=r"\(5, 7\)\) buckets cut .*placed=\(0, 1\) for all"):
        hidden_states(**options, bucket=2)
    with pytest.raises(ExperimentError, match=r"placed names input 2, .* are \[0, 1\]"):
        hidden_states(**options, placed=[2])
    if places != 7:
        for unclear in ({}, {"placed": (0, 1), "bucket": 2}):
            with pytest.raises(ExperimentError, match="differ in places: name by placed"):
                hidden_states(**options, **unclear)
        with pytest.raises(ExperimentError, match="differ in places"):
            predict_memory(**options)
    assert predict_memory(**options, placed=[0]).state_bytes == found.nbytes
    (free,) = hidden_states(**given, kind="float32").layers  # without lengths nothing is counted
    np.testing.assert_allclose(free, whole, rtol=1e-5)


def test_inputs_that_share_their_places_are_cut_together():
    tokens, mask = ROWS[..., 0], (np.arange(4) < np.array([2, 1, 4, 3, 2])[:, None]).astype("f4")
    options = {"block": 2, "lengths": [2, 1, 4, 3, 2], "kind": "float32"}
    found, wanted = (
        hidden_states(shared, np.float32(1), (tokens, mask), **options, **cut).layers[0]
        for cut in ({"bucket": 1, "placed": (0, 1)}, {})
    )
    np.testing.assert_array_equal(found, wanted)
    assert found[2].all()


def shared(params, tokens, mask):
    return [params * (tokens + mask)[..., None]]


@pytest.mark.parametrize("of", [str, Path])
def test_a_folder_is_text_or_a_path(of, tmp_path):
    given, options = (double, np.float32(1), (ROWS,)), {"made_from": {"of": "text"}}
    made = hidden_states(*given, block=5, folder=of(tmp_path / "new"), **options).layers
    again = kept_states(of(tmp_path / "new"), {"of": "text"}).layers
    np.testing.assert_array_equal(made[1], again[1])
    assert len(list((tmp_path / "new").iterdir())) == 1


@pytest.mark.parametrize("wrong", [3, "", b"states", "a\0b", ["states"]])
def test_what_is_no_folder_is_refused(wrong, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExperimentError, match="is no folder: a path is, as text or as a Path"):
        hidden_states(double, np.float32(1), (ROWS,), block=5, folder=wrong)
    with pytest.raises(ExperimentError, match="is no folder"):
        kept_states(wrong, {})
    assert not list(tmp_path.iterdir())
