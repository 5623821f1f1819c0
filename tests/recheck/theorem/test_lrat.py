"""The checker of proofs accepts derivations and nothing else."""

import dataclasses
import random

import pytest

from ntkexec.programs.graph import bfs
from ntkexec.prove.refutation import refute
from ntkexec.prove.solve import model_of
from ntkexec.recheck.reading import Rejected
from ntkexec.recheck.theorem import lrat
from ntkexec.recheck.theorem.obligation import Formula
from tests.support.formulas import drawn_formula, models, pigeons
from tests.support.theorems import theorem_of

SQUARE = [[1, 2], [1, -2], [-1, 2], [-1, -2]]
PROOF = "5 1 0 1 2 0\n6 2 0 5 3 0\n7 0 5 6 4 0\n"


def accepted(clauses, text):
    try:
        lrat.check(clauses, text)
    except Rejected:
        return False
    return True


def test_a_proof_by_hand_is_accepted():
    assert accepted(SQUARE, PROOF)
    assert accepted([[]], "2 0 1 0\n")
    assert accepted([[1, 1], [-1, -1]], "3 0 1 2 0\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "nonsense",
        PROOF.removesuffix("\n"),
        PROOF + "\n",
        PROOF + "c the end\n",
        PROOF.replace("\n", "\r\n"),
        PROOF.replace("6 2", "6  2"),
        PROOF.replace("6 2", " 6 2"),
        PROOF.replace("6 2", "6\t2"),
        PROOF.replace("6 2 0", "6 +2 0"),
        PROOF.replace("6 2 0", "6 02 0"),
        PROOF.replace("6 2 0", "6 2_ 0"),
        PROOF.replace("6 2 0", "6 \u0662 0"),
        PROOF.replace("6 2 0", "6 2.0 0"),
        PROOF.replace("5 3 0", "5 3"),
        PROOF.replace("5 3 0", "5 -3 0"),
        PROOF.replace("5 3 0", "5 0 3 0"),
        PROOF.replace("5 3 0", "5 1000000003 0"),
        PROOF.replace("6 2 0", "6 2 2000000000 0"),
        PROOF.replace("6 2", "6 d 1 0\n6 2"),
        PROOF.replace("6 2 0 5 3 0\n", ""),
        PROOF.replace("6 2 0", "8 2 0"),
        PROOF.replace("6 2 0", "5 2 0"),
        PROOF.replace("7 0 5 6 4 0\n", ""),
        PROOF + "8 1 0 5 0\n",
        "5 0 0\n",
        "5 0 5 0\n",
        "5 0 6 0\n6 0 5 0\n",
        "5 3 0 1 0\n",
    ],
)
def test_what_is_no_proof_is_refused(text):
    assert not accepted(SQUARE, text)


def test_a_proof_may_not_be_larger_than_what_is_read(monkeypatch):
    monkeypatch.setattr(lrat, "MOST", len(PROOF))
    assert accepted(SQUARE, PROOF)
    monkeypatch.setattr(lrat, "MOST", len(PROOF) - 1)
    assert not accepted(SQUARE, PROOF)


# Changed proofs.


def parsed(text):
    """Steps as their number, literals and hints."""
    for line in text.splitlines():
        words = [int(word) for word in line.split()]
        end = words.index(0)
        yield words[0], words[1:end], words[end + 1 : -1]


def written(steps):
    return "".join(" ".join(map(str, [n, *c, 0, *h])) + " 0\n" for n, c, h in steps)


