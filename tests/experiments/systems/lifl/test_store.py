"""The store, the wire and the gateway's loop, in a thread; shards of clients."""

import contextlib
import dataclasses
import errno
import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from experiments.harness import digest as digests
from experiments.harness.study import NotMeasured
from experiments.systems.lifl import aggregator as aggregators
from experiments.systems.lifl import gateway as gateways
from experiments.systems.lifl import study, wire
from experiments.systems.lifl.shards import client_shards
from experiments.systems.lifl.store import (
    KEY,
    READY,
    UPDATE,
    Key,
    Layout,
    NoSharedMemoryError,
    Store,
    discard,
    unpacked,
)
from experiments.systems.lifl.wire import ANSWERS, HEADER, Address, Notes, Parcel, send_update
from ntkexec.errors import ExperimentError

SECRET = "ab" * 16
SIZE = 1000


def test_a_store_is_one_memory_that_its_maker_alone_unlinks():
    store = Store(Layout("", SIZE, 3, 2, "float32"))
    other = Store(store.layout)
    try:
        regions = [(store.now, store.counts), (store.rows,), *((model,) for model in store.models)]
        for i, one in enumerate(regions):
            for another in regions[i + 1 :]:
                assert not any(np.shares_memory(a, b) for a in one for b in another)
        store.models[4] = np.arange(SIZE)
        assert (other.models[4] == np.arange(SIZE)).all()
        key = Key(2, 7, 5, 1)
        other.publish(key, UPDATE, 2.5)
        assert store.announced(1) == store.announced() == [key]
        assert store.taken(5)
        assert not store.taken(7)
        other.count(1, keys=2, folds=1)
        assert store.counts.sum() == 3
        assert len(key.packed()) == KEY.size == 16
        assert list(unpacked(key.packed() * 2)) == [key, key]
    finally:
        other.close()
        assert Store(store.layout).close() is None  # still there
        store.close()
        store.close()
    with pytest.raises(ExperimentError, match="no shared memory"):
        Store(store.layout)


def test_a_view_outlives_the_store_and_an_unlinked_one_is_closed():
    store = Store(Layout("", SIZE, 1, 1, "float32"))
    view = store.models[1]
    view[:] = 3
    discard(store.layout.name)
    discard(store.layout.name)
    store.close()
    assert not hasattr(store, "models")
    assert (view == 3).all()


def test_memory_is_there_or_refused_and_nothing_of_it_is_left(monkeypatch):
    folder = Path("/dev/shm")
    before = set(os.listdir(folder))
    store = Store(Layout("", 10**6, 3, 1, "float64"))
    assert os.stat(folder / store.layout.name).st_blocks * 512 >= store.layout.offsets[-1]
    store.close()
    with pytest.raises(NoSharedMemoryError, match="for 1048577 models"):
        Store(Layout("", 2**31 - 1, 2**20, 1, "float32"))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(NoSharedMemoryError, match="No space left"):
        Store(Layout("", SIZE, 1, 1, "float32"))
    with pytest.raises(NotMeasured, match="No space left"):
        study.handing(study.TINY, None)
    assert set(os.listdir(folder)) <= before


def test_a_store_that_cannot_be_is_refused():
    for name, value in (("size", 0), ("inputs", 0), ("aggregators", -1), ("dtype", "int8")):
        with pytest.raises(ExperimentError, match="int8" if name == "dtype" else f"store's {name}"):
            dataclasses.replace(Layout("", 1, 1, 1, "float32"), **{name: value})


@pytest.fixture
def node(monkeypatch):
    """A gateway's loop in a thread: its store, its address and the reading end of its mailbox."""
    store = Store(Layout("", SIZE, 2, 1, "float32"))
    monkeypatch.setattr(gateways, "Store", lambda layout: store)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    ours, theirs = socket.socketpair()
    listening = socket.create_server(("127.0.0.1", 0))
    address = Address(*listening.getsockname(), SECRET)
    settings = {
        "layout": store.layout.__dict__,
        "listening": listening.detach(),
        "mailboxes": [writing],
        "poll": None,
        "secret": SECRET,
    }

    def serve():
        with theirs, contextlib.suppress(EOFError):
            gateways.serve_gateway(Notes(theirs), settings)

    thread = threading.Thread(target=serve)
    thread.start()
    notes = Notes(ours)
    assert notes.read() == [{"ready": True}]
    notes.send({"begin": 3})
    assert notes.read()[0]["said"] == {"begin": 3}
    yield store, address, (reading, writing)
    ours.close()
    thread.join()
    for end in (reading, writing):
        os.close(end)
    store.close()


