"""Programs whose worst decision is known, for the statements about interference."""

import numpy as np

from ntkexec.layout import Flag, Layout, Word
from ntkexec.template import Program, template


def collision_program(writers: int, others: int) -> Program:
    """`writers` templates write `target`, one at a time, and `others` match in one common state.

    In the worst state, `worst_state`, m = others + 1 templates match, one of which writes `target`.

    Args:
        writers: w of the bit `target`.
        others: templates that write a bit of their own in `spare`.
    """
    layout = Layout(
        (
            Word("pick", max(1, (writers - 1).bit_length())),
            Word("bystanders", max(1, others.bit_length())),
            Flag("target"),
            Word("spare", max(1, others)),
        )
    )
    target, spare = layout.bit("target"), layout.bits("spare")
    pick, bystanders = layout.bits("pick"), layout.bits("bystanders")
    templates = []
    for value in range(writers):
        condition = {bit: value >> place & 1 for place, bit in enumerate(pick)}
        templates.append(template(condition, [target], "pick"))
    for index in range(others):
        # All of these hold in the state whose `bystanders` are all ones.
        condition = {bit: 1 for place, bit in enumerate(bystanders) if (index + 1) >> place & 1}
        templates.append(template(condition, [spare[index]], "bystander"))
    return Program("collision", layout, tuple(templates))


def worst_state(program: Program, pick: int = 0) -> np.ndarray:
    """The state of a `collision_program` in which writer number `pick` matches, shape (1, k)."""
    ones = (1 << len(program.layout.bits("bystanders"))) - 1
    return program.layout.pack(1, {"bystanders": ones, "pick": pick})
