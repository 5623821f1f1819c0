"""Settings of the whole process: how hard XLA tries, and compiled code that is kept where somebody asks."""

import atexit
import errno
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest
from support.commands import in_subprocess, refused

from ntkexec.errors import NtkexecError
from ntkexec.runtime import kept_code, settings


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
        ({}, Path("~/.cache/ntkexec").expanduser()),
        ({"NTKEXEC_CACHE": ""}, Path("~/.cache/ntkexec").expanduser()),
        ({"NTKEXEC_CACHE": "0"}, None),
        ({"NTKEXEC_CACHE": "/somewhere"}, Path("/somewhere")),
        ({"NTKEXEC_CACHE": "1", "XDG_CACHE_HOME": "/cache"}, Path("/cache/ntkexec")),
        ({"XDG_CACHE_HOME": "/cache"}, Path("/cache/ntkexec")),
        # The XDG specification: a relative path is none.
        ({"XDG_CACHE_HOME": "cache"}, Path("~/.cache/ntkexec").expanduser()),
    ],
)
def test_the_environment_says_where_things_are_kept(environment, folder):
    assert settings.cache_folder(environment) == folder


def test_without_a_home_a_folder_is_asked_for(monkeypatch):
    def unknown(self):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", unknown)
    with pytest.raises(NtkexecError, match="NTKEXEC_CACHE: Could not determine home"):
        settings.cache_folder({})
    assert settings.cache_folder({"XDG_CACHE_HOME": "/cache"}) == Path("/cache/ntkexec")


@pytest.fixture
def leaving(monkeypatch):
    """What is to be done when the process ends: called here, and not then."""
    registered, register = [], atexit.register

    def take(function, *arguments, **named):
        # A module that is imported for the first time may have something to do then as well.
        if function is not settings._leave:
            return register(function, *arguments, **named)
        registered.append((function, *arguments))
        return function

    monkeypatch.setattr(atexit, "register", take)
    yield registered
    for function, *arguments in registered:
        function(*arguments)


@pytest.fixture
def restored(leaving):
    """Gives JAX's own settings back."""
    names = (
        "jax_compilation_cache_dir",
        "jax_persistent_cache_min_compile_time_secs",
        "jax_persistent_cache_min_entry_size_bytes",
        "jax_persistent_cache_enable_xla_caches",
    )
    before = {name: getattr(jax.config, name) for name in names}
    yield names
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.mark.parametrize("word", ["off", "No", "FALSE", "true"])
def test_a_word_for_a_switch_is_no_folder_but_a_path_of_that_name_is(word):
    with pytest.raises(NtkexecError, match=rf"{word}.*0 keeps nothing.*a folder"):
        settings.keep_on_disk({"NTKEXEC_CACHE": word})
    assert settings.cache_folder({"NTKEXEC_CACHE": f"./{word}"}) == Path(word)


@pytest.mark.parametrize(
    "environment",
    [
        {"NTKEXEC_CACHE": "0"},
        {"JAX_COMPILATION_CACHE_DIR": "/elsewhere"},
        {"JAX_NUM_CPU_DEVICES": "4"},
        {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"},
    ],
)
def test_nothing_is_kept_where_that_is_asked_or_jax_has_a_cache_or_there_are_several_devices(
    environment, leaving, caplog, tmp_path
):
    before, asked = jax.config.jax_compilation_cache_dir, dict(environment)
    environment = environment | {"XDG_CACHE_HOME": str(tmp_path)}
    asked = dict(environment)
    settings.keep_on_disk(environment)
    assert (environment, leaving, caplog.text) == (asked, [], "")
    assert jax.config.jax_compilation_cache_dir == before
    assert [*tmp_path.iterdir()] == []


def test_by_default_the_users_cache_folder_is_taken(restored, leaving, tmp_path):
    environment = {"XDG_CACHE_HOME": str(tmp_path)}
    settings.keep_on_disk(environment)
    ((_, bench),) = leaving
    assert bench.shelf.parent == tmp_path / "ntkexec" / "code"
    assert jax.config.jax_compilation_cache_dir == str(bench.folder)


def test_where_jax_has_started_it_is_told_and_else_it_reads_the_environment(
    restored, leaving, tmp_path
):
    environment = {"NTKEXEC_CACHE": str(tmp_path / "new")}
    settings.keep_on_disk(environment)
    ((_, bench),) = leaving
    wanted = [str(bench.folder), 0.0, -1, "none"]
    assert [getattr(jax.config, name) for name in restored] == wanted
    code = f"import jax; print([getattr(jax.config, name) for name in {restored}])"
    found = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True
    )
    assert found.stdout.strip() == str(wanted)


