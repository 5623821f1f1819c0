"""Commands of the packages beside `ntkexec`: loaded when they are asked for, from there alone."""

import pytest
from support.commands import imported_by, in_subprocess, refused

from ntkexec.cli import beside
from ntkexec.cli.app import BESIDE

PACKAGES = {name.partition(".")[0] for name in BESIDE.values()}
MAIN = "from ntkexec.cli import main\n"


@pytest.fixture
def strangers(tmp_path):
    """A folder with packages of the same names, which are somebody else's."""
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("MINE = True\n")
        (tmp_path / package / "command.py").write_text("raise SystemExit('a stranger')\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "known"), [(["check", "--list"], "gram-inverse "), (["experiment", "list"], "  sgs ")]
)
def test_a_stranger_of_the_same_name_in_the_working_directory_is_not_taken(words, known, strangers):
    found = in_subprocess("-m", "ntkexec", *words, cwd=strangers)
    assert (found.returncode, found.stderr) == (0, "")
    assert any(line.startswith(known) for line in found.stdout.splitlines())


@pytest.mark.parametrize("words", [["check", "--list"], ["experiment", "list"]], ids=" ".join)
def test_a_program_that_has_loaded_a_stranger_is_told_so(words, strangers):
    package = BESIDE[words[0]].partition(".")[0]
    code = f"import sys, {package}\n{MAIN}sys.exit(main({words}))"
    found = in_subprocess("-c", code, cwd=strangers)
    said = refused((found.returncode, found.stdout, found.stderr))
    assert f"has already loaded another {package}, {strangers / package}" in said
    # All else is as it was.
    code = f"import sys, {package}\n{MAIN}sys.exit(main(['--help']))"
    found = in_subprocess("-c", code, cwd=strangers)
    listed = [line.split()[0] for line in found.stdout.splitlines() if line.startswith("  ")]
    assert (found.returncode, found.stderr) == (0, "")
    assert "complexity" in listed
    assert words[0] not in listed


def test_nobody_who_does_not_ask_gets_them(strangers):
    assert not PACKAGES & imported_by(f"{MAIN}assert main(['algorithms']) == 0")
    # So a program's own package of such a name stays its own.
    own = "; ".join(f"import {package}; assert {package}.MINE" for package in PACKAGES)
    found = in_subprocess("-c", f"{MAIN}main(['algorithms'])\n{own}", cwd=strangers)
    assert (found.returncode, found.stderr) == (0, "")


def test_where_they_are_not_a_command_says_so_and_help_leaves_it_out(
    command, monkeypatch, tmp_path
):
    monkeypatch.setattr(beside, "ROOT", tmp_path)
    said = refused(command("check", "--list"))
    assert said == (
        f"ntkexec: this command is in the package proofs_check, which is not in {tmp_path}\n"
    )
    status, out, _ = command("--help")
    assert status == 0
    assert "  complexity " in out
    assert "  check " not in out
