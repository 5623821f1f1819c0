"""Known forgeries: each was verified once, and ran wrong; with all digests right they are refused."""

import json

import numpy as np
import pytest
from support.tampering import reason, tensors

from benchmarks.bundle import sign
from benchmarks.forgeries import judge
from ntkexec import complete, ensemble, pipeline
from ntkexec.ensemble import EnsembleConfig, thresholds
from ntkexec.errors import CertificateError
from ntkexec.recheck import command, decisions, verification
from ntkexec.recheck.command import main
from ntkexec.recheck.program import parse_program
from ntkexec.recheck.reading import Rejected
from ntkexec.recheck.verification import verify


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
    monkeypatch.setattr(command, "main", lambda *_: 0)
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
        sizes=dict(instance.sizes),
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
    assert verify(json.loads(path.read_bytes()), folder).decisions == len(
        bundle.proof["components"]
    )


def margins(bundle, folder):
    """Of all components, as the checker finds them."""
    found = []

    def spy(*arguments):
        found.append(decisions.check_decisions(*arguments)[0])
        return found[-1], set(decisions.FORMATS)

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