def send(address, model, **changes):
    given = {"weight": 2.0, "ident": 4, "target": 0, "round_number": 3, "patience": 0.0, **changes}
    return send_update(address, model, **given)


def test_a_model_comes_to_lie_in_the_store_and_sixteen_bytes_say_so(node):
    store, address, (reading, _) = node
    model = np.random.default_rng(0).normal(size=SIZE).astype(np.float32)
    assert send(address, model) == HEADER.size + model.nbytes
    (key,) = unpacked(os.read(reading, 4096))
    assert key == (0, 3, 4, 0)
    assert (store.models[key.slot] == model).all()
    assert (store.rows[0]["weight"], store.rows[0]["kind"]) == (2.0, UPDATE)
    both = HEADER.size + model.nbytes + ANSWERS
    assert store.counts[0].tolist() == [1, both, 0, 0, 1, KEY.size, 0]
    # Sent again, it is not stored again; a second one fits, a third does not.
    assert send(address, -model) == HEADER.size
    assert (store.models[0] == model).all()
    send(address, model, ident=5)
    with pytest.raises(ExperimentError, match="store is full"):
        send(address, model, ident=6)


def test_what_does_not_belong_is_refused_in_words_and_leaves_its_place_free(node):
    store, address, _ = node
    model = np.zeros(SIZE, np.float32)
    for why, given, changes in (
        ("size or type", model[1:], {}),
        ("size or type", model.astype(np.float64), {}),
        ("round is not", model, {"round_number": 2}),
        ("weight is not", model, {"weight": -1.0}),
        ("weight is not", model, {"weight": float("nan")}),
        ("weight is not", model, {"weight": 1e-46}),
        ("weight is not", model, {"weight": 1e39}),
        ("ident is a whole number", model, {"ident": -1}),
        ("target is a whole number", model, {"target": 2**32}),
        ("patience is a finite", model, {"patience": float("nan")}),
        ("update 4 is a MaskedArray", np.ma.masked_array(model, mask=model > 0), {}),
        ("not finite", np.full(SIZE, np.inf, np.float32), {}),
        ("no such aggregator", model, {"target": 1}),
        ("secret", model, {"address": dataclasses.replace(address, secret="00" * 16)}),
        ("are of float32 or float64", model.astype(int), {}),
    ):
        with pytest.raises(ExperimentError, match=why):
            send(changes.pop("address", address), given, **changes)
    assert wire.parcel_of(b"\0" * HEADER.size, "00" * 16) == wire.NO_UPDATE
    odd = HEADER.pack(b"LIFL", 0, 0, 3, 4, 0, 0, 1.0, 4001, bytes.fromhex(SECRET))
    assert wire.parcel_of(odd, SECRET) == wire.SIZE
    assert SECRET not in repr(address)
    # One that ends in the middle.
    header = Parcel(3, 4, 0, UPDATE, 1.0, SIZE, "float32").packed(SECRET)
    with socket.create_connection((address.host, address.port)) as torn:
        torn.sendall(header)
        assert torn.recv(1)[0] == wire.GO
        torn.sendall(b"\0" * 100)
    for ident in (4, 5):  # both places are free for whole ones
        send(address, model, ident=ident, patience=30.0)
    assert (store.rows["state"][:2] == READY).all()


def test_strangers_who_say_nothing_are_closed_and_keep_nobody_out(node, monkeypatch):
    store, address, _ = node
    where = address.host, address.port
    monkeypatch.setattr(gateways, "MOST_CONNECTIONS", 3)
    monkeypatch.setattr(gateways, "HEADER_SECONDS", 60.0)
    model = np.zeros(SIZE, np.float32)
    with contextlib.ExitStack() as opened:
        idle = [opened.enter_context(socket.create_connection(where)) for _ in range(6)]
        send(address, model, patience=30.0)
        assert idle[0].recv(1) == b""
    monkeypatch.setattr(gateways, "HEADER_SECONDS", 0.01)
    with socket.create_connection(where, timeout=30.0) as late:
        assert late.recv(1) == b""
    send(address, model, ident=5, patience=30.0)
    assert (store.rows["state"][:2] == READY).all()


