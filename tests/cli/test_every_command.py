"""What holds of every command, also of one that is added later: quiet, and where compiled code is kept."""

import dataclasses
import os
import sys
import types

import pytest
import typer
from support.commands import KERNEL, refused
from support.ports import claim, port

from experiments.harness import readme, registry
from ntkexec.check import Measurement
from ntkexec.cli import main, progress
from ntkexec.cli.app import COMPILES_NOTHING, app
from ntkexec.errors import NtkexecError
from ntkexec.runtime import settings


@dataclasses.dataclass(frozen=True)
class Config:
    size: int = 1


def count(config, trial):
    trial.report("counting", 1, 2)
    return {"value": config.size}


SMALL = claim("small", lambda rs: Measurement(rs[0]["numbers"]["value"]), 2)
EXAMPLE = port({"numbers": count}, (SMALL,), Config())

SIZES = ("flooding", "--degree", "1", "--word", "1")
# By command, words with which it succeeds in little time; TRAINED is an ensemble that is there.
LINES = {
    "run": [("flooding", "path:3", *KERNEL), ("flooding", "path:2", "--message", "1")],
    "certify": [SIZES, ("flooding", "--ensemble", "TRAINED")],
    "show": [SIZES],
    "train": [(*SIZES, "--out", "new", "--members", "1", "--width", "64")],
    "prove": [("bfs", "--degree", "1", "--word", "1")],
    "algorithms": [()],
    "cache": [(), ("--json",)],
    "live": [("--html", "live.html")],
    "paper": [(), ("--bibtex",)],
    "check": [("gram-inverse", "--quick")],
    "complexity": [("flooding", "--graphs", "2", "--nodes", "3..4", "--repeat", "4")],
    "experiment list": [()],
    "experiment data": [()],
    "experiment show": [("example",)],
    "experiment readme": [("example",)],
    "experiment ledger": [("--json",), ()],
    "experiment run": [("example", "--seeds", "2")],
}
WORDS = [[*name.split(), *words] for name, lines in LINES.items() for words in lines]


def leaves(command, context, *path):
    """The names of all commands below this one."""
    if not hasattr(command, "list_commands"):
        return {" ".join(path)}
    found = set()
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        found |= leaves(inner, type(context)(inner, parent=context), *path, name)
    return found


def test_no_command_is_left_out():
    command = typer.main.get_command(app)
    assert leaves(command, typer.Context(command)) == LINES.keys()


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "flooding"
    assert main(["train", *SIZES, "--out", str(folder), "--members", "1", "--width", "256"]) == 0
    return folder


@pytest.fixture
def terminal(monkeypatch, tmp_path):
    """What rich takes for a terminal, on which every stage is shown at once."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "SECONDS", 0)
    monkeypatch.chdir(tmp_path)
    about = dataclasses.replace(EXAMPLE.about, folder=tmp_path)
    (tmp_path / "about.toml").write_text("cpu_seconds = 0\n")
    (tmp_path / "README.md").write_text(f"{readme.start_of(about.slug)}\n{readme.END}\n")
    monkeypatch.setattr(registry, "find", lambda slug: dataclasses.replace(EXAMPLE, about=about))
    monkeypatch.setattr(registry, "slugs", lambda: ("example",))
    page = tmp_path / "results.md"
    page.write_text(f"{readme.LEDGER_START}\n{readme.LEDGER_END}\n")
    monkeypatch.setattr(readme, "LEDGER", page)
    package = types.ModuleType(about.package)
    package.__all__ = ["Method"]
    monkeypatch.setitem(sys.modules, about.package, package)


@pytest.fixture
def stored_results(terminal):
    """What `experiment readme` tells of."""
    assert main(["--quiet", "experiment", "run", "example"]) == 0


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_quiet_commands_that_succeed_print_nothing_on_stderr(
    words, stored_results, ensemble, capsys
):
    capsys.readouterr()
    given = [str(ensemble) if word == "TRAINED" else word for word in words]
    assert main(["--quiet", *given]) == 0
    out, err = capsys.readouterr()
    assert out
    assert err == ""


@pytest.mark.parametrize("words", [WORDS[0], ["certify", "flooding", "--ensemble", "TRAINED"]])
def test_other_commands_show_what_they_do_on_a_terminal(words, terminal, ensemble, capsys):
    capsys.readouterr()
    assert main([str(ensemble) if word == "TRAINED" else word for word in words]) == 0
    assert "\x1b" in capsys.readouterr().err


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_every_command_that_compiles_takes_what_was_kept(words, monkeypatch, command):
    def refuse(environment):
        raise NtkexecError("kept on disk")

    monkeypatch.setattr(settings, "keep_on_disk", refuse)
    if words[0] in COMPILES_NOTHING:
        assert command(*words)[0] == 0
    else:
        assert refused(command(*words)) == "ntkexec: kept on disk\n"


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_every_command_asks_xla_to_compile_sooner(words, monkeypatch, capsys):
    monkeypatch.setattr(settings.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=")
    assert main([*words, "--help"]) == 0
    assert os.environ["XLA_FLAGS"] == "--xla_dump_to= --xla_backend_optimization_level=2"
