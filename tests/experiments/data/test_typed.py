"""Typed graphs: each public format is read back as written, and what does not fit is named."""

import os

import numpy as np
import pytest
from support import typed_sets
from support.damage import damage_files

from experiments.data import load, room
from experiments.data.nodes import Split
from experiments.data.typed import TypedGraph
from ntkexec.errors import ExperimentError

DATA = os.environ.get(room.VARIABLE)


def archive(folder):
    typed_sets.write_archive(folder / "heterogeneous/acm.npz", typed_sets.graph())
    return "acm"


def letters(folder):
    typed_sets.write_folder(folder / "HeCo/data/acm", typed_sets.graph())
    return "acm"


def benchmark(folder):
    typed_sets.write_benchmark(folder / "hgb/ACM", typed_sets.graph())
    return "acm-hgb"


FORMATS = (archive, letters, benchmark)


@pytest.fixture(params=FORMATS, ids=lambda write: write.__name__)
def written(request, tmp_path):
    return request.param(tmp_path), tmp_path, [p for p in tmp_path.rglob("*") if p.is_file()]


@pytest.mark.parametrize("write", [archive, letters], ids=lambda write: write.__name__)
def test_hecos_archive_and_folder_hold_the_same(write, tmp_path):
    typed_sets.same(load(write(tmp_path), tmp_path), typed_sets.graph())


def test_the_benchmarks_text_holds_it_under_numbers_with_a_fifth_to_pick_by(tmp_path):
    made = typed_sets.graph()
    found = load(benchmark(tmp_path), tmp_path)
    assert dict(found.num_nodes) == {"0": 12, "1": 9, "2": 4}
    pairs = {relation: list(map(tuple, p.tolist())) for relation, p in found.relations.items()}
    assert pairs == {
        ("0", "0", "1"): sorted(made.links["pa"]),
        ("0", "1", "2"): sorted(made.links["ps"]),
    }
    np.testing.assert_array_equal(found.features["0"], made.features["p"])
    train, validation, test = made.splits[0]
    known = train | validation | test
    assert found.labels.tolist() == np.where(known, made.labels, -1).tolist()
    (split,) = found.splits
    assert split.test.tolist() == test.tolist()
    assert (split.train | split.validation).tolist() == (train | validation).tolist()
    assert split.validation.sum() == int(0.2 * (train | validation).sum())


def test_several_classes_a_node_are_refused_in_words(tmp_path):
    name = benchmark(tmp_path)
    path = tmp_path / "hgb/ACM/label.dat"
    path.write_text(path.read_text().replace("\n", ",2\n", 1))
    with pytest.raises(ExperimentError, match=r"label\.dat, line 1: .* are several classes"):
        load(name, tmp_path)


def test_what_does_not_fit_is_named(tmp_path):
    name = archive(tmp_path)
    path = tmp_path / "heterogeneous/acm.npz"
    before = dict(np.load(path))
    for parts, said in (
        ({"edges_pa": None}, r"has no array 'edges_pa'"),
        ({"edges_pa": np.array([[12, 0]])}, "names the node 12 of type p; there are 0 to 11"),
        ({"edges_pa": np.array([[0, -1]])}, "names the node -1"),
        ({"edges_pa": np.array([[0.0, 1]])}, "pairs of whole numbers, got float64"),
        ({"p_feat_data": None}, "no array 'p_feat_data'"),
        ({"labels": np.zeros(11, int)}, "features of 12 nodes and 11 labels"),
        ({"labels": np.full(12, 99)}, "holds 99, which is no class"),
        ({"val_40": None}, "lacks val_40 of a split that it has in part"),
        ({"test_20": before["train_20"]}, "split of 20 .* nodes in two of its parts"),
        ({"test_20": np.array([12])}, "lists a node beyond 0 to 11"),
    ):
        np.savez(path, **{k: v for k, v in (before | parts).items() if v is not None})
        with pytest.raises(ExperimentError, match=said) as found:
            load(name, tmp_path)
        assert "acm.npz" in str(found.value)


