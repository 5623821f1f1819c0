"""The suite compiles quickly, by flags that this XLA has, unless somebody names a level."""

import jax
import pytest
from jax._src.compiler import get_compile_options
from support.compiler import (
    HARDLY_OPTIMISED,
    QUICKLY,
    compile_quickly,
    hardly_optimising,
    is_hardly_optimised,
    is_known,
)
from support.shares import TESTS

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

    before = level()
    with hardly_optimising():
        assert level() == 0
    assert level() == before > 0


def test_the_setting_is_taken_back_after_a_failure():
    with pytest.raises(ZeroDivisionError), hardly_optimising():
        raise ZeroDivisionError
    assert not jax.config.read(SETTING)


def test_folders_at_level_zero_are_there_and_those_that_run_for_long_are_none_of_them():
    assert all((TESTS / folder).is_dir() for folder in HARDLY_OPTIMISED)
    assert is_hardly_optimised("engines/packed")
    assert not is_hardly_optimised("programs/graph")
    assert not is_hardly_optimised(".")
