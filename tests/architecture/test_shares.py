"""The suite notices a folder of tests that takes more than its share, whoever measures it."""

import os
import re
import subprocess
import sys
import textwrap

import pytest
from support.shares import OF_A_PORT, SHARES, TESTS, calibrate, complaints, share_of

from experiments.harness import registry


def test_every_folder_with_tests_has_a_share_and_every_share_a_folder():
    folders = {path.parent.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py")}
    assert {folder for folder in folders if share_of(folder, SHARES) is None} == set()
    assert SHARES.keys() <= folders


@pytest.mark.parametrize(
    ("taken", "slowness", "said"),
    [
        ({"a": 10.0, "b": 19.9}, 1, []),
        ({"a": 10.1}, 1, [("a took 10.1 s of processor time, and its share is 10.0 s", False)]),
        ({"a": 20.1}, 1, [("a took 20.1 s of processor time, and its share is 10.0 s", True)]),
        ({"a": 19.0, "b": 41.0}, 2, [("b took 41.0 s .*, and its share is 40.0 s", False)]),
        ({"a": 19.0, "b": 81.0}, 2, [("b took 81.0 s .*, and its share is 40.0 s", True)]),
        ({"c": 1.0}, 1, [('c has no share .* add "c": 10 to SHARES', True)]),
        ({"c": 36.0}, 1.5, [('c has no share .* add "c": 48 to SHARES', True)]),
        ({"experiments/graphs/new": 9.0}, 1, []),
        ({"experiments/graphs/new": 11.0}, 1, [("experiments/graphs/new .* is 10.0 s", False)]),
    ],
)
def test_what_exceeds_its_share_of_this_machine_is_named_with_what_to_do(taken, slowness, said):
    found = complaints(taken, {"a": 10, "b": 20}, slowness)
    assert [fails for _, fails in found] == [fails for _, fails in said]
    for (line, _), (start, _) in zip(found, said):
        assert re.match(start, line)


def test_every_port_has_a_share_without_a_line_of_its_own():
    for about in registry.abouts():
        assert share_of(f"experiments/{about.area}/{about.folder.name}", {}) == OF_A_PORT
    assert share_of("experiments/kits/new", {}) is None


def test_the_calibration_takes_a_moment():
    assert 0 < calibrate() < 5


# Two folders: one works for half a second of processor time, one sleeps for as long.
FILES = {
    "conftest.py": """
        import pathlib
        from support import shares

        def pytest_configure(config):
            own = shares.Shares(SHARES, pathlib.Path(__file__).parent, binding=BINDING)
            config.pluginmanager.register(own, "shares")
        """,
    "works/test_works.py": """
        import time

        def test_one():
            end = time.process_time() + 0.5
            while time.process_time() < end:
                pass
        """,
    "sleeps/test_sleeps.py": """
        import time

        def test_two():
            time.sleep(0.5)
        """,
}


@pytest.mark.parametrize(
    ("share", "options", "status"),
    [(50, [], 0), (0.01, ["-p", "xdist", "-n", "2"], 1)],
    ids=["within", "far over, by workers"],
)
def test_a_run_ends_with_its_times_and_fails_if_a_share_is_far_exceeded(
    tmp_path, share, options, status
):
    shares = {"works": share, "sleeps": 0.2}
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        text = textwrap.dedent(text).replace("BINDING", "True").replace("(SHARES", f"({shares}")
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-m",
            "not slow",
            *options,
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(TESTS), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "processor time: " in done.stdout
    assert " works\n" in done.stdout
    assert ("works took 0" in done.stdout) == (status != 0)
    assert "sleeps took" not in done.stdout
    assert "2 passed" in done.stdout.splitlines()[-1]
