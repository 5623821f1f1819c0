"""Language models in GGUF, the format of llama.cpp: mapped into memory, decoded tensor by tensor.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; read by the package `gguf`.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from experiments.data.language_models import LanguageModel
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError, MissingExtraError

TOKENS, KINDS, MERGES = (f"tokenizer.ggml.{part}" for part in ("tokens", "token_type", "merges"))
NORMAL = 1
"""Of the kinds of tokens: one that text can become."""


def read(path: Path, name: str, key: str) -> LanguageModel:
    """A model and its tokens.

    Args:
        path: of the file.
        name, key: of the set; the file says what it holds.

    Raises:
        ExperimentError: names the file, and what in it is missing or damaged.
        MissingExtraError: `gguf` is not installed.
    """
    try:
        import gguf
    except ImportError as error:
        raise MissingExtraError(
            "GGUF files need the package gguf: install ntkexec[language-models]"
        ) from error
    where = shown(path)
    try:
        file = gguf.GGUFReader(path)
        found = {
            name: field.contents()
            for name, field in file.fields.items()
            if not name.startswith("GGUF.")
        }
        tensors = {tensor.name: tensor for tensor in file.tensors}
    except Exception as error:
        # The reader meets damage with errors of many kinds: of offsets, types, text, memory.
        raise ExperimentError(
            f"{where} is no GGUF file, or is damaged: {type(error).__name__} {shown(error)}"
        ) from error
    tokens, kinds, merges = (_listed(found, part, where) for part in (TOKENS, KINDS, MERGES))
    if not tokens or len(kinds) != len(tokens):
        raise ExperimentError(f"{where} has {len(tokens)} tokens and {len(kinds)} kinds of them")
    if not all(isinstance(text, str) for text in (*tokens, *merges)):
        raise ExperimentError(f"{where} has a token or a merge that is no text")

    def decoded(name: str) -> Float32[np.ndarray, "..."]:
        if name not in tensors:
            raise ExperimentError(f"{where} has no tensor {quoted(name)}")
        try:
            made = gguf.dequantize(tensors[name].data, tensors[name].tensor_type)
        except Exception as error:
            raise ExperimentError(
                f"{quoted(name)} of {where} cannot be decoded: {type(error).__name__} {shown(error)}"
            ) from error
        if not np.isfinite(made).all():
            raise ExperimentError(f"{quoted(name)} of {where} has numbers that are not finite")
        return np.asarray(made, np.float32)

    plain = {name: value for name, value in found.items() if isinstance(value, int | float | str)}
    return LanguageModel(
        str(plain.get("general.name", name)),
        plain,
        tuple(tokens),
        tuple(merges),
        tuple(number for number, kind in enumerate(kinds) if kind != NORMAL),
        # A file lists the fastest axis first.
        {name: tuple(int(side) for side in one.shape[::-1]) for name, one in tensors.items()},
        decoded,
    )


def _listed(found: dict[str, Any], part: str, where: str) -> list[Any]:
    if not isinstance(found.get(part), list):
        raise ExperimentError(f"{where} has no list {part}")
    return list(found[part])
