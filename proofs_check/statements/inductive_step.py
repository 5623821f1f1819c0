"""The inductive step of flooding, over all states that a node may be in: a proof by cases.

One step of a node reads nothing but the node's own bits. So what the induction of docs/proofs.md says
of a step is a claim about finitely many states, whatever the graph: all of them are tried here.
"""

import functools
import itertools
from collections.abc import Iterator

import numpy as np

from ntkexec.check import Check, Measurement, Scale
from ntkexec.program.program import Program
from ntkexec.programs.graph import flooding

SIZES: dict[Scale, tuple[dict[str, int], ...]] = {
    "quick": ({"degree": 2, "slots": 5, "message_bits": 2, "arrival_bits": 2},),
    "standard": ({"degree": 3, "slots": 10, "message_bits": 2, "arrival_bits": 3},),
    "full": (
        {"degree": 3, "slots": 10, "message_bits": 4, "arrival_bits": 4},
        {"degree": 4, "slots": 17, "message_bits": 1, "arrival_bits": 2},
    ),
}


def update(program: Program, states: np.ndarray) -> np.ndarray:
    """What a node writes, template by template: the program itself, nothing learned.

    Args:
        program: its templates.
        states: bool of shape (s, k).

    Returns:
        Computation bits of the next state, and message bits as they are sent; shape (s, k).
    """
    after = np.zeros_like(states)
    for entry in program.templates:
        bits, values = zip(*entry.condition, strict=True)
        matched = (states[:, bits] == np.array(values, bool)).all(axis=1)
        after[np.ix_(matched, list(entry.outputs))] = True
    return after


def worlds(sizes: dict[str, int]) -> Iterator[dict[str, np.ndarray]]:
    """All states of a node, by message, that keep the induction hypothesis before either step.

    Before *send* no slot is full. Before *receive* those of at most D + 1 nodes are, which hold the
    message. Rounds are all that the arrival time can count, that of an informed node is no later.
    """
    slots, size = sizes["slots"], 1 << sizes["arrival_bits"]
    sets = [
        np.isin(np.arange(slots), chosen)
        for number in range(sizes["degree"] + 2)
        for chosen in itertools.combinations(range(slots), number)
    ]
    for message in range(1 << sizes["message_bits"]):
        for phase, full in ((False, [sets[0]]), (True, sets)):
            grid = itertools.product(range(slots), (False, True), range(size), full)
            colour, informed, arrival, filled = map(np.array, zip(*grid, strict=True))
            yield {
                "phase": np.full(len(colour), phase),
                "colour": colour,
                "informed": informed,
                "message": message * informed,
                "arrival": arrival,
                "inbox.full": filled,
                "inbox.message": message * filled,
            }


def expected(before: dict[str, np.ndarray], slots: int, size: int) -> dict[str, np.ndarray]:
    """What the step of the induction says: the state of the node, and what it sends in its slot."""
    informed, arrival, message = before["informed"], before["arrival"], before["message"]
    own = (np.arange(slots) == before["colour"][:, None]) & informed[:, None]
    if not before["phase"][0]:
        return before | {
            "phase": np.ones_like(informed),
            "inbox.full": own,
            "inbox.message": own * message[:, None],
            "arrival": np.where(informed, arrival, (arrival + 1) % size),
        }
    heard = before["inbox.full"].any(axis=1)
    return before | {
        "phase": np.zeros_like(informed),
        "informed": informed | heard,
        "message": np.maximum(message, before["inbox.message"].max(axis=1)),
        "inbox.full": np.zeros_like(own),
        "inbox.message": np.zeros(own.shape, int),
    }


def measure(scale: Scale, drop: int = 0) -> Measurement:
    """States from which a step does not lead where the induction says.

    Args:
        scale: which sizes.
        drop: templates left out at the end, for counter-cases.
    """
    wrong = states = 0
    for sizes in SIZES[scale]:
        program = flooding.program(**sizes)
        templates = program.templates[: program.num_templates - drop]
        broken = Program(program.name, program.layout, templates, round_length=program.round_length)
        for before in worlds(sizes):
            count = len(before["colour"])
            start = program.layout.pack(count, before)
            after = expected(before, sizes["slots"], 1 << sizes["arrival_bits"])
            differs = update(broken, start) != program.layout.pack(count, after)
            wrong += int(differs.any(axis=1).sum())
            states += count
    return Measurement(wrong, details={"states": states, "sizes": list(SIZES[scale])})


CHECK = Check(
    name="inductive-step",
    claim="flooding: from every state that keeps the induction hypothesis a step leads where it says",
    source="docs/proofs.md; proved on the templates for every graph: docs/theorems.md",
    how="all states of a node: message, colour, informed or not, arrival, any D + 1 slots full; "
    "D = 2 (quick), 3, or 3 with longer words and 4",
    bound=0,
    bound_from="the claim is exact",
    measure=measure,
    broken=functools.partial(measure, drop=1),
)
