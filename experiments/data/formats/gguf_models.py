"""Language models in GGUF, the format of llama.cpp: mapped into memory, decoded tensor by tensor.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; read by the package `gguf`.
"""

import mmap
import struct
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from experiments.data.language_models import LanguageModel
from experiments.files.sources import check_regular
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError, MissingExtraError

TOKENS, KINDS, MERGES = (f"tokenizer.ggml.{part}" for part in ("tokens", "token_type", "merges"))
MAGIC, STRING, LIST = b"GGUF", 8, 9
WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a number by its kind."""
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
    check_regular(path)
    try:
        _check_counts(path)
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


def _check_counts(path: Path) -> None:
    """Refuses lists of more elements than the file has bytes, for which the reader would make room.

    Raises:
        ValueError, struct.error: what is said of the file does not fit into it.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != MAGIC:
            raise ValueError(f"it begins with {bytes(data[:4])!r}")

        def number(place: int, code: str) -> tuple[int, int]:
            (found,) = struct.unpack_from("<" + code, data, place)
            return int(found), place + struct.calcsize(code)

        def text(place: int) -> int:
            length, place = number(place, "Q")
            return fitting(place, length)

        def fitting(place: int, length: int) -> int:
            if length > len(data) - place:
                raise ValueError(f"a part of {length} bytes or elements is longer than the file")
            return place + length

        def value(place: int, kind: int, depth: int = 0) -> int:
            if kind == STRING:
                return text(place)
            if kind in WIDTHS:
                return fitting(place, WIDTHS[kind])
            if kind != LIST or depth > 2:
                raise ValueError(f"a value of kind {kind}")
            kind, place = number(place, "I")
            count, place = number(place, "Q")
            fitting(place, count)
            if kind in WIDTHS:
                return fitting(place, count * WIDTHS[kind])
            for _ in range(count):
                place = value(place, kind, depth + 1)
            return place

        tensors, place = number(8, "Q")
        fields, place = number(place, "Q")
        for _ in range(fields):
            place = text(place)
            kind, place = number(place, "I")
            place = value(place, kind)
        fitting(place, tensors)


def _listed(found: dict[str, Any], part: str, where: str) -> list[Any]:
    if not isinstance(found.get(part), list):
        raise ExperimentError(f"{where} has no list {part}")
    return list(found[part])
