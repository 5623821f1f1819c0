"""Hidden states made block by block are those of the whole; what is kept is what was made."""

import dataclasses
import functools
import types

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.data.carried import load_carried
from experiments.data.room import DataMissingError
from experiments.data.texts import Sentence
from experiments.kits.initialisation import initial_by_numpy
from experiments.kits.transformer import sentence_states
from experiments.kits.transformer.decoder import Shape, initial, run
from experiments.kits.transformer.features import (
    HiddenStates,
    captured,
    hidden_states,
    kept_states,
)
from experiments.kits.transformer.naming import described
from experiments.kits.transformer.sentence_states import InnerStates, drawn_sentences, tokens_of
from experiments.kits.transformer.weights import pretrained
from ntkexec.errors import ExperimentError

SHAPE = Shape(blocks=2, width=8, heads=2, key_heads=1, hidden=8, vocabulary=11)
BACKBONE = InnerStates(SHAPE, first=10)


@pytest.fixture(scope="module")
def given():
    """Parameters, tokens of seven texts, their lengths, and all states by one call."""
    rng = np.random.default_rng(0)
    params = initial(SHAPE, rng, deviation=0.5)
    lengths = np.array([3, 6, 1, 2, 4, 6, 2], np.int32)
    tokens = rng.integers(0, 10, (7, 6)).astype(np.int32)
    tokens[np.arange(6)[None] >= lengths[:, None]] = 0
    before = np.full((7, 1), 10, np.int32)
    inner = run(params, SHAPE, np.concatenate([before, tokens], 1), keep=True).inner
    states = np.where(
        np.arange(6)[None, None, :, None] < lengths[None, :, None, None], inner[:, :, 1:], 0
    )
    return params, tokens, lengths, states


def double(params, values):
    """A backbone without anything to learn: two layers of other widths."""
    return values * params, jnp.concatenate([values, values], -1)


def scaled(params, values, by):
    """A backbone whose factor is no parameter."""
    return [values * by]


ROWS = np.arange(60, dtype=np.float32).reshape(5, 4, 3)


@pytest.mark.parametrize("bucket", [None, 2])
def test_blocks_and_buckets_give_the_states_of_the_whole(given, bucket):
    params, tokens, lengths, states = given
    options = {"block": 3, "bucket": bucket, "lengths": lengths, "kind": "float32"}
    found = hidden_states(BACKBONE, params, (tokens,), **options)
    assert len(found.layers) == 3
    for layer, whole in zip(found.layers, states, strict=True):
        np.testing.assert_allclose(layer, whole, rtol=0, atol=1e-6)
        assert not layer[lengths < 6, -1].any()


def test_pools_are_of_real_places():
    lengths, one = np.array([4, 1, 2, 3, 2]), np.float32(1)
    pooled = {
        how: hidden_states(
            double, one, (ROWS,), block=2, lengths=lengths, pooled=how, kind="float32"
        )
        for how in ("none", "mean", "last")
    }
    for text, length in enumerate(lengths):
        real = ROWS[text, :length]
        np.testing.assert_allclose(pooled["mean"].layers[0][text], real.mean(0), rtol=1e-6)
        np.testing.assert_array_equal(pooled["last"].layers[0][text], real[-1])
        np.testing.assert_array_equal(pooled["none"].layers[0][text, :length], real)
    images = hidden_states(
        double, one, (ROWS.reshape(5, 2, 2, 3),), block=5, pooled="mean", kind="float32"
    )
    np.testing.assert_allclose(images.layers[1][:, 3:], ROWS.mean(1), rtol=1e-6)


def test_layers_are_chosen_from_either_end():
    found = hidden_states(double, np.float32(2), (ROWS,), block=2, layers=(-1, 0), kind="float32")
    np.testing.assert_array_equal(found.layers[1], 2 * ROWS)
    assert found.layers[0].shape == (5, 4, 6)
    np.testing.assert_array_equal(found.rows([3, 1])[1], 2 * ROWS[[3, 1]])


def test_what_is_kept_is_what_was_made_and_asks_the_backbone_no_more(given, tmp_path):
    params, tokens, lengths, _ = given
    options = {"block": 3, "lengths": lengths, "pooled": "last"}
    made = hidden_states(BACKBONE, params, (tokens,), **options)

    def never(params, tokens):
        raise AssertionError

    name = {"backbone": "drawn", "texts": "seven"}
    kept = hidden_states(BACKBONE, params, (tokens,), folder=tmp_path, made_from=name, **options)
    again = kept_states(tmp_path, name, pooled="last", lengths=lengths)
    for other in (
        {"pooled": "last"},
        {"lengths": lengths},
        {"pooled": "last", "lengths": 0 * lengths},
    ):
        assert kept_states(tmp_path, name, **other) is None
    assert kept_states(tmp_path, {**name, "texts": "8"}, pooled="last", lengths=lengths) is None
    for one, two, three in zip(made.layers, kept.layers, again.layers, strict=True):
        assert isinstance(two, np.memmap)
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)
    np.testing.assert_array_equal(again.lengths, lengths)
    assert [path.name for path in tmp_path.iterdir()] == [next(tmp_path.glob("states-*")).name]


