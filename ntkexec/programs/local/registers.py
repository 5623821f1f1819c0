"""Values of a type in a program: the fields that hold one, and its bits as values of the language."""

import types
from collections.abc import Sequence
from typing import Any

from ntkexec.language import Builder, Number, Sum, Word
from ntkexec.program.fields import MAX_WORD_BITS, Flag, Leaf
from ntkexec.programs.local.types import (
    Bool,
    Optional,
    Record,
    Scalar,
    Set,
    Tuple,
    Type,
)


def words_of(kind: Type, prefix: str) -> list[Leaf]:
    """The fields that hold a value; long sets take several words."""
    fields: list[Leaf] = []
    for name, leaf in kind.leaves():
        whole = "_".join(filter(None, (prefix, name)))
        if isinstance(leaf, Bool):
            fields.append(Flag(whole))
            continue
        for start in range(0, leaf.num_bits, MAX_WORD_BITS):
            part = f"{whole}_from{start}" if leaf.num_bits > MAX_WORD_BITS else whole
            fields.append(Word(part, min(MAX_WORD_BITS, leaf.num_bits - start)))
    return fields


def declare(p: Builder, kind: Type, prefix: str, *, temporary: bool = False) -> tuple[Sum, ...]:
    """Declares the fields that hold a value; their bits."""
    bits: list[Sum] = []
    for field in words_of(kind, prefix):
        if isinstance(field, Flag):
            bits.append(p.flag(field.name, temporary=temporary))
        else:
            bits += p.word(field.name, field.num_bits, temporary=temporary).bits
    return tuple(bits)


def structure(kind: Type, bits: Sequence[Sum]) -> Any:
    """Bits as values of the instruction language.

    A `Bool` becomes a condition, another scalar a `Number`, a set a tuple of conditions, a record or an
    optional value an object with attributes, a tuple a tuple.
    """
    match kind:
        case Bool():
            return bits[0]
        case Scalar():
            return Number(tuple(bits))
        case Set():
            return tuple(bits)
        case Optional():
            return types.SimpleNamespace(present=bits[0], value=structure(kind.inner, bits[1:]))
        case Record() | Tuple():
            parts = {
                name: structure(part, bits[start : start + part.num_bits])
                for (name, part), start in zip(
                    kind.parts.items(), kind.offsets.values(), strict=True
                )
            }
            is_record = isinstance(kind, Record)
            return types.SimpleNamespace(**parts) if is_record else tuple(parts.values())
    raise AssertionError(f"unknown type {kind!r}")
