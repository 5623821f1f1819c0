"""Complete certificates hold for trained ensembles, and for nothing else."""

import ast
import dataclasses
import io
import json
import shutil
import subprocess
import sys
import tokenize
from pathlib import Path

import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest

from ntkexec import ensemble, executor, pipeline, recheck
from ntkexec.cli import main
from ntkexec.complete import complete, executed, to_data, write
from ntkexec.complete.executed import occurring_sets
from ntkexec.encoding import encode
from ntkexec.ensemble import Ensemble, EnsembleConfig, ensemble_engine
from ntkexec.errors import CertificateError
from ntkexec.problem import LearningProblem
from ntkexec.template import Program, template

SIZES = {"degree": 2, "slots": 4, "word": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A trained BFS ensemble."""
    return tmp_path_factory.mktemp("trained") / "bfs"


@pytest.fixture(scope="module")
def bfs(folder):
    program = pipeline.find_algorithm("bfs").program(**SIZES)
    certificate = pipeline.certify(program, num_decisions=1)
    config = EnsembleConfig(members=4, width=128, seed=3)
    trained = ensemble.train(certificate.problem, config, directory=folder, parameters=SIZES)
    return trained, certificate


@pytest.fixture(scope="module")
def found(bfs):
    return complete(*bfs)


def test_every_decision_is_right_with_room_for_rounding(found):
    assert not any(found.unproven.values())
    assert found.exact
    assert found.wrong == found.unsure == 0
    assert found.num_decisions == found.num_sets > len(found.components)
    assert 0 < found.largest_rounding < found.smallest_margin
    assert found.tightest.guaranteed > 0
    assert "degree at most 2" in found.verdict(SIZES)


def test_all_states_are_more_and_hold_too(bfs, found):
    everything = complete(*bfs, all_states=True)
    assert everything.exact
    assert everything.num_sets > found.num_sets
    assert everything.invariants == ()


def states_for(program, component, sets):
    """States in which just these templates of a component match, one a row."""
    rows = np.zeros((len(sets), program.layout.num_bits), bool)
    rng = np.random.default_rng(0)
    for row, wanted in zip(rows, sets):
        for _ in range(2000):
            row[:] = rng.random(len(row)) < rng.random()
            for t, is_wanted in zip(component.templates, wanted):
                for bit, value in program.templates[t].condition if is_wanted else ():
                    row[bit] = value
            matched = [
                all(row[b] == v for b, v in program.templates[t].condition)
                for t in component.templates
            ]
            if matched == list(wanted):
                break
        else:
            raise AssertionError("no such state")
    return rows


def test_the_engine_decides_as_certified_within_the_bound(bfs, found):
    trained, certificate = bfs
    engine = ensemble_engine(trained, certificate)
    large = [one for one in found.components if len(one.component.templates) > 2]
    states = [states_for(trained.problem.program, one.component, one.matched) for one in large]
    matches = encode(engine.encoding, jnp.asarray(np.concatenate(states)).T)
    means, active = np.asarray(engine.means(matches)), np.asarray(matches.active)
    start = 0
    for one in large:
        rows = np.s_[one.component.bits[0], start : start + len(one.matched)]
        start += len(one.matched)
        expected = active[rows] > 0
        np.testing.assert_array_equal(expected, one.matched.any(axis=1))
        thresholds = np.array([one.threshold[int(m)] for m in one.matched.sum(axis=1)])
        margin = np.where(expected, means[rows] - thresholds, thresholds - means[rows]).min()
        assert abs(margin - one.smallest_margin) <= one.largest_rounding


def damaged(trained, change):
    weights = list(trained.weights)
    last = weights[-1]
    weights[-1] = last._replace(output=change(last.output.copy()))
    return Ensemble(trained.problem, trained.config, tuple(weights))


def test_networks_that_forgot_something_are_not_certified(bfs):
    trained, certificate = bfs

    def forget(output):
        output[:, 0] *= 0.3
        return output

    judged = complete(damaged(trained, forget), certificate)
    assert judged.wrong > 0
    assert judged.tightest.margin < 0
    assert judged.verdict(SIZES).startswith("NOT EXACT")


def test_a_decision_closer_than_the_rounding_error_is_not_proven(bfs, found):
    trained, certificate = bfs
    tight = found.tightest
    # Thresholds just below the tightest mean: still right, but by less than rounding may take.
    factor = (tight.mean - tight.rounding / 2) / tight.threshold
    close = dataclasses.replace(certificate)
    close.__dict__["thresholds"] = np.concatenate(
        [certificate.thresholds[:-1] * factor, certificate.thresholds[-1:]]
    )
    close.thresholds[:, 0] = 0.5
    judged = complete(trained, close)
    assert judged.unsure > 0
    assert not judged.exact


def test_biases_are_refused(bfs):
    _, certificate = bfs
    config = EnsembleConfig(members=1, width=128, bias_std=0.1)
    with pytest.raises(CertificateError, match=r"without biases, not bias_std 0\.1"):
        complete(Ensemble(certificate.problem, config, bfs[0].weights), certificate)


def test_another_problem_is_refused(bfs):
    trained, certificate = bfs
    other = dataclasses.replace(
        certificate, problem=LearningProblem(certificate.problem.program, "joint")
    )
    with pytest.raises(CertificateError, match="different problems"):
        complete(trained, other)


@pytest.mark.parametrize(
    "name, sizes",
    [
        *((n, {"degree": 3, "word": 3}) for n in ("flooding", "dfs", "bellman-ford")),
        *((n, {"degree": 3, "word": None}) for n in ("bipartite", "greedy-colouring", "life")),
        ("leader-election", {"degree": 3, "word": 3}),
    ],
)
@pytest.mark.slow
def test_all_algorithms_are_certified(name, sizes):
    algorithm = pipeline.find_algorithm(name)
    program = algorithm.program(**algorithm.sizes(**sizes))
    certificate = pipeline.certify(program, num_decisions=10**6)
    config = pipeline.ensemble_config(
        pipeline.at_width(certificate), members=None, seed=1, delta=1e-3, num_decisions=10**6
    )
    assert complete(ensemble.train(certificate.problem, config), certificate).exact


# Joint ensembles: what occurs on a graph.


@pytest.fixture(scope="module")
def joint():
    instance = pipeline.prepare("bfs", "path:4", parameters=None)
    certificate = pipeline.certify(
        instance.program, kind="joint", num_decisions=10**5, instance=instance
    )
    config = pipeline.ensemble_config(
        pipeline.at_width(certificate, 1024), members=None, seed=0, delta=1e-3, num_decisions=10**5
    )
    return instance, ensemble.train(certificate.problem, config), certificate


def test_a_joint_ensemble_is_certified_on_a_graph(joint):
    instance, trained, certificate = joint
    judged = complete(trained, certificate, executions=[executed(instance)])
    assert judged.exact
    assert judged.verdict({}) == "EXACT on path:4: every decision that occurs there is right"
    # Its margins are too narrow for what bfloat16 rounds off.
    assert judged.unproven["float32"] == 0 < judged.unproven["bfloat16"]
    (listed,) = judged.components
    execution = executor.execute(
        pipeline.make_engine("boolean", certificate), instance.program, instance.graphs,
        num_steps=instance.num_steps, trace=True,
    )  # fmt: skip
    states = execution.trace[:-1].reshape(-1, instance.program.layout.num_bits)
    engine = pipeline.make_engine("kernel", certificate)
    matched = np.asarray(encode(engine.encoding, jnp.asarray(states).T).matched)[:-1].T
    assert {tuple(row) for row in matched} == {tuple(row) for row in listed.matched}


def test_the_match_sets_of_a_joint_ensemble_over_all_states_are_too_many(joint):
    _, trained, certificate = joint
    with pytest.raises(CertificateError, match=r"too many to list.*name a graph to cover instead"):
        complete(trained, certificate, limit=1000)


def test_a_template_without_conditions_always_matches():
    program = Program(
        "p", pipeline.find_algorithm("bfs").program(**SIZES).layout, (template({}, [0]),)
    )
    instance = pipeline.prepare("bfs", nx.path_graph(2), parameters=SIZES)
    run = executed(instance)._replace(initial=np.zeros((2, program.layout.num_bits), bool))
    assert occurring_sets(program, [run]).tolist() == [[True]]


# The file, and the checker that reads nothing else.


@pytest.fixture
def stored(found, folder, tmp_path):
    """A certificate and its ensemble, to be tampered with."""
    shutil.copytree(folder, tmp_path / "bfs")
    path = tmp_path / "bfs.json"
    write(path, to_data(found, ensemble.read_manifest(folder), folder))
    return path, tmp_path / "bfs"


def test_an_honest_certificate_is_verified_without_jax(stored):
    script = (
        "import sys; sys.argv[1:] = sys.argv[1:]; from ntkexec import recheck;"
        "status = recheck.main(sys.argv[1:]); assert 'jax' not in sys.modules; sys.exit(status)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, *map(str, stored)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("VERIFIED")


def flip_a_weight(data, folder):
    path = max(folder.glob("*.safetensors"))
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def drop_a_match_set(data, folder):
    max(data["match_sets"], key=len).pop()


def invent_a_match_set(data, folder):
    max(data["match_sets"], key=len).append("fffff")


def lower_a_threshold(data, folder):
    thresholds = max((c["thresholds"] for c in data["components"]), key=len)
    thresholds[max(thresholds)] *= 0.99


def drop_a_component(data, folder):
    data["components"].pop()


def claim_more_decisions(data, folder):
    data["decisions"] += 1


def change_a_template(data, folder):
    data["program"]["templates"][0][0][0][1] ^= True


def change_the_program_and_its_digest(data, folder):
    change_a_template(data, folder)
    content = {key: data["program"][key] for key in ("layout", "templates", "round_length")}
    data["program"]["digest"] = recheck.hashlib.sha256(
        json.dumps(content, sort_keys=True).encode()
    ).hexdigest()


def invent_an_invariant(data, folder):
    data["invariants"].append({"bound": 1, "groups": [[0], [1]], "reason": "because"})


def assume_what_no_step_preserves(data, folder):
    layout = json.loads(data["program"]["layout"])
    promised, _ = recheck.promises(layout["computation"] + layout["messages"])
    known = [(one["bound"], tuple(map(recheck.mask, one["groups"]))) for one in data["invariants"]]
    bound, masks = next(one for one in sorted(promised) if one not in known)
    groups = [[b for b in range(g.bit_length()) if g >> b & 1] for g in masks]
    data["invariants"].append({"bound": bound, "groups": groups, "reason": "parent is one-hot"})


def forget_an_invariant(data, folder):
    data["invariants"] = [one for one in data["invariants"] if "slots" not in one["reason"]][:1]


def take_other_weights(data, folder):
    """Weights with matching digests everywhere, but of networks that were not trained."""
    from safetensors.numpy import load, save

    manifest = json.loads((folder / "ensemble.json").read_text())
    for entry in manifest["files"]:
        tensors = load((folder / entry["name"]).read_bytes())
        tensors["output"] = tensors["output"] * np.float32(0.2)
        (folder / entry["name"]).write_bytes(content := save(tensors))
        entry["sha256"] = recheck.hashlib.sha256(content).hexdigest()
    (folder / "ensemble.json").write_text(json.dumps(manifest))
    data["files"] = manifest["files"]


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (flip_a_weight, "was changed"),
        (drop_a_match_set, "1 match sets differ"),
        (invent_a_match_set, "1 match sets differ"),
        (lower_a_threshold, "threshold at m ="),
        (drop_a_component, "not the program's components"),
        (claim_more_decisions, "decisions, not"),
        (change_a_template, "not the program that was learned"),
        (change_the_program_and_its_digest, "not the program that was learned"),
        (invent_an_invariant, "the layout does not promise"),
        (assume_what_no_step_preserves, "a step breaks"),
        (forget_an_invariant, "a step breaks|match sets differ"),
        (take_other_weights, "a decision is wrong"),
    ],
)
def test_tampering_is_caught(stored, tamper, reason):
    path, folder = stored
    data = json.loads(path.read_text())
    assert recheck.verify(data, folder) == data["decisions"]
    tamper(data, folder)
    with pytest.raises(recheck.Rejected, match=reason):
        recheck.verify(data, folder)


def test_a_joint_certificate_is_verified_by_running_the_program_again(joint, tmp_path):
    instance, trained, certificate = joint
    folder = tmp_path / "joint"
    ensemble.train(
        certificate.problem, trained.config, directory=folder, parameters=instance.parameters
    )
    judged = complete(
        ensemble.load(folder, certificate.problem), certificate, executions=[executed(instance)]
    )
    data = json.loads(json.dumps(to_data(judged, ensemble.read_manifest(folder), folder)))
    assert recheck.verify(data, folder) == judged.num_decisions
    data["executions"][0]["num_steps"] -= 4
    with pytest.raises(recheck.Rejected, match="match sets differ"):
        recheck.verify(data, folder)


def test_the_checker_is_short_enough_to_be_read():
    """Under 150 lines of code: blank lines, comments and docstrings aside."""
    source = Path(recheck.__file__).read_text()
    documentation = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node)
        for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    silent = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    code = {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in (*silent, tokenize.ENDMARKER)
    }
    assert len(code - documentation) < 150


# The command.


def test_the_command_certifies_and_stores(stored, tmp_path, capsys):
    _, folder = stored
    out = tmp_path / "out.json"
    assert main(["certify", "bfs", "--ensemble", str(folder), "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "EXACT on every graph with degree at most 2" in shown
    assert recheck.main([str(out), str(folder)]) == 0
    assert main(["certify", "bfs", "--ensemble", str(folder), "--json"]) == 0
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dfs", "--ensemble", "FOLDER"], "learned bfs, not dfs"),
        (["bfs", "--ensemble", "FOLDER", "--degree", "3"], "has its sizes"),
        (["bfs", "--ensemble", "FOLDER", "--out", "FOLDER/c.json"], "beside it"),
        (["bfs", "--ensemble", "FOLDER", "--graph", "path:3", "--all-states"], "exclude"),
        (["bfs", "--degree", "2", "--word", "2", "--all-states"], "go with --ensemble"),
        (["bfs"], "needs --degree and --word"),
    ],
)
def test_bad_input_is_refused_in_one_line(stored, capsys, arguments, message):
    filled = [a.replace("FOLDER", str(stored[1])) for a in arguments]
    assert main(["certify", *filled]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_checker_says_what_it_cannot_read(tmp_path, capsys):
    assert recheck.main([]) == 2
    (tmp_path / "c.json").write_text("[")
    assert recheck.main([str(tmp_path / "c.json"), str(tmp_path)]) == 2
    assert recheck.main([str(tmp_path / "none.json"), str(tmp_path)]) == 2
    capsys.readouterr()
