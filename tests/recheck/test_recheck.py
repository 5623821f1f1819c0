"""The checker verifies what is so, and nothing that a forger hands over."""

import ast
import io
import json
import shutil
import subprocess
import sys
import tokenize
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as serialise_tensors

from benchmarks.bundle import sign
from benchmarks.forgeries import KINDS, campaign, judge, make_case, page, table
from benchmarks.mutants import LEVELS, MUTATORS
from ntkexec import complete, ensemble, pipeline
from ntkexec.ensemble import EnsembleConfig, thresholds
from ntkexec.errors import CertificateError
from ntkexec.recheck import decisions, reading, verification
from ntkexec.recheck.program import parse_program
from ntkexec.recheck.reading import Rejected
from ntkexec.recheck.verification import main, verify

CHECKER = Path(verification.__file__).parent


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """By kind of ensemble, an honest certificate; made when it is first asked for."""
    made = {}

    def case(name):
        if name not in made:
            made[name] = make_case(KINDS[name], tmp_path_factory.mktemp(name) / "honest")
        return made[name]

    return case


@pytest.fixture
def case(cases):
    return cases("factored")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "work"


@pytest.fixture
def bundle(case):
    return case.bundle.copy()


def reason(bundle, folder):
    """Why it is refused."""
    path = bundle.write(folder)
    with pytest.raises(Rejected) as caught:
        verify(json.loads(path.read_bytes()), folder)
    return str(caught.value)


# What it is made of.


def test_it_works_alone_and_imports_nothing_of_ours(bundle, folder, tmp_path):
    path = bundle.write(folder)
    shutil.copytree(CHECKER, tmp_path / "checker", ignore=shutil.ignore_patterns("__pycache__"))
    script = (
        "import sys; sys.modules['ntkexec'] = sys.modules['jax'] = None;"
        f"sys.path.insert(0, {str(tmp_path)!r}); from checker.verification import main;"
        "sys.exit(main(sys.argv[1:]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(path), str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("VERIFIED")
    for module in CHECKER.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            else:
                continue
            for name in names:
                top = name.split(".")[0]
                assert top in ("numpy", "safetensors") or top in sys.stdlib_module_names


def test_it_is_short_enough_to_be_read():
    """Under 400 lines of code: blank lines, comments and docstrings aside."""
    total = 0
    for module in CHECKER.glob("*.py"):
        source = module.read_text()
        documentation = {
            line
            for node in ast.walk(ast.parse(source))
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and ast.get_docstring(node)
            for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
        }
        silent = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT)
        code = {
            token.start[0]
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type not in (*silent, tokenize.DEDENT, tokenize.ENDMARKER)
        }
        total += len(code - documentation)
    assert total < 400


# What it says.


@pytest.mark.parametrize("kind", KINDS)
def test_honest_certificates_are_verified_in_words_that_follow_from_them(
    cases, kind, folder, capsys
):
    case = cases(kind)
    path = case.bundle.copy().write(folder)
    assert main([str(path), str(folder)]) == 0
    line, digests = capsys.readouterr().out.splitlines()
    proof = case.bundle.proof
    assert line == f"VERIFIED: {proof['decisions']:,} decisions; {proof['claim']}"
    if kind == "joint":
        (run,) = case.executions
        assert (
            f"EXACT on an execution (nodes: 3, directed edges: 4, steps: {run.num_steps})" in line
        )
    else:
        assert "EXACT on every graph with degree at most 2 and at most 4 colours" in line
    assert digests == f"program {proof['program']['digest']}, ensemble {proof['ensemble']}"


