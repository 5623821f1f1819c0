"""The suite compiles quickly, by flags that this XLA has, unless somebody names a level."""

from support.compiler import QUICKLY, compile_quickly, is_known


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