def test_without_a_name_parameters_and_inputs_are_one(tmp_path):
    for factor in (1, 1, 2):
        found = hidden_states(double, np.float32(factor), (ROWS,), block=5, folder=tmp_path)
        np.testing.assert_array_equal(found.layers[0], factor * ROWS)
    assert len(list(tmp_path.iterdir())) == 2


def test_what_states_are_of_is_what_was_asked_for(tmp_path):
    """Backbones, lengths and names that differ in anything share no file."""
    values = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    networks = [nn.Sequential([nn.Dense(4), of, nn.Dense(4)]) for of in (nn.tanh, nn.relu)]
    variables = initial_by_numpy(networks[0], np.random.default_rng(1), values)
    runs = [captured(one, (name,)) for one in networks for name in ("layers_0", "layers_2")]
    runs += [functools.partial(scaled, by=np.float32(by)) for by in (1, 2)]
    for run_ in 2 * runs:
        given = {} if isinstance(run_, functools.partial) else variables
        kept = hidden_states(run_, given, (values,), block=3, folder=tmp_path)
        made = hidden_states(run_, given, (values,), block=3)
        np.testing.assert_array_equal(kept.layers[0], made.layers[0])
    assert len(list(tmp_path.iterdir())) == len(runs)
    for unnamed in (lambda params, values: [values], jax.jit(lambda params, values: [values])):
        with pytest.raises(ExperimentError, match="give made_from"):
            hidden_states(unnamed, {}, (values,), block=3, folder=tmp_path)
        hidden_states(unnamed, {}, (values,), block=3, folder=tmp_path, made_from={"is": "given"})
    for made_from in (None, {"texts": "five", "layers": 0, "pooled": "none", "kind": 3}):
        for lengths in (None, [1, 2, 3, 4, 1], [4, 4, 4, 4, 4]):
            options = {"block": 5, "lengths": lengths, "pooled": "last"}
            found = hidden_states(
                double, np.float32(1), (ROWS,), folder=tmp_path, made_from=made_from, **options
            )
            wanted = hidden_states(double, np.float32(1), (ROWS,), **options)
            np.testing.assert_array_equal(found.layers[0], wanted.layers[0])
    named = [{"kind": 1}, {"kind": 2}]
    for number, made_from in enumerate(named):
        hidden_states(
            double, np.float32(number), (ROWS,), block=5, folder=tmp_path, made_from=made_from
        )
    first, second = (kept_states(tmp_path, made_from).layers[0] for made_from in named)
    assert not first.any()
    assert second.any()


def test_decoders_with_another_first_token_are_others():
    other = dataclasses.replace(BACKBONE, first=9)
    turned = InnerStates(dataclasses.replace(SHAPE, pairs="halves"), first=10)
    names = [str(described(one)) for one in (BACKBONE, other, turned, InnerStates(SHAPE, first=10))]
    assert names[0] == names[3]
    assert len(set(names)) == 3


def test_models_of_one_size_are_told_apart_and_what_is_kept_needs_none(tmp_path, monkeypatch):
    class Letters:
        shape, stop = SHAPE, 10

        @staticmethod
        def tokens(text):
            return np.array([ord(letter) % 10 for letter in text], np.int32)

    file = tmp_path / "model"
    monkeypatch.setattr(
        sentence_states, "place_of", lambda model, data: types.SimpleNamespace(path=file)
    )
    monkeypatch.setattr(sentence_states, "load_carried", lambda model, data: file.read_bytes()[0])
    monkeypatch.setattr(sentence_states, "pretrained", lambda seed: drawn[seed])
    drawn = {}
    for seed in (1, 2):
        drawn[seed] = Letters()
        drawn[seed].params = initial(SHAPE, np.random.default_rng(seed), deviation=0.5)
    sentences, found = (Sentence("abc", 0), Sentence("d", 1)), {}
    options = {"data": None, "folder": str(tmp_path / "kept"), "layers": (1,), "pooled": "last"}
    for seed in (1, 2, 1):
        file.write_bytes(bytes([seed]))
        made = sentence_states.states_of(sentences, **options).layers[0]
        np.testing.assert_array_equal(made, found.setdefault(seed, made))
        drawn.pop(seed, None)
    assert np.abs(found[1] - found[2]).max() > 1e-3


