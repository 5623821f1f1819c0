"""Hidden states of a pretrained decoder for sentences with classes, made once and kept.

```python
from experiments.data import load
from experiments.kits.transformer.sentence_states import SIZES, drawn_sentences, states_of

data = "my-data"  # needs CoLA below it, and ntkexec[language-models] with the model's own package
cola = load("cola", data)
train = drawn_sentences(cola.train, SIZES["cola"][0], seed=0)
states = states_of(train, data=data, folder="states", layers=(10, 20, 30), pooled="mean")
print([layer.shape for layer in states.layers])  # three of (1000, 576)
```
"""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from experiments.data.carried import file_in_package, load_carried
from experiments.data.catalogue import data_set
from experiments.data.room import DataMissingError, place_of
from experiments.data.texts import Sentence
from experiments.files.sources import check_regular
from experiments.kits.transformer.decoder import Params, Shape, run
from experiments.kits.transformer.features import HiddenStates, Pooling, hidden_states, kept_states
from experiments.kits.transformer.shelf import Shelf
from experiments.kits.transformer.weights import Pretrained, pretrained
from ntkexec.errors import ExperimentError

SIZES = {
    "cola": (700, 300), "rte": (140, 80), "wnli": (220, 71), "sst-2": (320, 160), "trec": (700, 300)
}  # fmt: skip
"""Sentences to train on and to test with whose states take SmolLM2-135M some 40 CPU seconds."""
FORM = 1
"""Of how a text becomes tokens, in the names of what is kept."""


def drawn_sentences(
    sentences: Sequence[Sentence], number: int, *, seed: int
) -> tuple[Sentence, ...]:
    """So many of them at most, drawn without regard to their classes, in the order in which they lie."""
    if number >= len(sentences):
        return tuple(sentences)
    chosen = np.random.default_rng(seed).choice(len(sentences), number, replace=False)
    return tuple(sentences[int(one)] for one in np.sort(chosen))


def states_of(
    sentences: Sequence[Sentence],
    *,
    data: Path | str | None,
    folder: str | os.PathLike[str] | None,
    layers: Sequence[int] | None = None,
    pooled: Pooling = "last",
    length: int = 128,
    model: str = "smollm2-135m",
    kind: Literal["float16", "float32"] = "float16",
    report: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> HiddenStates:
    """A pretrained decoder's states; where they are kept, the decoder is not even loaded.

    A text is preceded by the token that ends texts, whose states are left out: what a decoder reads first
    draws attention that means nothing, and its states are a hundred times as large as others. Pairs are two
    lines of one text. The states are those between blocks, so that nothing is normalised.

    Args:
        sentences: in the order of the result's rows.
        data: folder with the model's file, else an installed package has it.
        folder: where states are kept; by default in memory alone.
        layers: 0 is what the first block reads, and as many as there are blocks what the last one leaves;
            by default all.
        pooled: see `hidden_states`; of all tokens there are as many places as the longest text has.
        length: tokens of a text; of longer ones only the last so many are read.
        model: the name of its data set.
        kind: of the kept numbers.
        report: told about progress.

    Raises:
        DataMissingError, MissingExtraError: the model is not there, or not what reads it.
    """
    texts = hashlib.sha256()
    for one in sentences:
        texts.update(f"{one.text}\0{one.second}\0\0".encode())
    named = {
        "model": model, "content": _content(model, data), "texts": texts.hexdigest()[:32], "form": FORM,
        "length": length,
    }  # fmt: skip
    chosen: dict[str, Any] = {"layers": layers, "pooled": pooled, "kind": kind}
    # How many tokens texts have is kept beside, since only the model can count them.
    counted = None if folder is None else Shelf(folder, "lengths", named)
    known = None if counted is None else counted.read()
    if known is not None:
        found = kept_states(folder, named, lengths=known["lengths"], **chosen)
        if found is not None:
            return found
    loaded = pretrained(load_carried(model, data))
    rows, lengths = tokens_of(loaded, sentences, length)
    if counted is not None and known is None:
        with counted.writing({"lengths": (lengths.shape, "int32")}) as made:
            made["lengths"][:] = lengths
    return hidden_states(
        InnerStates(loaded.shape, loaded.stop), loaded.params, (rows,), block=32, bucket=8, lengths=lengths,
        folder=folder, made_from=named, report=report, **chosen,
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class InnerStates:
    """A decoder as `hidden_states` takes one: states of all tokens between blocks, (blocks + 1, B, T, D).

    Args:
        shape: of the decoder.
        first: the token that is read before every text, and whose states are left out.
    """

    shape: Shape
    first: int

    def __call__(self, params: Params, tokens: Int[Array, "B T"]) -> Float[Array, "L B T D"]:
        before = jnp.full((len(tokens), 1), self.first, tokens.dtype)
        inner = run(params, self.shape, jnp.concatenate([before, tokens], 1), keep=True).inner
        assert inner is not None
        return inner[:, :, 1:]


def tokens_of(
    model: Pretrained, sentences: Sequence[Sentence], length: int
) -> tuple[Int[np.ndarray, "N T"], Int[np.ndarray, "N"]]:
    """Tokens of texts, filled up with 0 on the right, and how many each has, `length` at most.

    Raises:
        ExperimentError: no sentences, or one without tokens.
    """
    found = [
        model.tokens(f"{one.text}\n{one.second}" if one.second else one.text)[-length:]
        for one in sentences
    ]
    lengths = np.array([len(one) for one in found], np.int32)
    if length < 1 or not len(found) or not lengths.min():
        raise ExperimentError(
            f"{len(found)} texts of at most {length} tokens have none, or one of them"
        )
    rows = np.zeros((len(found), lengths.max()), np.int32)
    for row, one in zip(rows, found, strict=True):
        row[: len(one)] = one
    return rows, lengths


def _content(model: str, data: Path | str | None) -> str:
    """A digest of the model's file, which takes a fifth of a second for each 100 MB."""
    try:
        path = place_of(model, data).path
    except DataMissingError:
        carried = file_in_package(data_set(model))
        if carried is None:
            load_carried(model, data)  # says how to get it
            raise
        path = carried[1]
    check_regular(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]
