"""A program as plain data, all that a page or another language needs to carry it out."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ntkexec.program.fields import Table
from ntkexec.program.layout import Layout
from ntkexec.program.program import Program


def listing(program: Program, *, shown_where: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Fields and templates of a program.

    Args:
        program: any.
        shown_where: by field, the flag without which its value means nothing.
    """
    return {
        "layout": layout_data(program.layout, shown_where or {}),
        "program": templates_data(program),
    }


def layout_data(layout: Layout, shown_where: Mapping[str, str]) -> dict[str, Any]:
    """The fields by path, each with the columns of its bits, lowest bit (or first choice) first."""
    fields = []
    for room, found in (("state", layout.computation), ("message", layout.messages)):
        for field in found:
            leaves = field.fields if isinstance(field, Table) else (field,)
            for leaf in leaves:
                table = isinstance(field, Table)
                path = f"{field.name}.{leaf.name}" if table else field.name
                slots = range(field.slots) if isinstance(field, Table) else (None,)
                fields.append(
                    {
                        "path": path,
                        "room": room,
                        "kind": leaf.kind,
                        "signed": bool(getattr(leaf, "signed", False)),
                        "size": getattr(leaf, "size", None),
                        "table": table,
                        "shown_where": shown_where.get(path),
                        "columns": [list(layout.bits(path, slot=slot)) for slot in slots],
                    }
                )
    return {
        "fields": fields,
        "bit_names": list(layout.bit_names),
        "num_computation_bits": layout.num_computation_bits,
    }


def templates_data(program: Program) -> dict[str, Any]:
    """The templates: which bits must hold which value, which bits become 1, and both in words."""
    return {
        "round_length": program.round_length,
        "templates": [
            {
                "when": [[bit, int(value)] for bit, value in entry.condition],
                "then": list(entry.outputs),
                "text": program.describe(index),
            }
            for index, entry in enumerate(program.templates)
        ],
    }


def phase_names(program: Program) -> dict[str, str]:
    """By number, as a string, what a program in the instruction language calls its phases.

    As far as labels say: a template's label is "choose (file:line)", or "after choose" for the
    one that goes on to the next phase; a template belongs to the phase that its condition asks for.
    """
    phase = next((f for f in program.layout.computation if f.name == "phase"), None)
    if phase is None or phase.kind not in ("flag", "one-hot"):
        return {}
    bits = list(program.layout.bits("phase"))
    names: dict[int, Counter[str]] = {}
    for entry in program.templates:
        label = entry.label.removeprefix("after ")
        name = label.partition(" (")[0]
        # "keep", and what several statements share, name no phase.
        if name == entry.label or ";" in label or name == "keep":
            continue
        for bit, value in entry.condition:
            if bit in bits and (value or phase.kind == "flag"):
                number = int(value) if phase.kind == "flag" else bits.index(bit)
                names.setdefault(number, Counter())[name] += 1
    return {str(number): found.most_common(1)[0][0] for number, found in names.items()}
