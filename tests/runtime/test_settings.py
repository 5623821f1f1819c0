"""Settings of the whole process: how hard XLA tries, and compiled code that is kept where somebody asks."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest
from support.commands import in_subprocess, refused

from ntkexec.errors import NtkexecError
from ntkexec.runtime import settings


@pytest.mark.parametrize(
    ("given", "plugin", "wanted"),
    [
        (None, False, "--xla_backend_optimization_level=2"),
        ("--xla_dump_to=x", False, "--xla_dump_to=x --xla_backend_optimization_level=2"),
        ("--xla_backend_optimization_level=3", False, "--xla_backend_optimization_level=3"),
        ("--xla_dump_to=x", True, "--xla_dump_to=x"),
        ("flags.txt", False, "flags.txt"),  # a file that holds them
    ],
)
def test_xla_compiles_sooner_unless_told_otherwise(given, plugin, wanted, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if plugin else None)
    environment = {} if given is None else {"XLA_FLAGS": given}
    settings.compile_sooner(environment)
    assert environment["XLA_FLAGS"] == wanted


@pytest.mark.skipif(jax.__version_info__ < (0, 7), reason="JAX 0.6 starts XLA with any flags")
@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--xla_nonsense=1", "Unknown flag in XLA_FLAGS: --xla_nonsense=1"),
        ("--xla_cpu_enable_fast_math=maybe", "Couldn't interpret value maybe"),
        ("nowhere.txt", 'Could not open file "nowhere.txt"'),
    ],
)
def test_flags_that_would_end_the_process_are_refused_in_a_line(flags, says):
    found = in_subprocess("-m", "ntkexec", "algorithms", XLA_FLAGS=flags)
    assert says in refused((found.returncode, found.stdout, found.stderr))


def test_flags_that_xla_takes_are_left_alone_and_only_those_of_others_are_asked_about(monkeypatch):
    found = in_subprocess("-m", "ntkexec", "show", "--help", XLA_FLAGS="--xla_dump_to=")
    assert (found.returncode, found.stderr) == (0, "")

    def refuse(*_, **__):
        raise AssertionError("asked")

    monkeypatch.setattr(subprocess, "run", refuse)
    settings.check_flags({"XLA_FLAGS": "--xla_nonsense=1"})  # JAX has started, and nothing ended
    monkeypatch.delitem(sys.modules, "jax")
    settings.check_flags({})
    settings.check_flags({"XLA_FLAGS": settings.SOONER})
    with pytest.raises(AssertionError, match="asked"):
        settings.check_flags({"XLA_FLAGS": "--xla_dump_to="})


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({}, None),
        ({"NTKEXEC_CACHE": ""}, None),
        ({"NTKEXEC_CACHE": "0"}, None),
        ({"NTKEXEC_CACHE": "/somewhere"}, Path("/somewhere")),
        ({"NTKEXEC_CACHE": "1", "XDG_CACHE_HOME": "/cache"}, Path("/cache/ntkexec")),
        ({"NTKEXEC_CACHE": "1"}, Path("~/.cache/ntkexec").expanduser()),
    ],
)
def test_only_the_environment_asks_for_a_cache(environment, folder):
    assert settings.cache_folder(environment) == folder


def test_without_a_folder_no_setting_changes():
    before, environment = jax.config.jax_compilation_cache_dir, {}
    settings.keep_on_disk(None, environment)
    assert jax.config.jax_compilation_cache_dir == before
    assert environment == {}


@pytest.fixture
def restored():
    """Gives JAX's own settings back."""
    names = (
        "jax_compilation_cache_dir",
        "jax_persistent_cache_min_compile_time_secs",
        "jax_persistent_cache_min_entry_size_bytes",
    )
    before = {name: getattr(jax.config, name) for name in names}
    yield names
    for name, value in before.items():
        jax.config.update(name, value)


def test_where_jax_has_started_it_is_told_and_else_it_reads_the_environment(restored, tmp_path):
    environment = {}
    settings.keep_on_disk(tmp_path / "new", environment)
    assert [getattr(jax.config, name) for name in restored] == [str(tmp_path / "new"), 0.0, -1]
    code = f"import jax; print([getattr(jax.config, name) for name in {restored}])"
    found = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True
    )
    assert found.stdout.strip() == str([str(tmp_path / "new"), 0.0, -1])


def test_a_folder_that_is_a_file_is_refused_and_nothing_is_set(tmp_path):
    (tmp_path / "file").write_text("")
    environment = {}
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("nul\0")):
        with pytest.raises(NtkexecError, match="NTKEXEC_CACHE: cannot keep code in"):
            settings.keep_on_disk(folder, environment)
    assert environment == {}


@pytest.mark.parametrize(
    "environment",
    [
        {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"},
        {"XLA_FLAGS": f"{settings.SOONER} --xla_force_host_platform_device_count=16"},
        {"JAX_NUM_CPU_DEVICES": "4"},
    ],
)
def test_no_code_of_several_devices_of_a_cpu_is_kept(tmp_path, environment):
    before = dict(environment)
    with pytest.raises(NtkexecError, match="several devices of a CPU"):
        settings.keep_on_disk(tmp_path, environment)
    assert environment == before
    settings.keep_on_disk(None, environment)


def test_code_of_one_device_of_a_cpu_is_kept(restored, tmp_path):
    environment = {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=1",
        "JAX_NUM_CPU_DEVICES": "1",
    }
    settings.keep_on_disk(tmp_path, environment)
    assert environment["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path)


@pytest.mark.slow
def test_a_second_run_takes_compiled_code_from_disk(tmp_path):
    folder = tmp_path / "cache"
    command = [sys.executable, "-m", "ntkexec", "run", "flooding", "path:3", "--engine", "kernel"]
    environment = os.environ | {"NTKEXEC_CACHE": str(folder)}
    answers, kept = [], []
    for _ in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        answers.append(done.stdout.partition("node  ")[2])
        kept.append({path.name for path in folder.iterdir() if path.name.endswith("-cache")})
    assert answers[0] == answers[1]
    assert kept[0] == kept[1] != set()  # nothing new was compiled
    assert folder.stat().st_mode & 0o077 == 0
