"""Settings of the whole suite: silent rank promotion is an error, and so is every warning."""

import hypothesis
import jax
import pytest

# Compilation makes the first example slow, which says nothing of the property.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True)
hypothesis.settings.load_profile("suite")


@pytest.fixture(autouse=True)
def no_silent_rank_promotion():
    """Broadcasting between ranks must be spelt out; it hides mistakes."""
    with jax.numpy_rank_promotion("raise"):
        yield
