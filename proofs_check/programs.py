"""Programs whose worst decision is known, for the statements about interference."""

import numpy as np

from ntkexec import kernel
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


def random_program(rng: np.random.Generator, *, crowded: bool = False) -> Program:
    """A program over 8 bits with random conditions.

    Args:
        rng: where they come from.
        crowded: 2 to 44 conditions of three bits, each met by one state in eight, that all write one
            bit, beside 4 to 16 conditions of one bit that write others: many writers, of which few
            match, and many matches, so that the mean of that bit is often on the wrong side of 0.
            Else 3 to 12 conditions of up to two bits that write one or two bits.
    """
    layout = Layout((Word("state", 8),))
    outputs: dict[tuple[tuple[int, bool], ...], set[int]] = {}

    def add(length: int, written: list[int]) -> None:
        read = rng.choice(8, size=length, replace=False)
        condition = tuple(sorted((int(b), bool(rng.integers(2))) for b in read))
        outputs.setdefault(condition, set()).update(written)

    if crowded:
        for _ in range(rng.integers(2, 45)):
            add(3, [0])
        for _ in range(rng.integers(4, 17)):
            add(1, [int(rng.integers(1, 8))])
    else:
        for _ in range(rng.integers(3, 13)):
            add(int(rng.integers(1, 3)), rng.integers(8, size=2).tolist())
    entries = [template(condition, written, "random") for condition, written in outputs.items()]
    return Program("random", layout, tuple(entries))


def all_matches(program: Program) -> np.ndarray:
    """Which templates match, by state, in all 256 states of 8 bits."""
    states = (np.arange(256)[:, None] >> np.arange(8)) & 1 == 1
    columns = [
        np.all([states[:, bit] == value for bit, value in entry.condition], axis=0)
        for entry in program.templates
    ]
    return np.stack(columns, axis=1)


def solved_means(program: Program, matched: np.ndarray) -> np.ndarray:
    """Means of the trained network by solving with the Gram matrix, in states that match these."""
    _, targets = program.training_set()
    m = matched.sum(axis=1, keepdims=True)
    cross = np.where(m > 0, kernel.ntk(matched / np.sqrt(np.maximum(m, 1))), 0)
    return cross @ np.linalg.solve(kernel.ntk(np.eye(program.num_templates)), targets)
