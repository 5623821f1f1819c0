"""Which program, statement and specification a LOCAL algorithm stands for, shipped or of one's own."""

from typing import Any, NamedTuple

from ntkexec.errors import ProgramError, clean, shown
from ntkexec.program.files import is_file_name
from ntkexec.program.program import Program
from ntkexec.programs import sources
from ntkexec.programs.local.algorithm import Local
from ntkexec.programs.local.compiler import Compiled, compile
from ntkexec.programs.local.examples import FAMILIES
from ntkexec.programs.local.family import Family
from ntkexec.programs.registry import find_algorithm
from ntkexec.prove.tables import tables_of

SHIPPED = {family.name: family for family in FAMILIES}
"""LOCAL algorithms that come along, by name."""


_NEEDED = (
    "a LOCAL algorithm is needed, a Local, a Family or a Compiled, whose functions say what is computed; "
    "of any other program `ntkexec certify PROGRAM --ensemble DIR` shows that networks execute it"
)


class Specified(NamedTuple):
    """What the statement `local` takes.

    Args:
        statement: its name.
        program: the algorithm, compiled.
        sizes: of the program.
        specification: the algorithm's functions as tables.
    """

    statement: str
    program: Program
    sizes: dict[str, int]
    specification: dict[str, Any]


def specified(
    source: str | Local | Family | Compiled,
    *,
    degree: int | None = None,
    slots: int | None = None,
    word: int | None = None,
) -> Specified:
    """A LOCAL algorithm for all graphs of a degree.

    Args:
        source: the name of a shipped one, `module:name` of a `Local`, a `Family`, a `Compiled` or of a
            function that gives one, or the object itself.
        degree: D, most neighbours of a node.
        slots: colours; by default D^2 + 1, which a two-hop colouring never exceeds.
        word: for those that have one.

    Raises:
        ProgramError: raw templates, no LOCAL algorithm, sizes that it lacks, or tables that are too large.
        NtkexecError: no such module, or name in it.
    """
    if isinstance(source, str) and source in SHIPPED:
        sizes = find_algorithm(source).sizes(degree=degree, slots=slots, word=word)
        compiled = SHIPPED[source].compiled(**sizes)
        return Specified("local", compiled.program, sizes, tables_of(compiled))
    if isinstance(source, str) and is_file_name(source):
        raise ProgramError(
            f"{clean(source)} is a file of raw templates, and raw templates do not say what they are to "
            f"compute; {_NEEDED}"
        )
    found = sources.find_object(source, degree=degree, slots=slots, word=word)
    name = source if isinstance(source, str) else "the object"
    if isinstance(found, Compiled):
        compiled = found
    elif isinstance(found, Local | Family):
        if degree is None:
            raise ProgramError(f"{clean(name)} without a graph needs --degree")
        chosen = degree**2 + 1 if slots is None else slots
        if isinstance(found, Local):
            compiled = compile(found, degree=degree, slots=chosen)
        else:
            compiled = found.compiled(degree=degree, slots=chosen, word=1 if word is None else word)
    else:
        raise ProgramError(f"{clean(name)} gives {shown(type(found).__name__)}; {_NEEDED}")
    sizes = {"degree": compiled.degree, "slots": compiled.slots}
    if word is not None:
        sizes["word"] = word
    return Specified("local", compiled.program, sizes, tables_of(compiled))
