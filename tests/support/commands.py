"""The command line in a process of its own, and what it prints."""

import json
import os
import subprocess
import sys
from pathlib import Path

import typer

import ntkexec
from ntkexec.cli.app import app

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(ntkexec.__file__).parent.parent)}
KERNEL = ("--engine", "kernel")


def parse(words):
    """What the command line does before it does anything: finds the command, reads its options."""
    command, context = typer.main.get_command(app), None
    while hasattr(command, "resolve_command"):
        context = command.make_context("ntkexec", list(words), parent=context)
        name, command, words = command.resolve_command(context, list(words))
    return command.make_context(name, list(words), parent=context)


# What the object of a run holds, and parts of it.
KEYS = {
    "algorithm": (),
    "graph": ("name", "nodes", "edges", "max_degree", "colours", "components"),
    "program": (
        *("templates", "padding", "state_bits", "message_bits", "word_bits", "max_writers"),
    ),
    "certificate": (
        *("certified", "max_matches", "capacity", "threshold", "smallest_margin"),
        *("ensemble_size", "delta"),
    ),
    "engine": (),
    "ensemble": ("kind", "members", "width", "components", "train_seconds", "residual"),
    "steps": (),
    "exact": (),
    "mismatched_nodes": (),
    "mismatched_bits": (),
    "smallest_margin": (),
    "seconds": ("compile", "train", "run"),
    "answer": (),
}


def in_subprocess(*argv, cwd=None, **environment):
    """What came of `python ARGV`: its status, stdout and stderr."""
    return subprocess.run(
        [sys.executable, *argv],
        capture_output=True,
        text=True,
        env=ENVIRONMENT | environment,
        cwd=cwd,
        timeout=100,
    )


def imported_by(code):
    """Top-level modules and packages that a fresh interpreter has loaded after `code`."""
    script = f"import sys\n{code}\nprint('|'.join(sorted(sys.modules)))"
    found = in_subprocess("-c", script)
    assert found.returncode == 0, found.stderr
    return set(found.stdout.splitlines()[-1].split("|"))


def one_object(out):
    """Exactly one JSON object, and nothing else; NaN and Infinity are not JSON."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    assert out.count("\n") == 1
    found = json.loads(out, parse_constant=refuse)
    assert isinstance(found, dict)
    return found


def refused(found):
    """Status 2, nothing on stdout and one line on stderr, which is returned."""
    status, out, err = found
    assert status == 2
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert err.startswith("ntkexec: ")
    return err