def changes(step, source):
    """Every kind of change to a step that has a place for it, at a place that is drawn."""
    number, clause, hints = step
    if clause:
        i = source.randrange(len(clause))
        yield "literal dropped", (number, clause[:i] + clause[i + 1 :], hints)
        yield "literal negated", (number, [*clause[:i], -clause[i], *clause[i + 1 :]], hints)
    i = source.randrange(len(hints))
    if len(hints) > 1:
        yield "hint dropped", (number, clause, hints[:i] + hints[i + 1 :])
        yield "last hint dropped", (number, clause, hints[:-1])
        yield "hints exchanged", (number, clause, [*hints[i:], *hints[:i]])
    other = source.randrange(1, number)
    yield "another hint", (number, clause, [*hints[:i], other, *hints[i + 1 :]])
    yield "next hint", (number, clause, [*hints[:i], min(hints[i] + 1, number), *hints[i + 1 :]])
    yield "hint added", (number, clause, [*hints[:i], other, *hints[i:]])


def breadth_first(part):
    sizes = {"degree": 2, "slots": 5, "word": 3}
    obligation = theorem_of("bfs", bfs.program(**sizes), sizes).obligations["listen"]()
    return obligation.formula(part)


def test_a_changed_step_is_refused_or_follows_from_what_it_hints_at():
    """Some pass, as some did of 200 in a first trial: none of them says what does not follow.

    A solver confirms each from its hints alone, for from an unsatisfiable formula anything follows.
    """
    source = random.Random(2)
    formulas = [pigeons(5), breadth_first("parent"), breadth_first("calls")]
    passed, tried = set(), 0
    for formula in formulas:
        steps = list(parsed(refute(formula)))
        known = dict(enumerate(formula.clauses, 1)) | {n: clause for n, clause, _ in steps}
        assert accepted(formula.clauses, written(steps))
        for place in source.sample(range(len(steps)), min(len(steps), 25)):
            for kind, changed in changes(steps[place], source):
                if changed == steps[place]:
                    continue
                tried += 1
                text = written([*steps[:place], changed, *steps[place + 1 :]])
                if not accepted(formula.clauses, text):
                    continue
                passed.add(kind)
                negated = [[-literal] for literal in changed[1]]
                hinted = [known[hint] for hint in changed[2]]
                assert model_of(Formula(formula.num_variables, hinted + negated)) is None
    assert tried > 400
    # No literal turns round and no step does without its last hint.
    assert passed <= {
        "literal dropped",
        "hint dropped",
        "hints exchanged",
        "another hint",
        "next hint",
        "hint added",
    }


def test_a_literal_that_no_hint_needs_may_be_missing():
    """What passes: here 3 is superfluous, and what the step says without it follows as well."""
    clauses = [*SQUARE, [-3]]
    rest = "7 1 0 5 6 0\n8 0 7 3 4 0\n"
    assert accepted(clauses, "6 3 1 0 1 2 0\n" + rest)
    assert accepted(clauses, "6 1 0 1 2 0\n" + rest)
    assert not accepted(clauses, "6 3 0 1 2 0\n" + rest)


def test_no_proof_of_one_formula_is_one_of_another_that_has_a_model():
    source, offered = random.Random(3), 0
    while offered < 200:
        formula = drawn_formula(source)
        if next(models(formula), None) is not None:
            continue
        text = refute(formula)
        for i, clause in enumerate(formula.clauses):
            # The same but for one clause, whose place is kept by one that is true of anything.
            less = Formula(formula.num_variables, [*formula.clauses])
            less.clauses[i] = [1, -1]
            if next(models(less), None) is not None:
                offered += 1
                assert not accepted(less.clauses, text), clause


def test_the_proof_for_a_program_is_refused_for_one_without_a_template():
    sizes = {"degree": 2, "slots": 5, "word": 3}
    program = bfs.program(**sizes)
    right = theorem_of("bfs", program, sizes).obligations["listen"]()
    proofs = {part: refute(right.formula(part)) for part in ("called", "calls")}
    broken = 0
    for i in range(0, program.num_templates, 5):
        templates = program.templates[:i] + program.templates[i + 1 :]
        less = dataclasses.replace(program, templates=templates)
        wrong = theorem_of("bfs", less, sizes).obligations["listen"]()
        for part, text in proofs.items():
            formula = wrong.formula(part)
            if model_of(formula) is not None:
                broken += 1
                assert not accepted(formula.clauses, text)
    assert broken