def test_a_typed_graph_refuses_what_is_none():
    mask = np.array([True, False, False])
    whole = {
        "name": "a",
        "num_nodes": {"p": 3, "a": 2},
        "relations": {("p", "pa", "a"): np.array([[0, 0], [0, 1], [2, 0]])},
        "features": {"a": np.zeros((2, 4), np.float32)},
        "target": "p",
        "labels": np.array([0, 1, -1]),
        "splits": (Split(mask, ~mask, np.zeros(3, bool)),),
    }
    made = TypedGraph(**whole)
    assert made.num_classes == 2
    assert made.types == ("p", "a")
    for entry, wrong, said in (
        ("target", "x", "no nodes of its target 'x', but of 'p', 'a'"),
        ("num_nodes", {"p": 3, "a": 0}, "0 nodes of the type 'a'"),
        ("labels", np.array([0, 1]), "labels of its 3 nodes"),
        ("labels", np.array([0, 1, -2]), "label -2"),
        ("features", {"a": np.zeros((3, 4), np.float32)}, "features of 2 nodes of the type 'a'"),
        ("relations", {("p", "px", "x"): np.array([[0, 0]])}, "an end of the type 'x'"),
        (
            "relations",
            {("p", "pa", "a"): np.array([[0, 2]])},
            "beyond the nodes 0 to 1 of the type 'a'",
        ),
        ("relations", {("p", "pa", "a"): np.array([[2, 0], [0, 0]])}, "each pair once, sorted"),
        ("relations", {("p", "pa", "a"): np.zeros((1, 2))}, "needs int64 pairs"),
        ("splits", (Split(mask[:2], mask[:2] < 0, mask[:2] < 0),), "a split of 2"),
    ):
        with pytest.raises(ExperimentError, match=said):
            TypedGraph(**whole | {entry: wrong})


def refused_or_read(name, folder, path):
    try:
        found = load(name, folder)
    except ExperimentError as refusal:
        said = str(refusal)
        assert path.stem.split(".npz")[0] in said or path.parent.name in said, (path, said)
        assert "\n" not in said
        assert len(said) < 1500 + 2 * len(str(folder))
    else:
        assert isinstance(found, TypedGraph)


def test_damaged_files_are_refused_by_name_or_are_another_graph(written):
    for path in written[2]:
        before = path.read_bytes()
        for content in (b"", b"\0" * 100, b"7", b"\xff\xfe", before[: len(before) // 2]):
            path.write_bytes(content)
            refused_or_read(written[0], written[1], path)
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(ExperimentError, match="no regular file"):
            load(written[0], written[1])
        path.unlink()
        path.write_bytes(before)
    damage_files(written, refused_or_read, 0, 40)


@pytest.mark.slow
def test_many_damaged_files_are_refused_by_name_or_are_another_graph(written):
    damage_files(written, refused_or_read, int(os.environ.get("NTKEXEC_FUZZ_SEED", "1")), 2000)


@pytest.mark.skipif(not DATA, reason=f"{room.VARIABLE} names no folder of data sets")
@pytest.mark.parametrize(
    ("name", "sizes", "links", "classes"),
    [
        ("acm", (4019, 7167, 60), (13407, 4019), (1993, 965, 1061)),
        ("dblp", (4057, 14328, 7723, 20), (19645, 85810, 14328), (1197, 745, 1109, 1006)),
        ("freebase", (3492, 33401, 2502, 4459), (65341, 3762, 6414), (1327, 618, 1547)),
    ],
)
def test_real_sets_have_their_published_sizes(name, sizes, links, classes):
    try:
        found = load(name, DATA)
    except room.DataMissingError as missing:
        pytest.skip(str(missing))
    assert tuple(found.num_nodes.values()) == sizes
    assert tuple(len(pairs) for pairs in found.relations.values()) == links
    assert tuple(np.bincount(found.labels)) == classes
    for budget, split in zip((20, 40, 60), found.splits, strict=True):
        assert np.bincount(found.labels[split.train]).tolist() == [budget] * len(classes)
        assert (split.validation.sum(), split.test.sum()) == (1000, 1000)
