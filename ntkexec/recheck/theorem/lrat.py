"""The checker of proofs: whether clauses have no model, by the steps of a proof in LRAT.

A step derives a clause by unit propagation. All its literals are taken to be false. Each hint but the
last is a clause in which all literals but one are false by then, so that this one is true; in the last
hint all are false, which cannot be. So the clause follows from those before it, and the last step
derives the clause without literals, which nothing satisfies.

Nothing is taken from the text on trust. Somebody may change a step so that it still passes: a literal is
left out that the hints do not need, or a hint names another clause that says the same here, or less is
hinted and is enough. Then the changed step has been derived as well, and the clauses have no model.

Source: Cruz-Filipe, Heule, Hunt, Kaufmann, Schneider-Kamp, Efficient certified RAT verification,
arXiv:1612.02353; without its RAT steps, deletions and comments.
"""

import re
from collections.abc import Iterable

from ..reading import Rejected, need
from .circuit import Literal

# A number, literals, 0, hints, 0; nine digits at most.
STEP = re.compile(r"([1-9]\d{0,8})((?: -?[1-9]\d{0,8})*) 0((?: [1-9]\d{0,8})+) 0", re.ASCII)
MOST = 1 << 28


def check(clauses: Iterable[Iterable[Literal]], text: str) -> None:
    """Passes if the text proves that the clauses have no model.

    Args:
        clauses: numbered from 1.
        text: a line for each step, numbered on from there without a gap.

    Raises:
        Rejected: something is no step, or does not follow from what its hints name.
    """
    need(len(text) <= MOST, f"a proof of more than {MOST} characters")
    known = [frozenset[Literal](), *map(frozenset, clauses)]
    *lines, rest = text.split("\n")
    need(lines and not rest, "the proof does not end with the end of a line")
    for line in lines:
        match, number = STEP.fullmatch(line), len(known)
        if match is None or int(match[1]) != number:
            raise Rejected(f"{line[:40]!r} is not step {number} of a proof")
        clause, hints = (list(map(int, part.split())) for part in match.group(2, 3))
        need(max(hints) < number, f"step {number} hints at a clause that does not come before it")
        false = set(clause)
        for hint in hints[:-1]:
            left = known[hint] - false
            if len(left) != 1:
                raise Rejected(f"step {number}: hint {hint} leaves {len(left)} literals, not one")
            false.add(-next(iter(left)))
        need(known[hints[-1]] <= false, f"step {number}: its last hint is not false")
        known.append(frozenset(clause))
    need(not known[-1], "the last step is not the clause without literals")
