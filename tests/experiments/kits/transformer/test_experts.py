"""Experts: they begin as the decoder, leave it as it was, differ by text, are kept whole or refused."""

import jax
import numpy as np
import pytest

from experiments.files.storage import save_tree
from experiments.kits.transformer import experts, likelihood
from experiments.kits.transformer.decoder import Shape, initial
from experiments.kits.transformer.experts import fingerprint, grow, nats, windows
from experiments.kits.transformer.lora import merged
from ntkexec.errors import ExperimentError

SHAPE = Shape(blocks=1, width=8, heads=2, key_heads=1, hidden=8, vocabulary=10)
PARAMS = initial(SHAPE, np.random.default_rng(0), deviation=0.5)
DRAW = np.random.default_rng(1)
TEXTS = {"low": DRAW.integers(5, size=(6, 7)), "high": DRAW.integers(5, 10, size=(9, 7))}
NAMES = ("value", "output", "gate", "up", "down")
SETTINGS = {"seed": 3, "steps": 60, "rank": 2, "batch": 4, "rate": 0.03, "names": NAMES}


def test_running_text_is_cut_into_whole_pieces_one_after_the_other():
    assert windows(np.arange(11), 3).tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    for length in (1, 12):
        with pytest.raises(ExperimentError, match="no piece of"):
            windows(np.arange(11), length)


def test_nats_are_the_logarithm_of_the_perplexity_whatever_the_blocks():
    found = nats(PARAMS, SHAPE, TEXTS["low"], block=4)
    alone = [likelihood.perplexity(PARAMS, SHAPE, row) for row in TEXTS["low"]]
    np.testing.assert_allclose(np.exp(found), alone, rtol=1e-6)


def test_experts_begin_as_the_decoder_and_prefer_their_own_text_and_are_kept(tmp_path, monkeypatch):
    before = fingerprint(PARAMS)
    grown = grow(PARAMS, SHAPE, TEXTS, **SETTINGS, folder=tmp_path)
    assert fingerprint(PARAMS) == before
    # The first loss is the decoder's own, of the rows that the seed says.
    rows = (np.random.default_rng([3, 1]).random((60, 4)) * len(TEXTS["low"])).astype(int)
    np.testing.assert_allclose(
        grown["low"].losses[0], nats(PARAMS, SHAPE, TEXTS["low"])[rows[0]].mean(), rtol=1e-5
    )
    for own, other in (("low", "high"), ("high", "low")):
        told = {
            name: nats(PARAMS, SHAPE, TEXTS[own], adapters=grown[name].adapters) for name in grown
        }
        assert told[own].mean() < min(nats(PARAMS, SHAPE, TEXTS[own]).mean(), told[other].mean())
        inside = nats(merged(PARAMS, grown[own].adapters), SHAPE, TEXTS[own])
        np.testing.assert_allclose(inside, told[own], rtol=1e-5)
    # The same again is read, and nothing is trained; anything else has another file.
    monkeypatch.setattr(experts, "_grown", None)
    again = grow(PARAMS, SHAPE, TEXTS, **SETTINGS, folder=str(tmp_path))
    jax.tree.map(np.testing.assert_array_equal, again, grown)
    with pytest.raises(ExperimentError, match="3 is no folder"):
        grow(PARAMS, SHAPE, TEXTS, **SETTINGS, folder=3)
    for changed in ({"seed": 4}, {"rate": 0.1}, {"names": ("query",)}):
        with pytest.raises(TypeError, match="not callable"):
            grow(PARAMS, SHAPE, TEXTS, **{**SETTINGS, **changed}, folder=tmp_path)
    # An expert under another one's name is no such expert, though it has the same shapes.
    file, other = sorted(tmp_path.iterdir())
    whole = file.read_bytes()
    file.write_bytes(other.read_bytes())
    with pytest.raises(ExperimentError, match=f"holds '{other.stem}', not '{file.stem}'"):
        grow(PARAMS, SHAPE, TEXTS, **SETTINGS, folder=tmp_path)
    save_tree(file, grown["low"])  # nor is one without a name
    with pytest.raises(ExperimentError, match="holds 'something else'"):
        grow(PARAMS, SHAPE, TEXTS, **SETTINGS, folder=tmp_path)
    file.write_bytes(whole[:-4])
    with pytest.raises(ExperimentError, match="damaged; delete it"):
        grow(PARAMS, SHAPE, TEXTS, **SETTINGS, folder=tmp_path)


@pytest.mark.parametrize(
    ("texts", "changed", "words"),
    [
        ({}, {}, "0 texts"),
        (TEXTS, {"steps": 0}, "0 steps"),
        (TEXTS, {"rate": float("nan")}, "rate nan"),
        ({"one": TEXTS["low"][:, :1]}, {}, r"shape \(6, 1\)"),
        ({"far": TEXTS["low"] + 9}, {}, "tokens"),
    ],
)
def test_what_cannot_be_grown_is_refused(texts, changed, words):
    with pytest.raises(ExperimentError, match=words):
        grow(PARAMS, SHAPE, texts, **{**SETTINGS, **changed})
