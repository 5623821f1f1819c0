"""The suite compiles quickly, by flags that this XLA has, unless somebody names a level."""

import os

import jax
import pytest
from jax._src.compiler import get_compile_options
from support.commands import in_subprocess
from support.compiler import (
    QUICKLY,
    compile_quickly,
    hardly_optimising,
    is_known,
    is_short,
    levels_by_length,
)

from ntkexec import executor, pipeline
from ntkexec.executor import loop
from ntkexec.runtime import compilation

SETTING = "jax_disable_most_optimizations"


def test_flags_that_this_xla_has_are_added_to_those_of_the_user():
    environment = {"XLA_FLAGS": "--xla_dump_to=x"}
    assert compile_quickly(environment)
    first, *others = environment["XLA_FLAGS"].split()
    assert first == "--xla_dump_to=x"
    assert {flag[2:].split("=")[0] for flag in others} == {
        name for name in QUICKLY if is_known(name)
    }
    assert "--xla_backend_optimization_level=1" in others
    assert not is_known("xla_backend_pessimisation_level")  # it would abort


def test_a_level_that_is_named_stays_with_all_else():
    environment = {"XLA_FLAGS": "--xla_backend_optimization_level=2"}
    assert not compile_quickly(environment)
    assert environment == {"XLA_FLAGS": "--xla_backend_optimization_level=2"}


def test_a_block_is_compiled_at_level_zero_and_afterwards_as_before():
    def level():
        options = get_compile_options(num_replicas=1, num_partitions=1)
        return options.executable_build_options.debug_options.xla_backend_optimization_level

    with hardly_optimising(False):
        before = level()
        with hardly_optimising():
            assert level() == 0
        assert level() == before > 0


def test_the_setting_is_taken_back_after_a_failure():
    before = jax.config.read(SETTING), os.environ.get(SETTING.upper())
    for hardly in (True, False):
        with pytest.raises(ZeroDivisionError), hardly_optimising(hardly):
            raise ZeroDivisionError
        assert (jax.config.read(SETTING), os.environ.get(SETTING.upper())) == before


def level_of_the_loop(num_steps):
    """The level at which an execution of that many steps is compiled."""
    found = []
    original = compilation.call

    def call(function, *args, **static):
        if function is loop._run:
            found.append(jax.config.read(SETTING))
        return original(function, *args, **static)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compilation, "call", call)
        with levels_by_length():
            instance = pipeline.prepare("flooding", "path:3", message="1")
            certificate = pipeline.certify(instance.program, num_decisions=10**6)
            engine = pipeline.make_engine("kernel", certificate)
            executor.execute(engine, instance.program, instance.graphs, num_steps=num_steps)
    return found


def test_short_executions_alone_are_compiled_at_level_zero():
    assert level_of_the_loop(3) == [True]
    assert level_of_the_loop(20_000) == [False]
    assert is_short(len, ()) is None


def test_processes_that_are_started_compile_as_this_one():
    source = f"import jax; print(jax.config.read({SETTING!r}))"
    for hardly in (True, False):
        with hardly_optimising(hardly):
            assert in_subprocess("-c", source, **os.environ).stdout == f"{hardly}\n"
