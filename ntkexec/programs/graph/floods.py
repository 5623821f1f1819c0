"""What floods carry and what they leave: the message, the answer, and what it must be."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Bool

from ntkexec.errors import ProgramError
from ntkexec.graphs import Graph
from ntkexec.program.program import Program
from ntkexec.programs import inputs
from ntkexec.programs.instance import Answer
from ntkexec.programs.reference import flooding as reference

DEFAULT_ARRIVAL_BITS = 4
EXAMPLE = "1011"


@dataclasses.dataclass(frozen=True)
class Message:
    """A message as its bits, highest first as people write them: `Message.parse("1011")`."""

    bits: tuple[bool, ...]

    @classmethod
    def parse(cls, text: str) -> "Message":
        """Reads a string of 0s and 1s.

        Raises:
            ProgramError: empty, or another character.
        """
        if not text or set(text) - set("01"):
            raise ProgramError(f"a message is a string of 0s and 1s such as 1011, got {text!r}")
        return cls(tuple(c == "1" for c in text))

    @property
    def value(self) -> int:
        return sum(bit << place for place, bit in enumerate(reversed(self.bits)))

    def __len__(self) -> int:
        return len(self.bits)

    def __str__(self) -> str:
        return "".join("01"[bit] for bit in self.bits)


def answer(flooding: Program, states: Bool[np.ndarray, "n k"]) -> Answer:
    """What every node knows at the end: `informed` (0 or 1), `message`, `arrival`.

    `message` and `arrival` are -1 at nodes that the message did not reach.
    """
    fields = flooding.layout.unpack(states, strict=False)
    informed = fields["informed"]
    return {
        "informed": informed.astype(int),
        "message": np.where(informed, fields["message"], -1),
        "arrival": np.where(informed, fields["arrival"], -1),
    }


def expected(graph: Graph, sources: Sequence[int], message: Message) -> Answer:
    """The reference's answer."""
    return inputs.as_columns(reference.expected(inputs.index_graph(graph), sources, message.value))


def formats(message: Message) -> Mapping[str, Callable[[int], object]]:
    """How to show what a flood leaves."""
    return {"informed": bool, "message": lambda value: format(value, f"0{len(message)}b")}


def check_length(message: Message, sizes: Mapping[str, int] | None) -> None:
    """Raises ProgramError unless a program of these sizes, if any are given, takes the message."""
    if sizes and sizes.get("message_bits") != len(message):
        raise ProgramError(
            f"message {message} has {len(message)} bits, the program takes "
            f"{sizes.get('message_bits')}"
        )


def sizes(
    algorithm: str,
    *,
    degree: int | None = None,
    word: int | None = None,
    slots: int | None = None,
    arrival_bits: int | None = None,
) -> dict[str, int]:
    """The sizes of a flooding program for every graph of a degree.

    Args:
        algorithm: its name, for messages.
        degree: D, most neighbours of a node.
        word: bits of a message.
        slots: colours; by default D^2 + 1, which a two-hop colouring never exceeds.
        arrival_bits: of the arrival time.

    Raises:
        ProgramError: degree or word is missing.
    """
    if degree is None or word is None:
        raise ProgramError(f"{algorithm} without a graph needs --degree and --word")
    return {
        "degree": degree,
        "slots": degree**2 + 1 if slots is None else slots,
        "message_bits": word,
        "arrival_bits": DEFAULT_ARRIVAL_BITS if arrival_bits is None else arrival_bits,
    }