def test_any_flax_module_is_a_backbone():
    class Inner(nn.Module):
        @nn.compact
        def __call__(self, values):
            return nn.Dense(4, name="wide")(values) + 1

    class Outer(nn.Module):
        @nn.compact
        def __call__(self, values):
            return Inner(name="inner")(nn.Dense(2, name="first")(values)).sum()

    values = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    variables = initial_by_numpy(Outer(), np.random.default_rng(1), values)
    found = hidden_states(
        captured(Outer(), ("inner/wide", "first")), variables, (values,), block=3, kind="float32"
    )
    first = values @ variables["params"]["first"]["kernel"]
    wide = first @ variables["params"]["inner"]["wide"]["kernel"]
    np.testing.assert_allclose(found.layers[1], first, rtol=1e-5)
    np.testing.assert_allclose(found.layers[0], wide, rtol=1e-5)
    for wrong, said in (
        ("last", "'last'; there are first, inner, inner/wide"),
        ("inner/wid", "'inner/wid'; did you mean 'inner/wide'"),
        ("inner/wide/more", "'inner/wide/more'; did you mean 'inner/wide'"),
    ):
        with pytest.raises(ExperimentError, match=f"^Outer has no array of a submodule {said}"):
            hidden_states(captured(Outer(), (wrong,)), variables, (values,), block=3)


def test_a_submodule_that_returns_no_array_is_none_of_those_that_there_are():
    class Pair(nn.Module):
        @nn.compact
        def __call__(self, values):
            return nn.Dense(2, name="wide")(values), values

    class Outer(nn.Module):
        @nn.compact
        def __call__(self, values):
            return Pair(name="pair")(values)[0]

    class Bare(nn.Module):
        @nn.compact
        def __call__(self, values):
            return values

    values = np.ones((3, 5), np.float32)
    variables = initial_by_numpy(Outer(), np.random.default_rng(1), values)
    with pytest.raises(ExperimentError, match="'pair'; did you mean 'pair/wide'"):
        captured(Outer(), ("pair",))(variables, values)
    with pytest.raises(ExperimentError, match="'pair'; there are none"):
        captured(Bare(), ("pair",))({}, values)


def test_a_state_that_does_not_fit_is_named():
    with pytest.raises(ExperimentError, match="layer 0 has a state of size 590000, which float16"):
        hidden_states(double, np.float32(1e4), (ROWS,), block=5)
    with pytest.raises(ExperimentError, match="nan"):
        hidden_states(double, np.float32("nan"), (ROWS,), block=5, kind="float32")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"block": 0}, "blocks of 0"),
        ({"layers": (2,)}, "no layer 2"),
        ({"pooled": "max"}, "'max'"),
        ({"kind": "int8"}, "'int8'"),
        ({"lengths": [1, 2, 3, 4, 5]}, "from 1 to 4"),
        ({"lengths": [1, 2, 3]}, "5 texts"),
        ({"bucket": 2}, "need the lengths"),
        ({"inputs": (ROWS, ROWS[1:])}, "one first axis"),
    ],
)
def test_what_cannot_be_made_is_refused(wrong, said):
    options = {"inputs": (ROWS,), "block": 5, **wrong}
    with pytest.raises(ExperimentError, match=said):
        hidden_states(double, np.float32(1), **options)


def test_texts_lose_their_beginning_and_pairs_are_two_lines():
    class Letters:
        @staticmethod
        def tokens(text):
            return np.array([ord(letter) for letter in text], np.int32)

    rows, lengths = tokens_of(Letters(), (Sentence("abcd", 0), Sentence("x", 1, "y")), 3)
    assert lengths.tolist() == [3, 3]
    assert ["".join(map(chr, row)) for row in rows] == ["bcd", "x\ny"]
    assert drawn_sentences(tuple("abcdef"), 3, seed=0) == drawn_sentences(
        tuple("abcdef"), 3, seed=0
    )
    assert isinstance(HiddenStates((rows,)).rows([0])[0], np.ndarray)


@pytest.mark.slow
def test_states_of_a_pretrained_model_need_it_only_once(tmp_path, monkeypatch):
    pytest.importorskip("gguf")
    pytest.importorskip("tokenizers")
    sentences = (
        Sentence("A dog barks.", 0),
        Sentence("It rains.", 1, "It is wet outside, they say."),
    )
    options = {"data": None, "folder": tmp_path, "layers": (0, 15, 30), "pooled": "last"}
    try:
        made = sentence_states.states_of(sentences, **options)
    except DataMissingError as reason:
        pytest.skip(str(reason))
    model = pretrained(load_carried("smollm2-135m", None))
    for row, one in enumerate(sentences):
        text = f"{one.text}\n{one.second}" if one.second else one.text
        tokens = np.concatenate([[model.stop], model.tokens(text)])[None]
        whole = run(model.params, model.shape, tokens, keep=True).inner
        for layer, number in zip(made.layers, options["layers"], strict=True):
            np.testing.assert_allclose(layer[row], whole[number, 0, -1], rtol=2e-3, atol=2e-2)
    monkeypatch.setattr(sentence_states, "load_carried", None)
    again = sentence_states.states_of(sentences, **options)
    np.testing.assert_array_equal(again.layers[2], made.layers[2])
