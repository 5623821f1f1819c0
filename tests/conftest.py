"""Settings of the whole suite: silent rank promotion is an error, and so is every warning."""

import gc
import os
import pathlib

import hypothesis
import jax
import pytest

from ntkexec.runtime import compilation
from ntkexec.runtime.settings import compile_sooner

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


# Compiled programs pile up, to five gigabytes a worker and more; forgetting them after every file
# would compile much again.
MOST_RESIDENT = 3 << 30


def resident_bytes() -> int:
    """Memory of this process, where the system tells; 0 elsewhere."""
    statm = pathlib.Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0


@pytest.fixture(scope="module", autouse=True)
def bounded_memory():
    """Forgets compiled programs after a file that has left too much in memory."""
    yield
    if resident_bytes() > MOST_RESIDENT:
        compilation.clear()
        gc.collect()
