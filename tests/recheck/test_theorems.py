"""A theorem's folder is verified if it is right, and whatever is changed in it is refused or still so."""

import copy

import pytest

from benchmarks import forged_theorems
from benchmarks.forgeries import judge as judge_networks
from benchmarks.theorem_mutants import MUTATORS, seal
from ntkexec.prove import folder as theorem_folder
from ntkexec.recheck.command import main
from ntkexec.recheck.theorem import lrat


@pytest.fixture(scope="module")
def proved(tmp_path_factory):
    return forged_theorems.make_case(tmp_path_factory.mktemp("theorem") / "honest")


@pytest.fixture
def forged(proved):
    return copy.deepcopy(proved.forgery)


def refusal(forged, folder, capsys, *more):
    forged.write(folder)
    assert main([str(folder), *more]) == 1
    return capsys.readouterr().out.strip()


# What it says.


def test_an_honest_theorem_is_verified_and_all_that_is_believed_is_printed(
    forged, tmp_path, capsys
):
    forged.write(tmp_path / "theorem")
    assert main([str(tmp_path / "theorem")]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("THEOREM about the program, bfs: degree 2, slots 4, word 2\n")
    for sentence in (forged.data["sentence"], *forged.data["scope"], *forged.data["prose"]):
        assert f"  {sentence}\n" in shown
    assert forged.data["program"]["digest"] in shown
    assert "no messages meet: proved" in shown
    assert "networks" not in shown.split("IN PROSE")[0]


def test_the_theorem_that_comes_along_is_verified(capsys):
    assert main(["example"]) == 0
    assert capsys.readouterr().out.startswith("THEOREM about the program, bfs: degree 2")


def test_a_folder_of_that_name_is_not_taken_for_it(forged, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    claim_more(forged)
    assert "scope: not what" in refusal(forged, tmp_path / "example", capsys)
    assert main(["example"]) == 1


def test_each_proof_is_needed(forged, tmp_path, capsys):
    name = sorted(forged.proofs)[0]
    del forged.proofs[name]
    forged.write(tmp_path / "theorem")
    assert main([str(tmp_path / "theorem")]) == 2
    assert name in capsys.readouterr().err


# What is changed in it.


def drop_an_obligation(forged):
    forged.data["obligations"].pop()


def repeat_an_obligation(forged):
    forged.data["obligations"].append(dict(forged.data["obligations"][-1]))


def take_the_proof_of_another(forged):
    first, second, *_ = sorted(forged.proofs)
    forged.proofs[first] = forged.proofs[second]


def claim_more(forged):
    forged.data["scope"][0] = forged.data["scope"][0].replace("at most 2", "at most 3")


def hide_an_assumption(forged):
    forged.data["prose"].pop()


def say_another_degree(forged):
    forged.data["sizes"]["degree"] = 3


def say_another_word(forged):
    forged.data["sizes"]["word"] = 3


def say_a_degree_that_takes_all_memory(forged):
    forged.data["sizes"]["degree"] = 1 << 30


def break_a_witness(forged):
    forged.data["witnesses"]["choose"]["state0"] ^= 1


def forget_a_witness(forged):
    del forged.data["witnesses"]["choose"]


def change_a_template(forged):
    forged.data["program"]["templates"][0][0][0][1] ^= True


def claim_an_ensemble(forged):
    forged.data["ensemble"] = {"certificate": "", "manifest": "", "thresholds": ""}


def bring_a_specification(forged):
    forged.data["specification"] = {"name": "anything"}


@pytest.mark.parametrize(
    ("change", "because"),
    [
        (bring_a_specification, "a specification that nothing speaks of"),
        (drop_an_obligation, "not the obligation"),
        (repeat_an_obligation, "more obligations"),
        (take_the_proof_of_another, "not the obligation"),
        (claim_more, "scope: not what the statement says"),
        (hide_an_assumption, "prose: not what the statement says"),
        (say_another_degree, "scope: not what"),
        (say_another_word, "sentence: not what"),
        (say_a_degree_that_takes_all_memory, "is not from 0 to"),
        (break_a_witness, "no instance of its assumptions: the hypothesis"),
        (forget_a_witness, "not the obligations' witnesses"),
        (change_a_template, "not the program of this digest"),
        (claim_an_ensemble, "give the ensemble's folder"),
    ],
)
def test_what_is_changed_is_refused(forged, tmp_path, capsys, change, because):
    change(forged)
    assert because in refusal(forged, tmp_path / "theorem", capsys)


def test_sizes_of_which_nothing_is_said_are_not_printed(forged, tmp_path, capsys):
    forged.data["sizes"]["depth"] = 7
    forged.write(tmp_path / "theorem")
    assert main([str(tmp_path / "theorem")]) == 0
    assert "bfs: degree 2, slots 4, word 2\n" in capsys.readouterr().out


@pytest.mark.parametrize("change", [say_another_degree, say_another_word, change_a_template])
def test_so_is_what_was_made_to_fit(forged, tmp_path, change):
    change(forged)
    try:
        seal(forged, prove=True)
    except Exception:
        return
    forged.write(tmp_path / "theorem")
    assert main([str(tmp_path / "theorem")]) == 1


def test_a_checker_that_looks_at_no_proof_would_let_wrong_ones_through(
    proved, tmp_path, monkeypatch
):
    monkeypatch.setattr(lrat, "check", lambda *_: None)
    names, outcomes = list(MUTATORS), []
    # Templates, with all digests made to fit.
    numbers = [len(names) * (1 + 3 * k) + names.index("parts of templates") for k in range(4)]
    for number in numbers:
        _, level, forged = forged_theorems.mutate(proved, 5, number)
        assert level == "signed"
        outcomes.append(forged_theorems.judge(proved, forged, tmp_path / "work"))
    assert "wrong" in outcomes


def test_no_mutant_is_verified_and_wrong(proved, tmp_path):
    found = forged_theorems.campaign(proved, 1, range(18), tmp_path / "work")
    assert {outcome for _, _, outcome in found} <= {"unchanged", "refused", "right"}, found


@pytest.mark.slow
def test_no_mutant_of_hundreds_is_verified_and_wrong(proved, tmp_path):
    found = forged_theorems.campaign(proved, 2, range(540), tmp_path / "work")
    assert {outcome for _, _, outcome in found} == {"unchanged", "refused", "right"}, found


# About an ensemble.


@pytest.fixture
def trained(cases):
    return cases("factored")


def test_an_ensemble_that_executes_the_program_computes_what_the_theorem_says(
    proved, trained, tmp_path, capsys
):
    bundle = trained.bundle.copy()
    forged = forged_theorems.about(proved, bundle, tmp_path / "ensemble")
    forged.write(tmp_path / "theorem")
    folders = [str(tmp_path / "theorem"), str(tmp_path / "ensemble")]
    assert main(folders) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("THEOREM about these networks, bfs")
    assert "each decided exactly in integers and beyond rounding in float32" in shown
    assert main(folders[:1]) == 1
    assert "give the ensemble's folder" in capsys.readouterr().out
    assert judge_networks(trained, bundle, tmp_path / "ensemble") == "right"


def test_a_theorem_about_the_program_is_none_about_an_ensemble(forged, trained, tmp_path, capsys):
    trained.bundle.copy().write(tmp_path / "ensemble")
    reason = refusal(forged, tmp_path / "theorem", capsys, str(tmp_path / "ensemble"))
    assert "about the program alone" in reason


def test_nor_is_one_about_networks_that_are_exact_on_an_execution_only(
    proved, cases, tmp_path, capsys
):
    forged = forged_theorems.about(proved, cases("joint").bundle.copy(), tmp_path / "ensemble")
    reason = refusal(forged, tmp_path / "theorem", capsys, str(tmp_path / "ensemble"))
    assert "for given executions, not for all states" in reason


def other_networks(bundle):
    bundle.manifest["config"]["weight_std"] = 2.0


def other_decisions(bundle):
    bundle.proof["decisions"] += 1


@pytest.mark.parametrize(
    ("change", "because"),
    [(other_networks, "not its ensemble"), (other_decisions, "decisions, not")],
)
def test_nor_is_one_about_networks_that_differ(proved, trained, tmp_path, capsys, change, because):
    bundle = trained.bundle.copy()
    change(bundle)
    forged = forged_theorems.about(proved, bundle, tmp_path / "ensemble")
    reason = refusal(forged, tmp_path / "theorem", capsys, str(tmp_path / "ensemble"))
    assert because in reason


@pytest.mark.slow
def test_no_mutant_of_an_ensemble_is_verified_and_runs_wrong(proved, trained, tmp_path):
    found = forged_theorems.campaign_on_ensembles(proved, trained, 1, range(220), tmp_path)
    assert {outcome for _, _, outcome in found} <= {"refused", "run refused", "right"}, found


# Folders.


def test_a_theorem_replaces_a_theorem_and_nothing_else(tmp_path):
    target = tmp_path / "theorem"
    with theorem_folder.made_at(target) as new:
        (new / "theorem.json").write_text("1")
    with theorem_folder.made_at(target) as new:
        (new / "theorem.json").write_text("2")
    assert [path.name for path in tmp_path.iterdir()] == ["theorem"]
    assert (target / "theorem.json").read_text() == "2"
    (target / "letter.txt").write_text("mine")
    with pytest.raises(theorem_folder.ProofError, match=r"letter\.txt"):
        theorem_folder.check_folder(target)


def test_what_fails_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), theorem_folder.made_at(tmp_path / "theorem"):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
