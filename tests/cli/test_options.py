"""Whatever the options, a command ends with 0, 2, or 1 for a wrong answer, and without a traceback."""

import contextlib
import io

import pytest
from support.option_fuzzer import command_lines

from ntkexec.cli import main

# Command lines that ended in a traceback, in status 1, or did not end.
PAST = [
    ["run", "flooding", "path:3", "--engine", "kernel", "--bound", "9" * 20],
    ["run", "flooding", "path:3", "--engine", "kernel", "--bound", "9" * 5000],
    ["run", "flooding", "path:3", "--padding", "9" * 20],
    ["run", "flooding", "path:3", "--members", "99999999999"],
    ["run", "flooding", "path:3", "--width", "9" * 23],
    ["run", "life", "path:3", "--engine", "kernel", "--rounds", "99999999999"],
    ["run", "life", "path:3", "--engine", "kernel", "--rounds", "9" * 23],
    ["run", "flooding", "path:3", "--engine", "kernel", "--html", "/proc/x.html"],
    ["run", "flooding", "path:3", "--engine", "kernel", "--plot", "/proc/x.png"],
    ["run", "flooding", "path:3", "--engine", "kernel", "--html", "x" * 300],
    ["run", "add", "9" * 5000, "1", "--engine", "kernel"],
    ["run", "sbn", "sum", "a=" + "9" * 5000, "--engine", "kernel"],
    ["run", "bfs", "star:n=2391", "--engine", "kernel", "--split-degree", "none"],
    ["show", "bfs", "--degree", "2147483648", "--word", "3"],
    ["show", "bfs", "--degree", "-3", "--word", "3"],
    ["show", "neighbourhood-size", "--degree", "3", "--word", "999999999999"],
    ["show", "leader-election", "--degree", "3", "--word", "500000"],
    ["certify", "flooding", "--degree", "1", "--word", "1", "--slots", "1" + "0" * 30],
    ["certify", "flooding", "--degree", "1", "--word", "1", "--delta", "5e-324"],
    ["certify", "sbn", "--word", "100000"],
    ["train", "flooding", "--degree", "1", "--word", "1", "--out", "/dev/null/x"],
    ["train", "flooding", "--degree", "1", "--word", "1", "--out", "/proc/new"],
    ["complexity", "flooding", "--degree", "9" * 5000],
    ["complexity", "flooding", "--word", "1..99999999", "--graphs", "0"],
]


def short(argv):
    return " ".join(word if len(word) < 40 else f"{word[:20]}...({len(word)})" for word in argv)


@pytest.fixture(autouse=True)
def away(tmp_path, monkeypatch):
    """Files with names from the pool go into a folder of their own, and little memory is there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NTKEXEC_MEMORY", "1")


def assert_ends_well(argv):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(argv)
    said = f"{short(argv)}: {status}\n{err.getvalue()[-2000:]}"
    assert status in (0, 1, 2), said
    assert "Traceback" not in err.getvalue(), said
    if status == 2:
        assert err.getvalue(), said
        assert len(err.getvalue()) < 800, said
        assert all(c.isprintable() or c == "\n" for c in err.getvalue()), said
    if status == 1:
        words = ("NOT EXACT", "not certified", '"exact": false', '"certified": false')
        assert any(word in out.getvalue() for word in words), said
    return status


@pytest.mark.parametrize("argv", PAST, ids=short)
def test_past_failures_are_refused(argv):
    assert assert_ends_well(argv) == 2


def test_no_command_line_ends_in_a_traceback():
    statuses = [assert_ends_well(argv) for argv in command_lines(seed=0, number=80)]
    # Some are meant well, or the fuzzer would not reach the work.
    assert 0 in statuses
    assert 2 in statuses


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_no_command_line_of_many_ends_in_a_traceback(seed):
    for argv in command_lines(seed, 900):
        assert_ends_well(argv)