def test_a_full_mailbox_stops_no_gateway_and_its_reader_finds_all_in_the_store(node):
    store, address, (_, writing) = node
    other = Key(1, 3, 7, 0)
    while other.write(writing):
        pass
    send(address, np.ones(SIZE, np.float32))
    assert store.counts[0].tolist()[-3:] == [1, 0, 0]
    settings = {"layout": store.layout.__dict__, "index": 0, "mailboxes": []}
    worker = aggregators._Worker(None, settings)
    worker.look(other.packed() * (aggregators.MAILBOX // KEY.size))
    assert set(worker.come) == {7, 4}


def test_nobody_who_does_not_listen_is_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = Address(*gone.getsockname(), SECRET)
    with pytest.raises(ExperimentError, match="does not answer"):
        send(address, np.zeros(3, np.float32))


def test_notes_come_whole_whatever_the_pieces_and_never_too_long():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        notes = Notes(theirs)
        Notes(ours).send({"a": 1})
        raw = theirs.recv(100)
        ours.sendall(raw[:5])
        assert notes.read() == []
        ours.sendall(raw[5:] + raw)
        assert notes.read() == [{"a": 1}, {"a": 1}]
        ours.sendall(raw + raw)
        assert notes.first() == {"a": 1}
        assert notes.read() == [{"a": 1}]
        assert notes.counted == {"notes": 3, "note_bytes": 3 * len(raw)}
        with pytest.raises(ExperimentError, match="longer than"):
            notes.send({"a": "b" * wire.LONGEST_NOTE})
        ours.sendall(struct.pack("<I", wire.LONGEST_NOTE + 1))
        with pytest.raises(ExperimentError, match="longer than"):
            notes.read()


def test_shards_are_read_by_name_and_what_is_none_is_refused(tmp_path):
    with pytest.raises(ExperimentError, match=r"no \.npz"):
        client_shards(tmp_path)
    for name, number in (("f01", 3), ("f00", 2)):
        x = np.ones((number, 28, 28), np.float32)
        np.savez(tmp_path / f"{name}.npz", x=x, y=np.arange(number))
    found = client_shards(tmp_path)
    assert [(shard.client, shard.weight, shard.x.shape) for shard in found] == [
        ("f00", 2.0, (2, 28, 28)),
        ("f01", 3.0, (3, 28, 28)),
    ]
    x = np.ones((2, 28, 28), np.float32)
    for why, arrays in (
        ("no array 'y'", {"x": x}),
        ("belongs to each", {"x": x, "y": np.arange(3)}),
        ("not finite", {"x": x * np.nan, "y": np.arange(2)}),
        ("not numbers and classes", {"x": x, "y": np.ones(2)}),
        ("and f00 of", {"x": x[:, 1:], "y": np.arange(2)}),
        ("cannot read", {"x": x, "y": np.array([{}, {}], object)}),
    ):
        np.savez(tmp_path / "f02.npz", **arrays)
        with pytest.raises(ExperimentError, match=why):
            client_shards(tmp_path)


def test_a_result_is_named_by_the_code_of_its_processes_too(monkeypatch):
    found = {}
    monkeypatch.setattr(digests, "digest", found.update)
    digests.code_digest(study.STUDIES.functions["rounds"])
    digests.code_digest(study.STUDIES.functions["handing"])
    for reached in (
        "children.serve_alone",
        "gateway.serve_gateway",
        "aggregator.serve_aggregator",
        "planes.serve_receiver",
        "planes.serve_broker",
    ):
        assert f"experiments.systems.lifl.{reached}" in found


def test_what_the_processes_load_has_no_jax_in_it():
    modules = "aggregator, gateway, planes"
    code = (
        f"import sys\nfrom experiments.systems.lifl import {modules}\nprint('jax' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
