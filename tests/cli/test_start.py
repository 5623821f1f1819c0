"""How the command line starts: light, in a process of its own too, with help and completion."""

import pytest
import typer
from support.commands import KERNEL, imported_by, in_subprocess, one_object

from ntkexec import pipeline
from ntkexec.cli import main
from ntkexec.cli.app import app
from ntkexec.programs import ALGORITHMS
from ntkexec.vocabulary import ALGORITHM_NAMES, SUMMARIES


def test_an_interrupt_gives_status_130(command, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "run", interrupted)
    status, out, err = command("run", "flooding", "path:5")
    assert (status, out) == (130, "")
    assert "Traceback" not in err


def test_progress_is_on_stderr_and_the_result_on_stdout(command, monkeypatch, tmp_path):
    # What rich takes for a terminal.
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    status, out, err = command(
        *("train", "flooding", "path:2", "--message", "1", "--out", tmp_path / "new"),
        *("--members", 1, "--width", 64, "--json"),
    )
    assert status == 0
    one_object(out)
    assert "networks" in err
    assert "Traceback" not in err


def test_as_a_program_of_its_own_it_does_the_same():
    found = in_subprocess("-m", "ntkexec", "run", "flooding", "path:3", *KERNEL, "--json")
    assert found.returncode == 0
    assert one_object(found.stdout)["exact"] is True
    assert found.stderr == ""
    found = in_subprocess("-m", "ntkexec", "run", "flooding", "nowhere.gml")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == "ntkexec: there is no file nowhere.gml\n"


@pytest.mark.parametrize("command_name", ["", "run", "certify", "train"])
def test_help_loads_no_numerical_library(command_name):
    argv = [*([command_name] if command_name else []), "--help"]
    loaded = imported_by(f"from ntkexec.cli import main\nassert main({argv!r}) == 0")
    assert "ntkexec.cli.app" in loaded
    assert not loaded & {"jax", "jaxlib", "numpy", "networkx", "scipy", "flax", "optax", "jraph"}


def test_the_algorithms_are_listed_without_the_programs():
    loaded = imported_by("from ntkexec.cli import main\nassert main(['algorithms']) == 0")
    assert not loaded & {"jax", "jaxlib", "numpy", "networkx", "scipy", "ntkexec.programs"}
    # Python, the framework of the commands, and the commands themselves: 347 on Python 3.12.
    assert len(loaded) < 500


HEAVY = {"tensorflow", "neural_tangents", "matplotlib", "pandas", "torch", "IPython"}


def test_importing_the_package_loads_no_numerical_library():
    loaded = imported_by("import ntkexec")
    assert not loaded & (HEAVY | {"jax", "numpy", "networkx", "scipy"})


def test_using_everything_but_the_oracle_loads_nothing_heavy():
    code = """
import ntkexec
for name in ntkexec.__all__:
    getattr(ntkexec, name)
import ntkexec.cli.text
assert ntkexec.run("flooding", "path:2", engine="kernel", message="1").exact
"""
    loaded = imported_by(code)
    assert {"jax", "networkx", "ntkexec.pipeline"} <= loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize(
    "typed, offered",
    [
        ("ru", ["run"]),
        ("run bell", ["bellman-ford"]),
        ("certify dfs-f", ["dfs-forest", "dfs-forest-split"]),
        ("run bfs karate --engine kernel-", ["kernel-packed"]),
        ("run bfs karate --ensemble-k", ["--ensemble-kind"]),
    ],
)
def test_the_shell_completes_commands_algorithms_and_options(typed, offered, monkeypatch, capsys):
    words = f"ntkexec {typed}"
    monkeypatch.setenv("_NTKEXEC_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    assert main([]) == 0
    assert capsys.readouterr().out.split() == offered


def test_completion_and_listing_know_every_algorithm():
    assert [*ALGORITHM_NAMES] == [*ALGORITHMS]
    assert {name: one.summary for name, one in ALGORITHMS.items()} == SUMMARIES


def test_expert_options_stand_under_a_heading_of_their_own_at_the_end(capsys):
    assert main(["run", "--help"]) == 0
    out = capsys.readouterr().out
    plain, _, expert = out.partition("\nExpert options")
    assert {"--source", "--message", "--html", "--json"} <= {*plain.split()}
    assert {"--descent", "--padding", "--bound", "--draw"} <= {*expert.split()}
    assert not {"--descent", "--padding", "--bound"} & {*plain.split()}
    assert "\nOptions for your own program:" in plain
    assert "\x1b" not in out
    assert "\u256d" not in out  # no box of rich text


def test_no_option_is_lost_between_the_headings(capsys):
    command = typer.main.get_command(app)
    for name in ("run", "certify", "train", "complexity"):
        assert main([name, "--help"]) == 0
        out = capsys.readouterr().out
        one = command.get_command(typer.Context(command), name)
        for parameter in one.params:
            assert parameter.opts[0] in out or parameter.param_type_name == "argument"


@pytest.mark.parametrize(
    "words",
    [
        *("run", "certify", "show", "train", "algorithms", "live", "check", "complexity"),
        *("experiment", "experiment run", "experiment list", "experiment data", ""),
    ],
)
def test_every_help_has_an_example(words, capsys):
    assert main([*words.split(), "--help"]) == 0
    assert f"Example: ntkexec {words}".rstrip() in capsys.readouterr().out
