"""Settings of the whole suite: silent rank promotion is an error, and so is every warning."""

import contextlib
import os
import pathlib

import hypothesis
import jax
import pytest
from support.compiler import compile_quickly, hardly_optimising, is_hardly_optimised
from support.memory import forget_if_too_much
from support.shares import Shares

# It has effect before JAX starts.
COMPILES_QUICKLY = compile_quickly(os.environ)
# Nothing comes from the user's cache folder, and nothing goes there; a test of it names its own.
os.environ["NTKEXEC_CACHE"] = "0"

# Compilation makes the first example slow, which says nothing of the property.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True)
hypothesis.settings.load_profile("suite")


def pytest_configure(config):
    config.pluginmanager.register(Shares(binding=COMPILES_QUICKLY), "shares")


@pytest.fixture(autouse=True)
def no_silent_rank_promotion():
    """Broadcasting between ranks must be spelt out; it hides mistakes."""
    with jax.numpy_rank_promotion("raise"):
        yield


@pytest.fixture(scope="module", autouse=True)
def quick_compilation(request):
    """Compiles the programs of some folders at level 0, unless somebody named a level."""
    folder = request.path.parent.relative_to(pathlib.Path(__file__).parent).as_posix()
    quickly = COMPILES_QUICKLY and is_hardly_optimised(folder)
    with hardly_optimising() if quickly else contextlib.nullcontext():
        yield


@pytest.fixture(scope="module", autouse=True)
def bounded_memory():
    """Forgets compiled programs after a file that has left too much in memory."""
    yield
    forget_if_too_much()
