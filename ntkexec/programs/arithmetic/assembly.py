"""SBN programs as text.

    # product = a * b
    a = 6                   a cell and its number at the start
    b = 7
    ...
    answer = product        the cell that holds the answer in the end; may be left out
          a minus           minus becomes minus - a
    loop: one b halt        b becomes b - 1; if it is negative, go to `halt`, the end
          ...

A label ends with a colon; without an aim the next instruction follows in any case.
"""

import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path

from ntkexec.errors import ProgramError, did_you_mean
from ntkexec.programs.reference.sbn import Instruction

HALT = "halt"
SHIPPED = Path(__file__).parent / "sbn_programs"

_CELL = re.compile(r"([A-Za-z_]\w*)\s*=\s*([+-]?\d+)")
_ANSWER = re.compile(r"answer\s*=\s*([A-Za-z_]\w*)")
_INSTRUCTION = re.compile(r"(?:([A-Za-z_]\w*)\s*:)?\s*(\w+)\s+(\w+)(?:\s+(\w+))?")


@dataclasses.dataclass(frozen=True)
class Assembly:
    """An SBN program.

    Args:
        name: what to call it.
        cells: the numbers at the start, by name.
        code: the instructions, cells by their place.
        lines: the line of each instruction in the text.
        answer: the cell that holds the answer in the end, where the program says one.
    """

    name: str
    cells: Mapping[str, int]
    code: tuple[Instruction, ...]
    lines: tuple[int, ...]
    answer: str | None = None

    def with_cells(self, changes: Mapping[str, int]) -> "Assembly":
        """The same code on other numbers.

        Raises:
            ProgramError: an unknown cell; suggests the nearest.
        """
        for cell in changes:
            if cell not in self.cells:
                raise ProgramError(
                    f"{self.name} has no cell {cell!r}; there is {', '.join(self.cells)}"
                    f"{did_you_mean(cell, self.cells)}"
                )
        return dataclasses.replace(self, cells={**self.cells, **changes})


def shipped() -> tuple[str, ...]:
    """Names of the programs that come along."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.txt")))


def load(spec: str | os.PathLike[str]) -> Assembly:
    """A program from a file, or one that comes along, by name.

    Raises:
        ProgramError: no such file or name, or see `parse`.
    """
    if isinstance(spec, str) and spec in shipped():
        return parse((SHIPPED / f"{spec}.txt").read_text(), spec)
    try:
        text = Path(spec).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProgramError(
            f"SBN program {str(spec)!r} is neither a text file nor one of {', '.join(shipped())}"
            f"{did_you_mean(str(spec), shipped())}"
        ) from error
    return parse(text, Path(spec).stem)


def parse(text: str, name: str) -> Assembly:
    """A program from its text.

    Raises:
        ProgramError: names the line and what is wrong with it.
    """
    cells: dict[str, int] = {}
    labels: dict[str, int] = {}
    answers: list[tuple[int, str]] = []
    parsed: list[tuple[int, str, str, str | None]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.partition("#")[0].strip()
        if not bare:
            continue
        if found := _CELL.fullmatch(bare):
            if found[1] in cells:
                raise ProgramError(f"{name}, line {number}: cell {found[1]!r} is there already")
            cells[found[1]] = int(found[2])
        elif found := _ANSWER.fullmatch(bare):
            answers.append((number, found[1]))
        elif found := _INSTRUCTION.fullmatch(bare):
            label, a, b, aim = found.groups()
            if label in labels or label == HALT:
                raise ProgramError(f"{name}, line {number}: label {label!r} is there already")
            if label is not None:
                labels[label] = len(parsed)
            parsed.append((number, a, b, aim))
        else:
            raise ProgramError(
                f"{name}, line {number}: {bare!r} is neither 'cell = number' nor "
                "'[label:] cell cell [aim]'"
            )
    if not parsed:
        raise ProgramError(f"{name} has no instruction")
    places = {cell: place for place, cell in enumerate(cells)}
    labels[HALT] = len(parsed)
    code = []
    for place, (number, a, b, aim) in enumerate(parsed):
        for cell in (a, b):
            if cell not in places:
                raise ProgramError(
                    f"{name}, line {number}: no cell {cell!r}; there is {', '.join(cells)}"
                    f"{did_you_mean(cell, cells)}"
                )
        if aim is not None and aim not in labels:
            raise ProgramError(
                f"{name}, line {number}: no label {aim!r}; there is {', '.join(labels)}"
                f"{did_you_mean(aim, labels)}"
            )
        code.append((places[a], places[b], place + 1 if aim is None else labels[aim]))
    for number, cell in answers:
        if cell not in places:
            raise ProgramError(
                f"{name}, line {number}: no cell {cell!r}; there is {', '.join(cells)}"
                f"{did_you_mean(cell, cells)}"
            )
    if len(answers) > 1:
        raise ProgramError(f"{name}, line {answers[1][0]}: the answer is {answers[0][1]!r} already")
    answer = answers[0][1] if answers else None
    return Assembly(name, cells, tuple(code), tuple(number for number, *_ in parsed), answer)
