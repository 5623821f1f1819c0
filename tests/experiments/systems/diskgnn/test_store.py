"""Files of features: every page counted, memory that refuses, what is cut or hostile named."""

import errno
import os
import tempfile

import numpy as np
import pytest

from experiments.systems.diskgnn import (
    FeatureStore,
    Memory,
    neighbours_of,
    open_graph,
    pack,
    pages,
    sample_offline,
)
from experiments.systems.diskgnn.memory import MemoryBudgetError
from experiments.systems.diskgnn.pages import PAGE, in_memory, kernel_bytes
from ntkexec.errors import ExperimentError

GENERATOR = np.random.default_rng(0)
PLENTY = 1 << 24


def features(nodes=300, width=100):
    return GENERATOR.normal(size=(nodes, width)).astype(np.float32)


@pytest.mark.parametrize(
    ("width", "header"),
    [(128, False), (100, False), (128, True), (3703, True), (1, True)],
    ids=["aligned", "straddling", "behind a header", "longer than a page", "one number"],
)
@pytest.mark.parametrize("direct", [True, False], ids=["direct", "cached"])
def test_rows_are_those_of_the_array_and_pages_those_that_they_touch(
    tmp_path, width, header, direct
):
    x, path, memory = features(150, width), tmp_path / "x.npy", Memory(PLENTY)
    path.write_bytes(x.tobytes())
    if header:
        np.save(path, x)
    shape = None if header else x.shape
    with FeatureStore(path, memory, shape=shape, direct=direct) as store:
        start = path.stat().st_size - x.nbytes
        assert direct or not store.file.direct
        nodes = GENERATOR.permutation(150)[:70]
        assert (store.rows(nodes, height=72) == np.concatenate([x[nodes], x[:2] * 0])).all()
        first = [(start + int(v) * width * 4, start + (int(v) + 1) * width * 4 - 1) for v in nodes]
        assert store.file.pages == sum(last // PAGE - one // PAGE + 1 for one, last in first)
        assert store.file.reads == 70
        # Together: each page once, neighbours by one read.
        pages = {p for one, last in first for p in range(one // PAGE, last // PAGE + 1)}
        store.file.reads = store.file.pages = 0
        found = store.blank(70)
        store.file.take(store.starts(nodes), found, np.arange(70))
        assert (found == x[nodes]).all()
        assert store.file.pages == len(pages)
        assert store.file.reads == sum(page - 1 not in pages for page in pages)
        for parts in (1, 3, 1000):
            store.file.pages = 0
            seen = [(node, rows.copy()) for node, rows in store.stream(parts)]
            assert (np.concatenate([rows for _, rows in seen]) == x).all()
            assert [node for node, _ in seen] == np.cumsum(
                [0, *(len(rows) for _, rows in seen)]
            ).tolist()[:-1]
            assert store.file.pages == -(-(start + x.nbytes) // PAGE)
        assert (store.part(20, 90) == x[20:90]).all()
    del found
    assert memory.held == 0


@pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="a system without direct reads")
@pytest.mark.parametrize("refused", ["opening", "reading"])
def test_a_file_system_without_direct_reads_is_read_through_the_cache(
    tmp_path, monkeypatch, refused
):
    x = features()
    np.save(tmp_path / "x.npy", x)
    opening, reading, flags = os.open, os.preadv, {}

    def opened(path, given, *more):
        if refused == "opening" and given & os.O_DIRECT:
            raise OSError(errno.EINVAL, "no")
        flags[found := opening(path, given, *more)] = given
        return found

    def read(descriptor, *more):
        if flags.get(descriptor, 0) & os.O_DIRECT:
            raise OSError(errno.EINVAL, "no")
        return reading(descriptor, *more)

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "preadv", read)
    before = len(os.listdir("/proc/self/fd"))
    with FeatureStore(tmp_path / "x.npy", Memory(PLENTY)) as store:
        assert not store.file.direct
        assert (store.rows(np.arange(300)) == x).all()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "cached"])
def test_the_kernel_fetches_the_pages_that_are_counted_and_no_other_and_keeps_none(
    tmp_path, direct
):
    if in_memory(tmp_path) or kernel_bytes() is None:
        pytest.skip("a disk, and a kernel that tells what it fetches, are needed")
    x, path = features(3000, 100), tmp_path / "x.npy"
    np.save(path, x)
    descriptor = os.open(path, os.O_RDWR)
    os.fsync(descriptor)
    nodes = GENERATOR.permutation(3000)[:200]
    with FeatureStore(path, Memory(PLENTY), direct=direct) as store:
        if direct and not store.file.direct:
            pytest.skip("this file system refuses direct reads")

        def off(read):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            before, pages = kernel_bytes(), store.file.pages
            read()
            return kernel_bytes() - before - (store.file.pages - pages) * PAGE

        def stream():
            for _ in store.stream(50):
                pass

        def together():
            store.file.take(store.starts(nodes), store.blank(200), np.arange(200))

        for read in (stream, together, lambda: store.rows(np.unique(nodes)[::20])):
            # The least of a few: a page of code may have to be fetched as well.
            assert min(abs(off(read)) for _ in range(3)) == 0
    os.close(descriptor)


