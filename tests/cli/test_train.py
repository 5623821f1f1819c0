"""`ntkexec train`, and running what was trained."""

import contextlib
import io

import pytest
from support.commands import one_object, refused

from ntkexec.cli import main
from ntkexec.ensemble import read_manifest

TRAIN = ("train", "flooding", "--degree", 2, "--word", 2, "--slots", 3, "--arrival-bits", 2)
SMALL = ("--members", 3, "--width", 512)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with an ensemble, and what training printed."""
    folder = tmp_path_factory.mktemp("cli") / "flooding"
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        status = main([str(a) for a in (*TRAIN, "--out", folder, *SMALL, "--json")])
    assert status == 0
    return folder, out.getvalue()


def test_training_prints_what_it_stored(trained):
    folder, out = trained
    data = one_object(out)
    assert data["folder"] == str(folder)
    assert data["ensemble"]["members"] == 3
    assert data["ensemble"]["width"] == 512
    manifest = read_manifest(folder)
    assert manifest.parameters == data["parameters"]
    assert manifest.parameters["slots"] == 3
    assert manifest.config.members == 3


def test_a_trained_ensemble_runs_on_every_graph_that_fits(command, trained):
    folder, _ = trained
    for graph, nodes in (("path:4", 4), ("cycle:3", 3), ("path:2", 2)):
        status, out, err = command(
            *("run", "flooding", graph, "--message", "01", "--ensemble", folder, "--json")
        )
        data = one_object(out)
        assert (status, err) == (0, "")
        assert data["graph"]["nodes"] == nodes
        assert data["ensemble"]["members"] == 3
        assert data["ensemble"]["train_seconds"] == data["seconds"]["train"] == 0
        assert data["exact"] is True


def test_the_first_members_of_a_trained_ensemble_can_be_used(command, trained):
    run = ("run", "flooding", "path:3", "--message", "01", "--ensemble", trained[0], "--json")
    assert one_object(command(*run, "--members", 2)[1])["ensemble"]["members"] == 2
    assert command(*run, "--members", 4)[0] == 2


def test_training_again_loads_and_the_text_says_where_it_is(command, trained):
    status, out, err = command(*TRAIN, "--out", trained[0], *SMALL)
    assert (status, err) == (0, "")
    assert str(trained[0]) in out
    assert "of width 512" in out


def test_training_on_a_graph_takes_its_sizes(command, tmp_path):
    status, out, _ = command(
        *("train", "flooding", "path:2", "--message", "1", "--degree", 3, "--slots", 2),
        *("--out", tmp_path / "new", "--members", 1, "--width", 64, "--json"),
    )
    sizes = {"degree": 3, "slots": 2, "message_bits": 1, "arrival_bits": 1}
    assert (status, one_object(out)["parameters"]) == (0, sizes)


@pytest.mark.parametrize(
    "argv, says",
    [
        (("star:5", "--message", "01"), "needs degree of at least 4, the program has 2"),
        (("path:9", "--message", "01"), "needs arrival_bits of at least 4, the program has 2"),
        (("path:3", "--message", "011"), "has 3 bits, the program takes 2"),
    ],
)
def test_an_ensemble_for_other_sizes_is_refused(command, trained, argv, says):
    assert says in refused(command("run", "flooding", *argv, "--ensemble", trained[0]))


def test_a_folder_with_another_ensemble_or_other_files_is_refused(command, trained, tmp_path):
    assert "holds another training" in refused(
        command(*TRAIN, "--out", trained[0], "--members", 2, "--width", 512)
    )
    (tmp_path / "thesis.tex").write_text("years of work")
    assert "holds other files (thesis.tex)" in refused(command(*TRAIN, "--out", tmp_path, *SMALL))


def test_a_damaged_ensemble_is_refused(command, trained, tmp_path):
    for path in trained[0].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "ensemble.json").write_text("{")
    run = ("run", "flooding", "path:3", "--message", "01", "--ensemble", tmp_path)
    assert "ensemble.json is damaged" in refused(command(*run))


@pytest.mark.parametrize(
    "given",
    [
        ("karate",),
        ("--ensemble-kind", "joint"),
        ("--seed", 7),
        ("--seed", 0),  # asked for is asked for, at its default too
        ("--draw", "linearised"),
        ("--descent", "plain"),
        ("--delta", 0.5),
        ("--threshold", "shared"),
        ("--weight-std", 2),
        ("--split-degree", 4),
        ("--members", 2),
    ],
)
def test_universal_networks_are_trained_as_they_are_or_not_at_all(command, tmp_path, given):
    wrong = "GRAPH" if given == ("karate",) else given[0]
    argv = ("train", "bfs-split", *given, "--universal", "--out", tmp_path / "out")
    status, out, err = command(*argv)
    assert (status, out) == (2, "")
    assert f"it goes without {wrong}" in err
    assert not (tmp_path / "out").exists()
