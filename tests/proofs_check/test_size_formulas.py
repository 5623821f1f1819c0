"""Built programs have the templates and the bits that the formulas say, also at the smallest sizes."""

import itertools

import pytest

from ntkexec.programs import ALGORITHMS
from proofs_check.fixtures.size_formulas import FORMULAS
from proofs_check.statements.sizes import ROUNDS

PLACES = [*itertools.product((0, 1, 2, 3, 4, 5), (1, 2, 5, 7)), (3, 10), (4, 17), (5, 26), (7, 8)]


def grid(name):
    """All sizes to try, of a program that exchanges messages or of one on a single node."""
    if name == "flooding":
        for (degree, slots), message, arrival in itertools.product(PLACES, (1, 2, 4), (1, 2, 3, 6)):
            yield {
                "degree": degree,
                "slots": slots,
                "message_bits": message,
                "arrival_bits": arrival,
            }
    elif name == "flooding-split":
        for (degree, slots), message, depth in itertools.product(PLACES, (1, 2, 4), (1, 2, 3, 6)):
            words = {"message_bits": message, "arrival_bits": 7 - depth, "depth_bits": depth}
            yield {"degree": degree, "slots": slots} | words
    elif name in ("bfs-split", "dfs-split"):
        for (degree, slots), word, depth in itertools.product(PLACES, (1, 2, 4), (1, 2, 5)):
            yield {"degree": degree, "slots": slots, "word": word, "depth_bits": depth}
    elif name in ROUNDS:
        for (degree, slots), word in itertools.product(PLACES, (1, 2, 3, 4, 6)):
            yield {"degree": degree, "slots": slots, "word": word}
    elif name == "sbn":
        for sizes in ((1, 1, 1), (2, 2, 2), (3, 5, 4), (5, 3, 9), (4, 8, 7)):
            yield dict(zip(("word", "cells", "code"), sizes, strict=True))
    else:
        for bits in (1, 2, 3, 5, 8, 13, 30):
            yield {"bits": bits} | ({"permutation": 0} if name == "permute" else {})


# Every seventh of many goes through all words and all places, by turns.
@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", FORMULAS)
def test_a_program_has_as_many_templates_and_bits_as_its_formulas_say(name, every):
    formulas, sizes_to_try = FORMULAS[name], list(grid(name))
    for sizes in sizes_to_try[:: every if len(sizes_to_try) > 10 else 1]:
        program = ALGORITHMS[name].program(**sizes)
        assert program.num_templates == formulas.templates(**sizes), sizes
        if formulas.state_bits is not None:
            assert program.layout.num_bits == formulas.state_bits(**sizes), sizes
        if name in ROUNDS:
            assert program.round_length == ROUNDS[name](sizes.get("word", 0)), sizes
