"""Settings of the whole suite: silent rank promotion is an error, and so is every warning."""

import contextlib
import gc
import os

import hypothesis
import jax
import pytest
from support.compiler import compile_quickly, hardly_optimising, levels_by_length
from support.memory import forget_if_too_much
from support.shares import Shares

from ntkexec.cli import garbage

# It has effect before JAX starts.
COMPILES_QUICKLY = compile_quickly(os.environ)
# Nothing comes from the user's cache folder, and nothing goes there; a test of it names its own.
os.environ["NTKEXEC_CACHE"] = "0"

# As in a command: imports, and what JAX traces, make millions of objects that stay.
gc.set_threshold(garbage.SELDOM)

# Compilation makes the first example slow, which says nothing of the property.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True)
hypothesis.settings.load_profile("suite")


def pytest_configure(config):
    config.pluginmanager.register(Shares(binding=COMPILES_QUICKLY), "shares")


def pytest_collection_finish(session):
    """What was imported stays, and is not looked at whenever garbage is collected."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def no_silent_rank_promotion():
    """Broadcasting between ranks must be spelt out; it hides mistakes.

    In fixtures of any scope too: under another setting JAX would trace and compile anew.
    """
    with jax.numpy_rank_promotion("raise"):
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_compilation():
    """Level 0 for all that does not run for long, unless somebody named a level."""
    with contextlib.ExitStack() as stack:
        if COMPILES_QUICKLY:
            stack.enter_context(hardly_optimising())
            stack.enter_context(levels_by_length())
        yield


@pytest.fixture(scope="module", autouse=True)
def bounded_memory():
    """Forgets compiled programs after a file that has left too much in memory."""
    yield
    forget_if_too_much()
