"""What is changed in one thing is refused, and no mutant of hundreds is verified and runs wrong."""

import json

import numpy as np
import pytest
from support.tampering import change_a_template, reason, tensors

from benchmarks.bundle import sign
from benchmarks.forgeries import KINDS, campaign, judge, page, table
from benchmarks.mutants import LEVELS, MUTATORS
from ntkexec.recheck import decisions
from ntkexec.recheck.command import main
from ntkexec.recheck.program import parse_program
from ntkexec.recheck.verification import verify


def drop_a_match_set(bundle):
    max(bundle.proof["match_sets"], key=len).pop()


def invent_a_match_set(bundle):
    max(bundle.proof["match_sets"], key=len).append("fffff")


def drop_a_list_of_match_sets(bundle):
    bundle.proof["match_sets"].pop()


def drop_a_component(bundle):
    bundle.proof["components"].pop()


def claim_more_decisions(bundle):
    bundle.proof["decisions"] += 1


def change_the_program_and_its_digest(bundle):
    manifest = dict(bundle.manifest)
    change_a_template(bundle)
    sign(bundle)
    bundle.manifest = manifest


def invent_an_invariant(bundle):
    bundle.proof["invariants"].append({"bound": 1, "groups": [[0], [1]]})


def assume_what_no_step_preserves(bundle):
    known = [(o["bound"], tuple(sum(1 << b for b in g) for g in o["groups"]))
             for o in bundle.proof["invariants"]]  # fmt: skip
    promised = parse_program(bundle.proof["program"]).promised
    bound, masks = next(one for one in sorted(promised) if one not in known)
    groups = [[b for b in range(g.bit_length()) if g >> b & 1] for g in masks]
    bundle.proof["invariants"].append({"bound": bound, "groups": groups})


def forget_the_invariants(bundle):
    bundle.proof["invariants"] = []


def take_other_weights(bundle):
    for entry in bundle.manifest["files"]:
        tensors(
            bundle,
            entry["name"],
            lambda found: found.update(output=found["output"] * np.float32(-0.2)),
        )


def say_another_margin(bundle):
    bundle.proof["components"][0]["smallest_margin"] *= 1.01


def say_another_claim(bundle):
    bundle.proof["claim"] = bundle.proof["claim"].replace("degree at most 2", "degree at most 9")


def say_another_draw(bundle):
    bundle.manifest["config"]["draw"] = "gaussian"


def leave_the_range(bundle):
    bundle.manifest["config"]["weight_std"] = 1e25


@pytest.mark.parametrize(
    ("tamper", "because"),
    [
        (drop_a_match_set, "1 match sets differ"),
        (invent_a_match_set, "1 match sets differ"),
        (drop_a_list_of_match_sets, "is not from 0 to"),
        (drop_a_component, "not the program's components"),
        (claim_more_decisions, "decisions, not"),
        (change_a_template, "not the program of this digest"),
        (change_the_program_and_its_digest, "not its ensemble"),
        (invent_an_invariant, "the layout promises no"),
        (assume_what_no_step_preserves, "a step breaks"),
        (forget_the_invariants, "match sets differ"),
        (take_other_weights, "was changed"),
        (say_another_margin, "not its n0 or margin"),
        (say_another_claim, "not what was shown"),
        (say_another_draw, "not its ensemble"),
        (leave_the_range, "not its ensemble"),
    ],
)
def test_tampering_is_caught(bundle, folder, tamper, because):
    assert verify(json.loads(bundle.write(folder).read_bytes()), folder).decisions > 0
    tamper(bundle)
    assert because in reason(bundle, folder)


@pytest.mark.parametrize(
    ("tamper", "because"),
    [
        (take_other_weights, "a decision is wrong"),
        (say_another_draw, "no such draw"),
        (leave_the_range, "leaves the range of float32"),
        (drop_a_match_set, "1 match sets differ"),
        (say_another_claim, "not what was shown"),
    ],
)
def test_so_is_what_was_signed_again(bundle, folder, tamper, because):
    tamper(bundle)
    sign(bundle)
    assert because in reason(bundle, folder)


def test_another_program_has_another_digest_which_is_printed(case, bundle, folder, capsys):
    """Whether the templates are the program that is meant is for the reader, and the run, to see."""
    change_a_template(bundle)
    sign(bundle)
    path = bundle.write(folder)
    main([str(path), str(folder)])
    assert case.bundle.proof["program"]["digest"] not in capsys.readouterr().out
    assert judge(case, bundle, folder) in ("refused", "run refused")


# Mutants by the hundred.


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("factored", 110),
        ("joint", 22),
        pytest.param("linearised", 66, marks=pytest.mark.slow),
        pytest.param("joint", 66, marks=pytest.mark.slow),
        pytest.param("factored", 330, marks=pytest.mark.slow),
        pytest.param("antisymmetric", 66, marks=pytest.mark.slow),
    ],
)
def test_no_mutant_is_verified_and_runs_wrong(cases, folder, kind, number):
    found = campaign(cases(kind), 1, range(number), folder)
    outcomes = {outcome for _, _, outcome in found}
    assert outcomes <= {"refused", "run refused", "right"}, found
    assert {"refused", "right"} <= outcomes
    assert sum(found.values()) == number


def test_a_checker_that_does_not_look_at_decisions_would_let_wrong_ones_through(
    case, folder, monkeypatch
):
    monkeypatch.setattr(decisions, "need", lambda *_: None)
    kinds, levels = list(MUTATORS), len(LEVELS)
    numbers = [
        number
        for number in range(1650)
        if kinds[number % len(kinds)] in ("numbers in tensors", "thresholds")
        and LEVELS[number // len(kinds) % levels] == "proven"
    ]
    found = campaign(case, 1, numbers, folder)
    assert sum(n for (_, _, outcome), n in found.items() if outcome == "wrong") > 5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_no_mutant_of_thousands_is_verified_and_runs_wrong(cases, folder, kind):
    found = campaign(cases(kind), 2, range(1650), folder)
    assert {outcome for _, _, outcome in found} == {"refused", "run refused", "right"}, found


def test_the_table_is_put_between_its_marks():
    text = page("a <!-- forgeries: begin -->\nold\n<!-- forgeries: end -->\nb", "new\n")
    assert text == "a <!-- forgeries: begin -->\nnew\n<!-- forgeries: end -->\nb"
    with pytest.raises(ValueError, match="needs the lines"):
        page("a", "b")
    lines = table({("scope", "raw", "refused"): 2, ("program", "raw", "right"): 1}).splitlines()
    assert lines[-1] == "| all | 3 | 2 | 0 | 1 | 0 | 0 |"
