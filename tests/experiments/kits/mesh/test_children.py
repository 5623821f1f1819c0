"""Functions in processes with several devices: what they get and give, and that nothing stays behind."""

import functools
import json
import os
import signal
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import meshes

from experiments.harness.digest import Package, code_digest
from experiments.kits.mesh.children import run_with_devices
from experiments.kits.mesh.parcels import pack, unpack
from experiments.kits.mesh.processes import run_side_by_side
from ntkexec.errors import ExperimentError

FORMULAS = {
    # 40 numbers of 4 bytes: 5 times to the next; 15 times seven eighths there and back.
    "looped": {"collective-permute": 5 * 160, "all-reduce": 15 * 2 * 7 * 20},
    # 8 numbers to each of 4; of 32 the half to the other of 2; of 16 three quarters to the others of 4.
    "crossed": {"all-gather": 3 * 32, "reduce-scatter": 64, "all-to-all": 48},
    # 13 numbers in pieces of 2: 7 x 2 for one's own piece, 11 of the others'.
    "uneven": {"all-reduce": 4 * (14 + 11)},
    "alone": {},
}


def alive(pid):
    """Whether a process is there and has not ended; one that nobody has waited for has."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_child_has_its_devices_and_counts_as_its_parents_time():
    before = os.times().children_user
    found = run_with_devices(meshes.programs_with_known_bytes, devices=8)
    assert found["bytes"] == FORMULAS
    assert found["times"] == [5, 15]
    assert np.array_equal(found["total"], np.full((1, 3), 8, np.float32))
    assert os.times().children_user > before


@pytest.mark.slow
def test_two_processes_are_joined_and_move_the_same_bytes():
    found = run_with_devices(meshes.programs_with_known_bytes, devices=4, processes=2)
    assert found["bytes"] == FORMULAS
    assert np.array_equal(found["total"], np.full((1, 3), 8, np.float32))


@pytest.mark.slow
def test_what_a_child_is_given_and_has(monkeypatch):
    monkeypatch.setenv(
        "XLA_FLAGS", f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=5"
    )
    given = [1, "two", None, {"three": [3.5, True]}, np.arange(6.0).reshape(2, 3)]
    found = run_with_devices(meshes.echo, *given, devices=3)
    assert found["arguments"][:4] == given[:4]
    assert np.array_equal(found["arguments"][4], given[4])
    assert (found["devices"], found["processes"]) == (3, 1)
    *others, last = os.environ["XLA_FLAGS"].split()
    assert found["flags"].split() == [*others, last[:-1] + "3"]


@pytest.mark.slow
def test_children_take_no_program_from_the_cache(tmp_path, monkeypatch):
    """Where its collectives have lost their order."""
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
    run_with_devices(meshes.programs_with_known_bytes, devices=8)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_child_that_has_answered_or_cannot_is_not_waited_for():
    assert run_with_devices(meshes.leaves_a_thread, devices=1, seconds=60) == 1
    with pytest.raises(ExperimentError, match="ended its process before it returned anything"):
        run_with_devices(meshes.ends, devices=1)


@pytest.mark.slow
def test_a_child_that_fails_says_why():
    with pytest.raises(ExperimentError, match=r"about to .* ArithmeticError: this went wrong$"):
        run_with_devices(meshes.fails, devices=2)


@pytest.mark.slow
def test_where_one_process_fails_the_others_do_not_wait_for_it():
    with pytest.raises(ExperimentError, match=r"one_fails failed with 1 .* the second gave up"):
        run_with_devices(meshes.one_fails, devices=4, processes=2)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are looked up in /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_parent_that_is_ended_leaves_no_child(tmp_path, how):
    script = (
        "from support import meshes\nfrom experiments.kits.mesh.children import run_with_devices\n"
        f"run_with_devices(meshes.tells_and_waits, {str(tmp_path)!r}, devices=1)"
    )
    path = os.pathsep.join(path or os.getcwd() for path in sys.path)
    parent = subprocess.Popen(
        [sys.executable, "-P", "-c", script],
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(tmp_path)},
        stderr=subprocess.DEVNULL,
    )
    with parent:
        told = tmp_path / "pid"
        wait_until(told.exists)
        parent.send_signal(how)
    wait_until(lambda: not alive(int(told.read_text())))
    assert how == signal.SIGKILL or parent.returncode


def test_this_process_serves_where_it_has_the_devices(monkeypatch):
    def nothing(*_, **__):
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", nothing)
    found = run_with_devices(meshes.echo, (1, jnp.ones(2)), devices=len(jax.devices()), here=True)
    assert found["pid"] == os.getpid()
    first, second = found["arguments"][0]
    assert first == 1
    assert isinstance(second, np.ndarray)


def test_what_cannot_be_imported_or_passed_is_refused():
    for function in (lambda: 1, functools.partial(meshes.echo)):
        with pytest.raises(ExperimentError, match="cannot be imported by another process"):
            run_with_devices(function, devices=1)
    own = functools.wraps(meshes.echo)(lambda: 1)
    own.__module__ = "__main__"
    with pytest.raises(ExperimentError, match="is of the script itself"):
        run_with_devices(own, devices=1)
    for value, said in (
        (object(), "a object cannot be passed"),
        ({1: 2}, "a dict cannot be passed"),
        (np.array(["a"]), "an array of <U1 cannot be passed"),
        (jnp.ones(2, "bfloat16"), "an array of bfloat16 cannot be passed"),
        (jax.random.key(0), "an array of key.* cannot be passed"),
        (np.ones(2, np.longdouble), "an array of float128 cannot be passed"),
    ):
        with pytest.raises(ExperimentError, match=said):
            run_with_devices(meshes.echo, value, devices=1)
    with pytest.raises(ExperimentError, match="at least one device and one process"):
        run_with_devices(meshes.echo, devices=0)
    with pytest.raises(ExperimentError, match="some seconds, not inf"):
        run_with_devices(meshes.echo, devices=1, seconds=float("inf"))


def test_parcels_give_back_what_was_put_in(tmp_path):
    value = [{"array": "0", "mapping": {}, "x": [np.zeros((0, 2)), np.float32(2.5)]}, -1, "é\n"]
    pack(tmp_path / "swapped", np.arange(3, dtype=">i4"))
    np.testing.assert_array_equal(unpack(tmp_path / "swapped"), np.arange(3))
    pack(tmp_path / "parcel", value)
    found = unpack(tmp_path / "parcel")
    assert found[0]["x"][0].shape == (0, 2)
    assert found[0]["x"][1] == 2.5
    found[0]["x"] = value[0]["x"] = None
    assert found == value


def run(scripts, folder, seconds=60):
    run_side_by_side(scripts, folder, os.environ, seconds=seconds, what="it")


def test_of_processes_side_by_side_nothing_outlives_the_call(tmp_path):
    """Not one that waits, and not what it has started."""
    started = tmp_path / "started"
    waits = (
        "import json, os, pathlib, subprocess, sys, time\n"
        "inner = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"path = pathlib.Path({str(started)!r})\n"
        "path.with_suffix('.part').write_text(json.dumps([os.getpid(), inner.pid]))\n"
        "path.with_suffix('.part').rename(path)\n"
        "time.sleep(600)"
    )
    fails = (
        f"import pathlib, time\nwhile not pathlib.Path({str(started)!r}).exists(): time.sleep(0.01)\n"
        "print('first')\nraise ValueError('last')"
    )
    with pytest.raises(ExperimentError, match=r"it failed with 1 in its process: first .* last$"):
        run([waits, fails], tmp_path)
    pids = json.loads(started.read_text())
    if sys.platform.startswith("linux"):
        wait_until(lambda: not any(map(alive, pids)))


def test_a_process_is_stopped_when_time_is_up_and_told_by_its_signal(tmp_path):
    with pytest.raises(
        ExperimentError, match=r"stopped in its process after 0.5 s; it last said: no"
    ):
        run(["import time; time.sleep(600)"], tmp_path, seconds=0.5)
    with pytest.raises(ExperimentError, match="it was ended by SIGSEGV in its process"):
        run(["import os; os.kill(os.getpid(), 11)"], tmp_path)
    run(["", "print(1)"], tmp_path)


STUDY = """
from somepackage.kit import run_with_devices
from somepackage.method import aggregate, other

def study(config, trial):
    return run_with_devices(aggregate, devices=8)
"""


def test_a_studys_code_is_that_of_what_its_children_run(tmp_path, monkeypatch):
    """The function is passed as an object, so that whoever reads the study's code finds it."""
    package = tmp_path / "somepackage"
    package.mkdir()
    files = {"study": STUDY, "kit": "def run_with_devices(f, devices): ...\n", "__init__": ""}
    method = (
        "def aggregate():\n    return inner()\ndef inner():\n    return 1\ndef other():\n    ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def digest_with(text):
        for name, content in {**files, "method": text}.items():
            (package / f"{name}.py").write_text(content)
        import somepackage.study as study

        return code_digest(study.study, Package("somepackage"))

    names = [
        digest_with(method.replace(*change)) for change in (("", ""), ("1", "2"), ("...", "1"))
    ]
    assert names[0] != names[1]
    assert names[0] == names[2]
    for name in ("study", "kit", "method"):
        sys.modules.pop(f"somepackage.{name}", None)
    sys.modules.pop("somepackage", None)


def test_the_code_that_a_child_runs_by_itself_counts_too():
    """It is named in a script, and can be followed."""
    assert code_digest(run_with_devices) != code_digest(run_side_by_side)
