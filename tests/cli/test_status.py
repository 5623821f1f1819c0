"""How commands end: 1 for wrong answers alone, one line for what the world did, 130 for Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import pytest
from support.commands import ENVIRONMENT, in_subprocess

from ntkexec import pipeline
from ntkexec.cli import main, status
from ntkexec.errors import NtkexecError, clean
from ntkexec.runtime import compilation, files

RUN = ("run", "flooding", "path:3", "--engine", "kernel")


def one_line_on(err):
    assert err.startswith("ntkexec: ")
    assert err.count("\n") == 1
    assert len(err) < 340
    return err


# Messages.

MAX_LENGTH = 300


def test_messages_are_one_line_without_control_characters():
    assert clean("Łódź isn't 東京") == "Łódź isn't 東京"
    assert clean("a\nb\x1b[31mc\td\x00\u202e\ud800") == ("a\\nb\\x1b[31mc\\td\\x00\\u202e\\ud800")


def test_of_long_messages_the_middle_is_left_out():
    text = "begin" + "x" * 1000 + "end"
    cut = clean(text)
    assert cut.startswith("begin")
    assert cut.endswith("end")
    assert MAX_LENGTH < len(cut) < MAX_LENGTH + 10
    assert clean("y" * MAX_LENGTH) == "y" * MAX_LENGTH
    # Escapes count, and are cut like everything else.
    assert len(clean("\x1b" * 200)) < MAX_LENGTH + 10


def test_names_of_strangers_are_shown_escaped(command, tmp_path):
    graph = tmp_path / "evil\x1b[2J.edges"
    found, out, err = command("run", "flooding", graph)
    assert (found, out) == (2, "")
    assert "\x1b" not in one_line_on(err)
    found, out, err = command(*RUN, "--source", "x\x1b]0;title\x07\n" + "y" * 5000)
    assert (found, out) == (2, "")
    assert "\x1b" not in one_line_on(err)
    found, _, err = command(*RUN, "--\x1b[31mred")
    assert found == 2
    assert "\x1b" not in err


@pytest.mark.parametrize("encoding", ["ascii", pytest.param("utf-8", marks=pytest.mark.slow)])
def test_names_that_a_terminal_cannot_show_take_no_answer_away(tmp_path, encoding):
    # A name of bytes that are no UTF-8, and a letter that ASCII has not.
    graph = os.fsencode(tmp_path) + b"/odd\xff.edges"
    with open(graph, "w", encoding="utf-8") as file:
        file.write("\u0105 b\n")
    found = subprocess.run(
        [sys.executable, "-m", "ntkexec", "run", "flooding", graph, "--engine", "kernel"],
        capture_output=True,
        env=ENVIRONMENT | {"PYTHONIOENCODING": encoding},
        timeout=100,
    )
    assert (found.returncode, found.stderr) == (0, b"")
    assert b"EXACT: all 2 nodes" in found.stdout
    assert b"\\udcff" in found.stdout


# What the world can do.

XLA_FULL = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")


@pytest.mark.parametrize(
    "error, says",
    [
        (OSError(28, "No space left on device"), "cannot write the output: No space left"),
        (PermissionError(13, "Permission denied", "/root/x"), "'/root/x': Permission denied"),
        (OverflowError("int too large"), "a number is too large: int too large"),
        (RecursionError("maximum"), "nested too deeply"),
        (MemoryError("Unable to allocate 3 TiB"), "out of memory: Unable to allocate 3 TiB"),
        (MemoryError(), "out of memory"),
        (XLA_FULL, "out of memory: Out of memory allocating 9 bytes"),
        (EOFError("No data left in file"), "input ended too soon: No data left"),
        (RuntimeError("Unable to initialize backend 'tpu'"), "Unable to initialize backend"),
        (NtkexecError("bad"), "ntkexec: bad"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_is_no_wrong_answer_has_status_two_and_one_line(command, monkeypatch, error, says):
    def failing(*_, **__):
        raise error

    monkeypatch.setenv("JAX_PLATFORMS", "tpu")
    if "backend" in str(error):
        monkeypatch.setattr(jax, "devices", failing)
    monkeypatch.setattr(pipeline, "run", failing)
    # The process's own standard output must survive; what closes it is tried in a process below.
    monkeypatch.setattr(status, "_drop_output", lambda: None)
    found, out, err = command(*RUN)
    assert (found, out) == (2, "")
    assert says in one_line_on(err)


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), AssertionError(), ValueError("odd")])
def test_a_fault_of_ours_has_a_status_of_its_own_and_a_traceback(command, monkeypatch, error):
    def failing(*_, **__):
        raise error

    monkeypatch.setattr(pipeline, "run", failing)
    found, out, err = command(*RUN)
    assert (found, out) == (70, "")
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("ntkexec: this is a fault of ntkexec")


@pytest.mark.parametrize("option", ["--html", "--plot"])
def test_targets_are_checked_before_the_work(command, monkeypatch, tmp_path, option):
    def no_work(*_, **__):
        raise AssertionError("worked before it looked where to write")

    monkeypatch.setattr(pipeline, "run", no_work)
    (tmp_path / "file").write_text("")
    for target in (tmp_path, tmp_path / "no" / "x.png", tmp_path / "file" / "x.png", "/proc/x.png"):
        found, out, err = command(*RUN, option, target)
        assert (found, out) == (2, "")
        assert "cannot write" in one_line_on(err)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_folders_are_checked_before_the_work(command, monkeypatch, tmp_path):
    def no_work(*_, **__):
        raise AssertionError("worked before it looked where to write")

    monkeypatch.setattr(pipeline, "certify", no_work)
    (tmp_path / "file").write_text("")
    for target in (tmp_path / "file", tmp_path / "file" / "below", "/proc/new"):
        argv = ("train", "flooding", "--degree", 1, "--word", 1, "--out", target)
        found, out, err = command(*argv)
        assert (found, out) == (2, "")
        assert "cannot write" in one_line_on(err)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_the_answer_is_not_lost_with_a_full_disk(command):
    for option in ("--html", "--plot"):
        found, out, err = command(*RUN, option, "/dev/full")
        assert found == 2
        assert "EXACT" in out
        assert "/dev/full" in one_line_on(err)


def test_devices_are_written_to_and_not_replaced(tmp_path):
    files.write("/dev/null", b"x")
    assert not Path("/dev/null").is_file()
    files.check_target("/dev/null")
    files.check_target(tmp_path / "new")
    assert not list(tmp_path.iterdir())


def test_standard_output_on_a_full_disk_has_status_two():
    if not Path("/dev/full").exists():
        pytest.skip("no device that is always full")
    for argv in (("algorithms",), ("--help",)):
        with open("/dev/full", "w") as full:
            found = subprocess.run(
                [sys.executable, "-m", "ntkexec", *argv],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                env=ENVIRONMENT,
            )
        assert found.returncode == 2
        assert "No space left" in one_line_on(found.stderr)


def test_a_reader_that_leaves_makes_no_wrong_answer():
    script = "import subprocess, sys; sys.exit(0)"
    reader = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE)
    reader.wait()
    found = subprocess.run(
        [sys.executable, "-m", "ntkexec", "algorithms"],
        stdout=reader.stdin,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    reader.stdin.close()
    assert (found.returncode, found.stderr) == (2, "")


def test_a_cache_that_is_a_file_is_refused(command, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        monkeypatch.setenv("NTKEXEC_CACHE", str(folder))
        found, out, err = command(*RUN)
        assert (found, out) == (2, "")
        assert "NTKEXEC_CACHE" in one_line_on(err)


@pytest.mark.parametrize("platform", ["nonsense", pytest.param("cuda", marks=pytest.mark.slow)])
def test_a_backend_that_is_not_there_is_named(platform):
    if platform == "cuda" and jax.default_backend() == "gpu":
        pytest.skip("it is there")
    found = in_subprocess("-m", "ntkexec", *RUN, JAX_PLATFORMS=platform)
    assert (found.returncode, found.stdout) == (2, "")
    assert f"JAX_PLATFORMS is '{platform}'" in one_line_on(found.stderr)


def test_settings_of_jax_that_are_none_are_named():
    found = in_subprocess("-m", "ntkexec", *RUN, JAX_ENABLE_X64="maybe")
    assert (found.returncode, found.stdout) == (2, "")
    assert "JAX_ENABLE_X64" in one_line_on(found.stderr)


@pytest.mark.parametrize("engine", ["ensemble", "kernel", "kernel-packed", "boolean"])
def test_strict_promotion_of_types_is_no_obstacle(engine, monkeypatch):
    # Nothing that was compiled before: it is tracing that promotes.
    monkeypatch.setattr(compilation, "_compiled", {})
    with jax.numpy_dtype_promotion("strict"):
        assert pipeline.run("flooding", "path:3", message="1", engine=engine).exact


def test_without_compilation_it_runs_too():
    with jax.disable_jit():
        assert pipeline.run("flooding", "path:2", message="1", engine="kernel").exact


@pytest.mark.parametrize(
    "options, says",
    [
        (("--bound", "9" * 20), "a bound on the matches is at most"),
        (("--bound", "9" * 5000), "a bound on the matches is at most"),
        (("--padding", "9" * 20), "padding is at most"),
        (("--padding", "9" * 5000), "padding is at most"),
        (("--seed", "9" * 20), "seed must lie between"),
        (("--members", "9" * 20, "--engine", "ensemble"), "members would fit"),
        (("--width", "9" * 20, "--engine", "ensemble"), "width of"),
    ],
)
def test_numbers_that_nothing_holds_are_refused(command, options, says):
    found, out, err = command("run", "flooding", "path:3", "--engine", "ensemble", *options)
    assert (found, out) == (2, "")
    assert says in one_line_on(err)


@pytest.mark.parametrize("rounds", ["99999999999", "9" * 30])
def test_rounds_that_nobody_lives_to_see_are_refused(command, rounds):
    found, out, err = command("run", "life", "path:3", "--engine", "kernel", "--rounds", rounds)
    assert (found, out) == (2, "")
    assert "steps can be counted" in one_line_on(err)


# Ctrl-C.


# Says when it begins: before that the interpreter itself starts up, which is not ours.
BEGINS = """
import sys
from ntkexec.cli import main
print("begins", flush=True)
sys.exit(main(["run", "flooding", "path:4000", "--engine", "kernel"]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("delay", [0.03, 0.1, 0.2, 0.5])
def test_an_interrupt_has_its_status_while_modules_are_imported(delay):
    process = subprocess.Popen(
        [sys.executable, "-c", BEGINS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    assert process.stdout.readline() == "begins\n"
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    # Where `eval` was interrupted, Python ends by the signal itself, which shells show as 130 too.
    assert process.returncode in (130, -signal.SIGINT)
    assert (out, err) == ("", "ntkexec: interrupted\n")


def test_the_handlers_of_the_caller_are_given_back():
    before = signal.getsignal(signal.SIGINT), sys.unraisablehook
    assert main(["algorithms"]) == 0
    assert (signal.getsignal(signal.SIGINT), sys.unraisablehook) == before
