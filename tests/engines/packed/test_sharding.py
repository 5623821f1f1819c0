"""Execution divided among devices, or among processes, equals that on one device."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ntkexec import pipeline
from ntkexec.engines.packed.execution import prepare
from ntkexec.engines.packed.plan import PackedProgram
from ntkexec.engines.packed.sharding import divide
from ntkexec.engines.packed.tables import Tables

SCRIPT = Path(__file__).parents[2] / "support" / "sharded.py"
ROOT = Path(__file__).parents[3]


def start(*arguments):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors[-3000:]
    return json.loads(output.splitlines()[-1])


def test_eight_devices_equal_one():
    found = finish(start("8"))
    assert found["own slots"]["devices"] == 8
    # Pairs of a node and another device that has a neighbour of it, counted one by one.
    instance = pipeline.prepare("flooding", "grid:17x19", message="1")
    words = -(-(17 * 19 // 32 + 1) // 8)
    device = np.arange(17 * 19) // (32 * words)
    edges = zip(instance.graphs.senders.tolist(), instance.graphs.receivers.tolist())
    heard = {(s, device[r]) for s, r in edges if device[s] != device[r]}
    assert found["own slots"]["heard"] == len(heard)
    # Two payload bits in every second step, one word for every pair of devices.
    assert found["own slots"]["bytes"] == 2 * (instance.num_steps // 2) * 8 * 7 * 4
    assert found["any slots"]["bytes"] > found["own slots"]["bytes"] / instance.num_steps * 3


@pytest.mark.slow
def test_two_processes_equal_one_device():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    processes = [start(address, str(index)) for index in range(2)]
    one, other = (finish(process) for process in processes)
    assert one == other
    assert one["own slots"]["devices"] == 4


@pytest.mark.parametrize("num_devices", [1, 2, 3, 8])
def test_every_device_sees_the_neighbours_of_its_nodes(num_devices):
    instance = pipeline.prepare("bfs", "random-bounded:n=150,d=3,seed=0")
    neighbours = prepare(PackedProgram(instance.program), instance.graphs).neighbours
    assert neighbours.slots is not None
    tables = Tables(
        table=np.asarray(neighbours.table.expand()),
        slots=np.asarray(neighbours.slots),
        valid=np.asarray(neighbours.valid),
    )
    divided, border = divide(tables, 150, num_devices)
    table = np.asarray(tables.table).reshape(len(tables.table), -1)
    seen = divided.table.reshape(len(table), -1)
    local = seen.shape[1] // num_devices
    halo = divided.halo.reshape(num_devices, num_devices, -1)
    for node in range(150):
        device = node // local
        for port in range(len(table)):
            place = int(seen[port, node])
            if table[port, node] == 150:
                assert place == local + halo[0].size  # the silent word
            elif place < local:
                assert device * local + place == table[port, node]
            else:
                sender, rank = divmod(place - local, halo.shape[2])
                assert sender != device
                assert sender * local + halo[sender, device, rank] == table[port, node]
    assert border.words * 32 == halo.shape[2]
