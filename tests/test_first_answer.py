"""How much is compiled, and imported, before the first answer of a process."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

import ntkexec
from ntkexec import report
from ntkexec.runtime import compilation

MOST = 3
"""Programs that a run may compile: one that trains, one that executes, and one to spare."""

_compiled = []


def _listen(event, seconds, **_):
    if event == "/jax/core/compile/backend_compile_duration":
        _compiled.append(seconds)


@pytest.fixture(scope="module", autouse=True)
def listener():
    jax.monitoring.register_event_duration_secs_listener(_listen)


def programs_compiled(action):
    """How many programs XLA compiles for what an action does, if none were there before."""
    compilation.clear()
    before = len(_compiled)
    action()
    return len(_compiled) - before


def test_the_count_counts():
    def three():
        for size in (1, 2, 3):
            compilation.call(jnp.tanh, jnp.zeros(size))

    assert programs_compiled(three) >= 3
    # Converting a number of another type is a program too, for whoever does it in JAX.
    numbers = jax.device_put(2)
    assert programs_compiled(lambda: numbers.astype(jnp.float32)) == 1


@pytest.mark.parametrize(
    "program, graph, inputs",
    [
        ("flooding", "path:4", {"message": "1"}),
        pytest.param("flooding", "karate", {}, marks=pytest.mark.slow),
        pytest.param("bfs", "florentine", {}, marks=pytest.mark.slow),
        pytest.param("dfs", "petersen", {}, marks=pytest.mark.slow),
        pytest.param("bellman-ford", "path:4", {}, marks=pytest.mark.slow),
        pytest.param("leader-election", "karate", {}, marks=pytest.mark.slow),
    ],
)
def test_a_run_compiles_one_program_that_trains_and_one_that_executes(program, graph, inputs):
    found = []
    assert programs_compiled(lambda: found.append(ntkexec.run(program, graph, **inputs))) <= MOST
    assert found[0].exact
    assert found[0].ensemble is not None


def test_a_page_compiles_one_more(tmp_path):
    def page():
        report.save(ntkexec.run("bfs", "path:4", trace=True), tmp_path / "page.html")

    assert programs_compiled(page) <= MOST


def test_the_closed_form_compiles_one():
    assert programs_compiled(lambda: ntkexec.run("bfs", "path:4", engine="kernel")) == 1


HEAVY = ("flax", "scipy.optimize", "matplotlib", "pandas", "neural_tangents", "sympy")
SCRIPT = """
import sys
import ntkexec
ntkexec.run("flooding", "path:4", engine="kernel")
print(*[name for name in {heavy!r} if name in sys.modules])
{more}
print(*[name for name in {heavy!r} if name in sys.modules])
"""


def test_a_run_imports_nothing_heavy_that_it_does_not_use():
    more = "from ntkexec.ensemble import TwoLayerNetwork"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(heavy=HEAVY, more=more)],
        capture_output=True,
        text=True,
        check=True,
    )
    without, with_it = done.stdout.splitlines()
    assert without == ""
    assert with_it == "flax"
