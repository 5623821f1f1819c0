"""Compiled code is made once, and kept between processes only where somebody asks."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from ntkexec.runtime import compilation


def double(x):
    return 2 * x


def test_a_shape_is_compiled_once():
    compilation.clear()
    first, seconds, _ = compilation.call(double, jnp.ones(3))
    assert seconds > 0
    assert first.tolist() == [2, 2, 2]
    assert compilation.call(double, jnp.zeros(3))[1] == 0
    assert compilation.call(double, jnp.zeros(4))[1] > 0


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
    assert compilation.cache_folder(environment) == folder


def test_without_a_folder_no_setting_changes():
    before = jax.config.jax_compilation_cache_dir
    compilation.keep_on_disk(None)
    assert jax.config.jax_compilation_cache_dir == before


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