def test_it_says_what_it_cannot_read(tmp_path, capsys):
    assert main([]) == 2
    for content in (b"[", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"a": 1, "a": 1}'):
        (tmp_path / "c.json").write_bytes(content)
        assert main([str(tmp_path / "c.json"), str(tmp_path)]) in (1, 2)
    assert main([str(tmp_path / "none.json"), str(tmp_path)]) == 2
    assert main(["/dev/zero", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    assert "Traceback" not in shown.out + shown.err


def test_the_words_of_strangers_are_shown_in_one_short_line(bundle, folder, capsys):
    bundle.manifest["files"][0]["name"] = "\x1b[2J\n" + "x" * 10_000
    bundle.proof["ensemble"] = reading.hashlib.sha256(
        json.dumps(bundle.manifest, indent=1, sort_keys=True).encode() + b"\n"
    ).hexdigest()
    path = bundle.write(folder)
    assert main([str(path), str(folder)]) == 1
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert shown.count("\n") == 1
    assert len(shown) < 400


# Known forgeries: each was verified once, and ran wrong.


def tensors(bundle, name, change):
    found = {key: array.copy() for key, array in parse_tensors(bundle.files[name]).items()}
    change(found)
    bundle.files[name] = serialise_tensors(
        {key: np.ascontiguousarray(array) for key, array in found.items()}
    )


def a_threshold_above_the_mean(bundle):
    """(a) The run compared with another of two thresholds than the one that was checked."""
    tensors(
        bundle,
        "thresholds.safetensors",
        lambda found: found["thresholds"].__setitem__((slice(None), 1), 1.5),
    )


def tensors_that_only_the_engine_adds(bundle):
    """(b)"""

    def change(found):
        found["hidden_shift"] = 3 * found["hidden"]
        found["initial_output"] = found["output"]

    for entry in bundle.manifest["files"]:
        tensors(bundle, entry["name"], change)


def a_chunk_listed_twice(bundle):
    """(c) It was averaged with the others, while loading kept the last."""
    (first, *_) = bundle.manifest["files"]
    bundle.manifest["files"].append(dict(first))


def rows_that_change_n0(bundle):
    """(d)"""

    def change(found):
        found["hidden"] = np.concatenate([found["hidden"], 0 * found["hidden"]], axis=2)

    for entry in bundle.manifest["files"]:
        tensors(bundle, entry["name"], change)


@pytest.mark.parametrize(
    ("forge", "because", "runs"),
    [
        (a_threshold_above_the_mean, "a decision is wrong, or too close", True),
        (tensors_that_only_the_engine_adds, "holds other tensors", False),
        (a_chunk_listed_twice, "does not follow what stands before it", False),
        (rows_that_change_n0, "has the shape", False),
    ],
)
def test_what_ran_wrong_and_was_verified_is_refused_with_all_digests_right(
    case, bundle, folder, forge, because, runs, monkeypatch
):
    forge(bundle)
    sign(bundle)
    assert because in reason(bundle, folder)
    assert judge(case, bundle, folder) == "refused"
    # Without this line of the checker it would be verified, and run wrong or be refused by the run.
    monkeypatch.setattr(verification, "main", lambda *_: 0)
    monkeypatch.setattr("benchmarks.forgeries.recheck", lambda *_: 0)
    assert judge(case, bundle, folder) == ("wrong" if runs else "run refused")


def test_a_bit_that_no_network_learns_cannot_be_read_as_one(tmp_path, monkeypatch, capsys):
    """Its output is 0, and it is in no component: a threshold below 0 was verified, and ran wrong."""
    instance = pipeline.prepare("greedy-colouring", "path:n=1")
    honest = pipeline.certify(instance.program, num_decisions=1)
    unlearned = honest.problem.component_of_bit < 0
    assert unlearned.sum() == 1
    table = thresholds.running(honest).copy()
    table[unlearned, 2] = -1
    folder, proof = tmp_path / "networks", tmp_path / "proof.json"
    trained = ensemble.draw(
        honest.problem,
        EnsembleConfig(members=1, width=64),
        directory=folder,
        parameters=dict(instance.parameters),
        thresholds=table,
        convention="bit",
    )
    with pytest.raises(CertificateError, match="no network learns bit inbox"):
        complete.complete(trained)
    with pytest.raises(CertificateError, match="the thresholds of this ensemble are not for these"):
        pipeline.run("greedy-colouring", "path:n=1", trained=folder)
    monkeypatch.setattr("ntkexec.complete.certificate._check_unlearned", lambda *_: None)
    manifest = ensemble.read_manifest(folder)
    complete.write(proof, complete.to_data(complete.complete(trained), manifest, folder))
    assert main([str(proof), str(folder)]) == 1
    assert "REJECTED: a bit that no network learns" in capsys.readouterr().out


def of_one_state(bundle):
    run = {"senders": [], "receivers": [], "initial": ["0"], "num_steps": 1}
    proof = bundle.proof
    proof["executions"], proof["invariants"] = [run], []
    program = parse_program(proof["program"])
    for one in proof["components"]:
        own = [all(not v for v in program.templates[t][0].values()) for t in one["templates"]]
        matched = sum(1 << k for k, matches in enumerate(own) if matches)
        one["match_sets"] = len(proof["match_sets"])
        proof["match_sets"].append([f"{matched:x}"])
    proof["decisions"] = len(proof["components"])
    return run


def test_a_proof_of_one_state_of_one_node_is_not_printed_as_one_of_all_graphs(bundle, folder):
    """(e) The scope was a label, free text."""
    run = of_one_state(bundle)
    run["label"] = "all graphs"
    assert "no execution" in reason(bundle, folder)
    del run["label"]
    assert "not its n0 or margin" in reason(bundle, folder)
    honest = {}
    for _ in range(len(bundle.proof["components"])):
        why = reason(bundle, folder)
        if "margin" not in why:
            break
        index = int(why.split()[1].rstrip(":"))
        honest[index] = bundle.proof["components"][index]["smallest_margin"]
        # Of a component that nothing matches there is none.
        bundle.proof["components"][index]["smallest_margin"] = margins(bundle, folder)[index]
    assert reason(bundle, folder) == "not what was shown"
    bundle.proof["claim"] = "EXACT on all graphs"
    assert reason(bundle, folder) == "not what was shown"
    bundle.proof["claim"] = (
        "EXACT on an execution (nodes: 1, directed edges: 0, steps: 1): every decision that occurs "
        "there is right"
    )
    path = bundle.write(folder)
    assert verify(json.loads(path.read_bytes()), folder) == len(bundle.proof["components"])


def margins(bundle, folder):
    """Of all components, as the checker finds them."""
    found = []

    def spy(*arguments):
        found.append(decisions.check_decisions(*arguments))
        return found[-1]

    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        patched.setattr(verification, "check_decisions", spy)
        patched.setattr(verification.math, "isclose", lambda *_, **__: True)
        with pytest.raises(Rejected):
            verify(bundle.proof, folder)
    order = {}
    sizes = [one["num_inputs"] for one in bundle.proof["components"]]
    for n0 in sorted(set(sizes)):
        for index, size in enumerate(sizes):
            if size == n0:
                order[index] = found[len(order)]
    return {index: None if np.isinf(margin) else margin for index, margin in order.items()}


@pytest.mark.parametrize(
    ("senders", "receivers", "because"),
    [
        ([0, 1, 1, 0], [1, 0, 0, 1], "an edge stands twice"),
        ([0], [0], "an edge stands twice, or leads back"),
        ([0], [7], "is not from 0 to 2"),
        ([0, 2], [1, 1], "messages meet"),
    ],
)
def test_an_execution_is_one_that_can_be_run(cases, folder, senders, receivers, because):
    """Where two neighbours write into one slot, a run adds what the program unites."""
    bundle = cases("joint").bundle.copy()
    (run,) = bundle.proof["executions"]
    run |= {"senders": senders, "receivers": receivers}
    # The same colour twice, next to one node.
    run["initial"][2] = run["initial"][0]
    assert because in reason(bundle, folder)


# Tampering with one thing.


def drop_a_match_set(bundle):
    max(bundle.proof["match_sets"], key=len).pop()


def invent_a_match_set(bundle):
    max(bundle.proof["match_sets"], key=len).append("fffff")


def drop_a_component(bundle):
    bundle.proof["components"].pop()


def claim_more_decisions(bundle):
    bundle.proof["decisions"] += 1


def change_a_template(bundle):
    bundle.proof["program"]["templates"][0][0][0][1] ^= True


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
        (drop_a_component, "not the program's components"),
        (claim_more_decisions, "decisions, not"),
        (change_a_template, "not the program of this digest"),
        (change_the_program_and_its_digest, "not its ensemble"),
        (invent_an_invariant, "the layout does not promise"),
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
    assert verify(json.loads(bundle.write(folder).read_bytes()), folder) > 0
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
    [("factored", 330), ("linearised", 66), ("antisymmetric", 66), ("joint", 66)],
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
