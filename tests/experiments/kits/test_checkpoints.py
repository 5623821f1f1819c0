"""Checkpoints and targets: continued as they were left, refused by name, known before the work."""

import os
import stat

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.files.storage import check_writable, load_tensors, save_tree
from experiments.kits.training import train
from ntkexec.errors import ExperimentError


def step(state, index, data):
    return state + data, {"seen": state}


OPTIONS = {"data": jnp.float32(1), "chunk": 2}


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "state.safetensors"
    train(step, jnp.float32(0), 4, checkpoint=path, **OPTIONS)
    return path


def resumed(path, num_steps=6):
    state, history = train(step, jnp.float32(0), num_steps, checkpoint=path, **OPTIONS)
    return float(state), history["seen"].tolist()


def test_a_checkpoint_whose_numbers_were_changed_is_refused(checkpoint):
    content = bytearray(checkpoint.read_bytes())
    content[-1] ^= 1
    checkpoint.write_bytes(content)
    with pytest.raises(ExperimentError, match=r"state\.safetensors is damaged; delete it"):
        resumed(checkpoint)


@pytest.mark.parametrize("done", ["", "x", "-1", "0", "7", "1e3", "9" * 30, "\u0664"])
def test_a_number_of_steps_that_cannot_be_is_refused(checkpoint, done):
    tensors, _ = load_tensors(checkpoint)
    tree = {"state": tensors["state"], "history": {"seen": tensors["history/seen"]}}
    save_tree(checkpoint, tree, done=done)
    with pytest.raises(ExperimentError, match="and 6 are asked for"):
        resumed(checkpoint)


def test_a_history_of_another_length_or_training_is_refused(checkpoint):
    tensors, notes = load_tensors(checkpoint)
    for history in (
        {"seen": tensors["history/seen"][:-1]},
        {"seen": np.float32(1)},
        {"seen": tensors["history/seen"], "more": np.zeros(4)},
        {},
    ):
        save_tree(checkpoint, {"state": tensors["state"], "history": history}, **notes)
        with pytest.raises(ExperimentError, match="holds another history"):
            resumed(checkpoint)


def test_a_target_that_cannot_be_written_is_known_before_the_work(tmp_path):
    check_writable(tmp_path / "new" / "page.html", "the page")
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "page.html", tmp_path / ("x" * 300)):
        with pytest.raises(ExperimentError, match="cannot write the page"):
            check_writable(path, "the page")
    closed = tmp_path / "closed"
    closed.mkdir(mode=stat.S_IRUSR)
    if not os.access(closed, os.W_OK):  # an administrator may write everywhere
        with pytest.raises(ExperimentError, match="closed takes no files"):
            check_writable(closed / "page.html", "the page")