def test_a_file_system_in_memory_is_not_read_past(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", features())
    device = (tmp_path / "x.npy").stat().st_dev
    row = f"25 24 {os.major(device)}:{os.minor(device)} / /somewhere rw,relatime - {{}} none rw\n"
    (tmp_path / "mounts").write_text(
        "1 2 0:999 / / rw shared:1 - tmpfs t rw\n" + row.format("tmpfs")
    )
    monkeypatch.setattr(pages, "MOUNTS", tmp_path / "mounts")
    with FeatureStore(tmp_path / "x.npy", Memory(PLENTY)) as store:
        assert not store.file.direct
    (tmp_path / "mounts").write_text(row.format("ext4"))
    assert not in_memory(tmp_path)
    if os.path.ismount("/dev/shm"):
        monkeypatch.undo()
        with tempfile.NamedTemporaryFile(dir="/dev/shm", suffix=".npy") as file:
            np.save(file, features())
            file.flush()
            with FeatureStore(file.name, Memory(PLENTY)) as store:
                assert not store.file.direct


def test_memory_counts_what_is_held_and_refuses_more():
    memory = Memory(3 * PAGE)
    one = memory.array((PAGE,), np.uint8, "one")
    view = memory.array((2, PAGE // 4), np.float32, "two")[1:]
    assert (memory.held, memory.peak) == (3 * PAGE, 3 * PAGE)
    assert one.ctypes.data % PAGE == 0
    with pytest.raises(
        MemoryBudgetError, match=r"a third takes 4,096 bytes, and of the 12,288 .*12,288"
    ):
        memory.array((1,), np.uint8, "a third")
    del one
    assert memory.held == 2 * PAGE  # a view holds all of it
    del view
    assert (memory.held, memory.peak) == (0, 3 * PAGE)
    with pytest.raises(ExperimentError, match="holds nothing"):
        Memory(0)


def test_a_store_larger_than_the_memory_is_read_by_rows_and_refused_whole(tmp_path):
    x = features(1000, 128)
    np.save(tmp_path / "x.npy", x)
    memory = Memory(x.nbytes // 8)
    with FeatureStore(tmp_path / "x.npy", memory) as store:
        for first in range(0, 1000, 50):
            assert (store.rows(np.arange(first, first + 50)) == x[first : first + 50]).all()
        with pytest.raises(MemoryBudgetError, match="allow more"):
            store.rows(np.arange(1000))
        with pytest.raises(ExperimentError, match=r"no node 1000, but 0 to 999"):
            store.rows(np.array([3, 1000]))


def test_files_that_are_cut_or_hostile_are_named(tmp_path):
    x, memory = features(), Memory(PLENTY)
    path = tmp_path / "x.npy"
    np.save(path, x)
    whole = path.read_bytes()
    for size in (0, 5, 60, 128, len(whole) - 1, len(whole) + 1):
        path.write_bytes((whole + b"\0")[:size])
        with pytest.raises(ExperimentError, match=r"x\.npy"):
            FeatureStore(path, memory)
    for wrong in (np.array([[{}]]), x[0], x.T, x.astype(">f4"), x.astype("U3"), x[:0]):
        np.save(path, wrong, allow_pickle=True)
        with pytest.raises(ExperimentError, match=r"x\.npy"):
            FeatureStore(path, memory)
    os.mkfifo(tmp_path / "pipe")
    for other in (tmp_path, tmp_path / "pipe", tmp_path / "none"):
        with pytest.raises(ExperimentError, match="cannot read"):
            FeatureStore(other, memory)
    path.write_bytes(x.tobytes())
    with pytest.raises(ExperimentError, match="120000 bytes, and 301 rows of 400 bytes"):
        FeatureStore(path, memory, shape=(301, 100))
    with FeatureStore(path, memory, shape=x.shape) as store:
        os.truncate(path, 100_000)
        with pytest.raises(ExperimentError, match="cut while it was in use"):
            store.rows(np.arange(300))
        graph = neighbours_of(GENERATOR.integers(300, size=(600, 2)), 300)
        plan = sample_offline(graph, np.arange(200), batch=9, fanouts=(2,), generator=GENERATOR)
        with pytest.raises(ExperimentError, match="cut while it was in use"):
            pack(store, plan, tmp_path / "packed", generator=GENERATOR)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["pipe", "x.npy"]


def test_an_archive_of_the_benchmark_s_layout_is_unpacked_and_damage_named(tmp_path):
    x, raw = features(6, 5), tmp_path / "set" / "raw"
    raw.mkdir(parents=True)
    edges = np.array([[0, 1, 2, 5], [1, 0, 3, 5]])
    np.savez_compressed(raw / "data.npz", edge_index=edges, node_feat=x, num_nodes_list=[6])
    np.savez(raw / "node-label.npz", node_label=np.array([[0], [1], [np.nan], [2], [0], [1]]))
    found = open_graph(tmp_path / "set", tmp_path / "x.npy", Memory(PLENTY))
    with found.store as store:
        assert (store.rows(np.arange(6)) == x).all()
    assert found.labels.tolist() == [0, 1, -1, 2, 0, 1]
    assert found.graph.toarray().nonzero()[0].tolist() == [0, 1, 2, 3]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set", "x.npy"]
    (tmp_path / "x.npy").unlink()
    whole = (raw / "data.npz").read_bytes()
    for name, content in (
        ("data.npz", whole[:-40]),
        ("data.npz", whole.replace(b"node_feat", b"node_feet")),
        ("node-label.npz", whole),
    ):
        kept = (raw / name).read_bytes()
        (raw / name).write_bytes(content)
        with pytest.raises(ExperimentError, match=name):
            open_graph(tmp_path / "set", tmp_path / "x.npy", Memory(PLENTY))
        (raw / name).write_bytes(kept)
        assert [path.name for path in tmp_path.iterdir()] == ["set"]
