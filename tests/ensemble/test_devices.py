"""Several devices and several processes give what one gives."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.ensembles import MIXED, equal_weights, joint, train_at_once

import ntkexec
from ntkexec.ensemble import Ensemble, EnsembleConfig, load, thresholds, train
from ntkexec.program.problem import LearningProblem
from ntkexec.theory.certificate import Certificate
from ntkexec.theory.match_bound import state_bound

PROBLEMS = {"joint": joint(MIXED, padding=1), "factored": LearningProblem(MIXED)}
# Each problem and each way to draw once, or all of both.
EACH = (("joint", "linearised"), ("factored", "trained"))
ALL = (*EACH, ("joint", "trained"), ("factored", "linearised"))
SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
import jax
import ntkexec
from ensemble.test_devices import evaluate_here, train_here
{before}
assert jax.device_count() == {devices}, jax.devices()
train_here({folder!r}, {ensembles!r})
if jax.process_count() == 1:
    evaluate_here({folder!r})
print("done", flush=True)
"""


def train_here(folder, ensembles):
    for name, draw in ensembles:
        problem, config = PROBLEMS[name], EnsembleConfig(members=5, width=64, draw=draw)
        certificate = Certificate(problem, state_bound(problem))
        train(
            problem,
            config,
            directory=Path(folder) / f"{name}-{draw}",
            thresholds=thresholds.running(certificate),
        )


def evaluate_here(folder):
    """Means of a joint ensemble in every state of seven bits."""
    import jax
    import jax.numpy as jnp

    from ntkexec.engines.trained import ensemble_engine
    from ntkexec.executor.encoding import encode

    problem = PROBLEMS["joint"]
    networks = load(Path(folder) / "joint-linearised", problem)
    # 5 x 64 hidden units do not come out even over three devices.
    update = ensemble_engine(networks, Certificate(problem, state_bound(problem)))
    (stack,) = update.stacks
    assert len(stack.hidden.sharding.device_set) == jax.device_count()
    inputs = np.array(np.meshgrid(*[[0, 1]] * 7)).reshape(7, -1).astype(bool)
    states = np.zeros((MIXED.layout.num_bits, inputs.shape[1]), bool)
    states[:7] = inputs
    means = update.means(encode(update.encoding, jnp.asarray(states)))
    np.save(Path(folder) / "means.npy", np.asarray(means))


def start(folder, ensembles, *, devices, before="", total=None):
    environment = os.environ | {
        "PYTHONPATH": str(Path(ntkexec.__file__).parent.parent),
        "XLA_FLAGS": f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={devices}",
        # Programs that come out of the cache lose the order of their collectives.
        "JAX_ENABLE_COMPILATION_CACHE": "false",
    }
    script = SCRIPT.format(
        tests=str(Path(__file__).parent.parent),
        before=before,
        devices=total or devices,
        folder=str(folder),
        ensembles=ensembles,
    )
    return subprocess.Popen(
        [sys.executable, "-c", script],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert out.endswith("done\n")


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """Where ensembles are that one device trained, those that are asked for among them."""
    folder, trained = tmp_path_factory.mktemp("one-device"), set()

    def with_(ensembles):
        train_here(folder, [one for one in ensembles if one not in trained])
        if not trained:
            evaluate_here(folder)
        trained.update(ensembles)
        return folder

    return with_


def same_networks(first, second, ensembles):
    for name, draw in ensembles:
        ours, theirs = (load(f / f"{name}-{draw}", PROBLEMS[name]) for f in (first, second))
        yield all(map(equal_weights, ours.weights, theirs.weights))


@pytest.mark.parametrize(
    "devices, ensembles", [(3, EACH), pytest.param(8, ALL, marks=pytest.mark.slow)]
)
def test_several_devices_train_the_same_networks_and_evaluate_them_alike(
    here, tmp_path, devices, ensembles
):
    finish(start(tmp_path, ensembles, devices=devices))
    assert list(same_networks(here(ensembles), tmp_path, ensembles)) == [True] * len(ensembles)
    ours, theirs = (np.load(folder / "means.npy") for folder in (here(ensembles), tmp_path))
    # Partial sums of 320 terms of size 1 on every device, then their sum: rounding.
    np.testing.assert_allclose(theirs, ours, atol=320 * np.finfo(np.float32).eps)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.slow
def test_two_processes_train_the_same_networks(here, tmp_path):
    port = free_port()
    processes = [
        start(
            tmp_path / str(index),
            ALL,
            devices=2,
            total=4,
            before="jax.config.update('jax_cpu_collectives_implementation', 'gloo')\n"
            f"jax.distributed.initialize('127.0.0.1:{port}', 2, {index})",
        )
        for index in range(2)
    ]
    for process in processes:
        finish(process)
    for index in range(2):
        assert list(same_networks(here(ALL), tmp_path / str(index), ALL)) == [True] * 4


def test_other_networks_are_told_apart(here):
    problem = PROBLEMS["joint"]
    stored = load(here(EACH) / "joint-linearised", problem)
    config = EnsembleConfig(members=5, width=64, draw="linearised", seed=1)
    other = Ensemble(problem, config, train_at_once(problem, config))
    assert not any(map(equal_weights, stored.weights, other.weights))