@pytest.mark.parametrize("asked", [True, False])
def test_trouble_is_an_error_where_a_folder_was_named_and_else_a_warning(
    asked, leaving, tmp_path, caplog
):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        environment = {"NTKEXEC_CACHE" if asked else "XDG_CACHE_HOME": str(folder)}
        before = dict(environment)
        caplog.clear()
        if asked:
            with pytest.raises(NtkexecError, match="NTKEXEC_CACHE: cannot keep code in"):
                settings.keep_on_disk(environment)
            assert caplog.text == ""
        else:
            settings.keep_on_disk(environment)
            (said,) = caplog.messages
            assert said.startswith("compiled code is not kept (NTKEXEC_CACHE=0 asks for that): ")
        assert (environment, leaving) == (before, [])


def test_a_home_that_cannot_be_written_is_a_warning(leaving, monkeypatch, tmp_path, caplog):
    # Not by permissions: tests may run as a user whom none stop.
    def refuse(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(tmp_path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    settings.keep_on_disk({"XDG_CACHE_HOME": str(tmp_path)})
    assert "Read-only file system" in caplog.text
    assert leaving == []


@pytest.mark.parametrize(
    "environment",
    [
        {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"},
        {"XLA_FLAGS": f"{settings.SOONER} --xla_force_host_platform_device_count=16"},
        {"JAX_NUM_CPU_DEVICES": "4"},
    ],
)
def test_no_code_of_several_devices_of_a_cpu_is_kept(tmp_path, leaving, environment):
    environment = environment | {"NTKEXEC_CACHE": str(tmp_path)}
    before = dict(environment)
    with pytest.raises(NtkexecError, match="several devices of a CPU"):
        settings.keep_on_disk(environment)
    assert (environment, leaving) == (before, [])


def test_code_of_one_device_of_a_cpu_is_kept(restored, tmp_path):
    environment = {
        "NTKEXEC_CACHE": str(tmp_path),
        "XLA_FLAGS": "--xla_force_host_platform_device_count=1",
        "JAX_NUM_CPU_DEVICES": "1",
    }
    settings.keep_on_disk(environment)
    assert environment["JAX_COMPILATION_CACHE_DIR"].startswith(str(tmp_path))


def test_a_full_disk_is_told_once_when_the_process_ends(restored, leaving, tmp_path, caplog):
    settings.keep_on_disk({"NTKEXEC_CACHE": str(tmp_path)})
    leave, bench = leaving.pop()
    for name in ("a-cache", "b-cache"):
        (bench.folder / name).write_bytes(b"")
    leave(bench)
    (said,) = caplog.messages
    assert said.startswith("2 pieces of compiled code were not kept in")
    assert kept_code.sizes(tmp_path / "code") == []


@pytest.mark.slow
def test_a_second_run_takes_compiled_code_from_disk_and_damaged_code_is_made_anew(tmp_path):
    folder = tmp_path / "cache"
    words = ("-W", "error", "-m", "ntkexec", "run", "flooding", "path:3", "--engine", "kernel")
    answers, kept = [], []
    for damaged in (False, False, True):
        if damaged:
            for path, _, _ in [*kept_code.entries(shelf)]:
                path.write_bytes(path.read_bytes()[:-1])
        done = in_subprocess(*words, NTKEXEC_CACHE=str(folder))
        assert (done.returncode, done.stderr) == (0, "")
        answers.append(done.stdout.partition("node  ")[2])
        (shelf,) = (folder / "code").iterdir()
        kept.append({name for _, name, _ in kept_code.entries(shelf)})
    assert answers[0] == answers[1] == answers[2]
    assert kept[0] == kept[1] == kept[2] != set()  # nothing new was compiled, then all of it
    assert shelf.stat().st_mode & 0o077 == 0
