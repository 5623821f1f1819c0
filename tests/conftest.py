"""Settings of the whole suite: silent rank promotion is an error, and so is every warning."""

import os

import hypothesis
import jax
import pytest

from ntkexec.cli.app import compile_sooner

# The suite compiles as the command line does; it has effect before JAX starts.
compile_sooner(os.environ)

# Compilation makes the first example slow, which says nothing of the property.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True)
hypothesis.settings.load_profile("suite")


@pytest.fixture(autouse=True)
def no_silent_rank_promotion():
    """Broadcasting between ranks must be spelt out; it hides mistakes."""
    with jax.numpy_rank_promotion("raise"):
        yield
