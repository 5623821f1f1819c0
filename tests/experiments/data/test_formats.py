"""Every public format leads to the same graph: written by others' tools, read back by ours."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from support import node_sets

from experiments.data import cornell, find, load
from experiments.data.formats import (
    geom_gcn,
    gnn_benchmark,
    graphsaint,
    heterophilous,
    ogb,
    pickles,
    planetoid,
)
from experiments.data.nodes import NodeData, Split
from ntkexec.errors import ExperimentError


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_planetoids_pickles_of_every_protocol_hold_what_its_archive_holds(tmp_path, protocol):
    made = node_sets.citations()
    node_sets.write_pickles(tmp_path / "planetoid", "cora", made, protocol)
    node_sets.same(load("cora", tmp_path), made)
    node_sets.write_citations(tmp_path / "planetoid/cora.npz", made)
    assert find("cora", tmp_path).name == "cora.npz"
    node_sets.same(load("cora", tmp_path), made)


def test_nodes_that_the_index_leaves_out_have_links_but_neither_features_nor_a_label(tmp_path):
    made = node_sets.citations()
    node_sets.write_pickles(tmp_path, "citeseer", made)
    found = planetoid.read_pickles(tmp_path, "citeseer")
    assert (found.labels == -1).sum() == 2
    (alone,) = (np.flatnonzero(found.labels == -1),)
    assert found.features[alone].nnz == 0
    assert [40, alone[0]] in found.edges.tolist()
    assert not found.splits[0].test[alone].any()
    assert found.num_classes == 3


def test_an_archive_with_features_of_some_nodes_has_zeros_for_the_others(tmp_path):
    made = node_sets.citations()
    given = np.array([5, 3, 400])
    made.features[np.setdiff1d(np.arange(len(made.labels)), given)] = 0
    x = sparse.csr_matrix(made.features[given])
    path = tmp_path / "planetoid/pubmed_partial.npz"
    node_sets.write_citations(path, made)
    parts = dict(np.load(path)) | {f"x_{n}": getattr(x, n) for n in ("data", "indices", "indptr")}
    np.savez(path, **parts | {"x_shape": x.shape, "feat_nodes": given})
    found = load("pubmed-partial", tmp_path)
    node_sets.same(found, made)
    assert "only 3 of 527 nodes have features" in found.note


@pytest.mark.parametrize("indices", [False, True])
def test_geom_gcns_dump_holds_what_the_archive_holds(tmp_path, indices):
    made = node_sets.graph()
    node_sets.write_dump(tmp_path / "geom-gcn", "film", made, indices=indices)
    node_sets.same(load("actor", tmp_path), made)
    node_sets.write_archive(tmp_path / "heterophilic/actor.npz", made)
    assert find("actor", tmp_path).name == "actor.npz"
    node_sets.same(load("actor", tmp_path), made)


def test_citations_with_ten_splits_leave_out_nodes_without_a_class(tmp_path):
    made = node_sets.citations()
    node_sets.write_pickles(tmp_path / "geom-gcn/data", "citeseer", made)
    made.splits = node_sets.graph(3, len(made.labels)).splits
    node_sets.write_splits(tmp_path / "geom-gcn", "citeseer", made)
    made.splits = [tuple(part & (made.labels >= 0) for part in parts) for parts in made.splits]
    node_sets.same(load("citeseer-ten-splits", tmp_path), made)


def test_coauthor_and_amazon_are_read_without_their_pickled_names(tmp_path):
    made = node_sets.graph(splits=0)
    node_sets.write_benchmark(tmp_path / "gnn-benchmark/ms_academic_cs.npz", made)
    node_sets.same(load("coauthor-cs", tmp_path), made)


@pytest.mark.parametrize("lists", [False, True])
def test_graphsaints_folder_is_read(tmp_path, lists):
    made = node_sets.graph(splits=1)
    node_sets.write_saint(tmp_path / "flickr", made, lists=lists)
    node_sets.same(load("flickr", tmp_path), made)


@pytest.mark.parametrize("packed", [False, True])
def test_ogbs_tables_are_read_compressed_or_not(tmp_path, packed):
    made = node_sets.graph(splits=1)
    node_sets.write_ogb(tmp_path / "ogbn_arxiv", "time", made, packed=packed)
    node_sets.same(load("ogbn-arxiv", tmp_path), made)


def test_sparse_features_stay_sparse(tmp_path):
    made = node_sets.citations()
    node_sets.write_pickles(tmp_path, "cora", made)
    assert sparse.issparse(planetoid.read_pickles(tmp_path, "cora").features)
    node_sets.write_benchmark(tmp_path / "a.npz", made)
    assert sparse.issparse(gnn_benchmark.read(tmp_path / "a.npz", "a").features)


# Pickles that do harm, or want to.


class Harm:
    def __init__(self, call, *args):
        self.call = (call, args)

    def __reduce__(self):
        return self.call


def harmful(tmp_path):
    """What somebody could put into such a file; each would leave or change something if it were run."""
    import os
    import subprocess

    mark = str(tmp_path / "mark")
    for call in (
        Harm(os.system, f"touch {mark}"),
        Harm(subprocess.getoutput, f"touch {mark}"),
        Harm(eval, f"open({mark!r}, 'w')"),
        Harm(open, mark, "w"),
        Harm(getattr, [], "append"),
        Harm(np.save, mark, np.zeros(1)),
        Harm(np.memmap, mark, "u1", "w+", 0, (1,)),
        Harm(sparse.save_npz, mark, sparse.eye(1)),
    ):
        for protocol in (0, 2, 4):
            yield pickle.dumps(call, protocol)
            yield pickle.dumps({1: [2, call]}, protocol)
    # An array of objects, whose entries are pickled within it.
    yield pickle.dumps(np.array([Harm(os.system, f"touch {mark}")], object), 2)
    yield b"cposix\nsystem\n."
    yield b"c__builtin__\neval\n(S'1'\ntR."
    yield b"\x80\x04\x8c\x05numpy\x8c\x0bcore.system\x93."
    # A persistent identity, an extension's code, and attributes of what the reader gives out.
    yield b"Pmark\n."
    yield b"\x82\x01."
    yield b"c__builtin__\nlist\n(dS'append'\nNsb."
    yield b"cnumpy.core.multiarray\n_reconstruct\nN(dS'__setstate__'\nNst\x86b."


def test_a_hostile_pickle_is_refused_and_nothing_of_it_is_run(tmp_path):
    path = tmp_path / "ind.cora.graph"
    for content in harmful(tmp_path):
        path.write_bytes(content)
        with pytest.raises(ExperimentError, match=r"ind\.cora\.graph"):
            planetoid._links(path)
        assert not (tmp_path / "mark").exists()


def test_a_refusal_names_what_the_pickle_would_have_called(tmp_path):
    path = tmp_path / "ind.cora.x"
    path.write_bytes(pickle.dumps(Harm(eval, "1"), 2))
    with pytest.raises(
        ExperimentError, match=r"ind\.cora\.x asks for '.*eval', which no array needs"
    ):
        pickles.unpickled(path)


def test_one_file_cannot_change_how_the_next_is_read(tmp_path):
    made = node_sets.citations()
    node_sets.write_pickles(tmp_path, "cora", made)
    bad = tmp_path / "bad"
    # Would set attributes of the stand-ins that it is given, as a pickle may.
    bad.write_bytes(
        b"\x80\x02](c_codecs\nencode\nN}X\x0c\x00\x00\x00__defaults__NX\x00\x00\x00\x00\x86s\x86be."
    )
    with pytest.raises(ExperimentError, match="sets attributes of a function"):
        pickles.unpickled(bad)
    node_sets.same(planetoid.read_pickles(tmp_path, "cora"), made)


def test_ten_bytes_cannot_ask_for_all_memory(tmp_path):
    path = tmp_path / "ind.cora.x"
    for content in (
        b"\x80\x02Nr\xff\xff\xff\x7f.",
        b"\x80\x02B\xff\xff\xff\x7fx.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x0fx.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x0fN.",
    ):
        path.write_bytes(content)
        with pytest.raises(ExperimentError, match=r"ind\.cora\.x"):
            planetoid._features(path)


# Cornell and Texas.


def mixed_up(links=cornell.NUM_LINKS, sizes=cornell.TEXAS_CLASSES):
    made = node_sets.graph(1, cornell.NUM_NODES)
    made.labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    made.links = set(sorted(made.links)[:links])
    return made


def test_a_cornell_whose_nodes_are_texass_is_told_in_words(tmp_path, caplog):
    made = mixed_up()
    node_sets.write_dump(tmp_path / "geom-gcn", "cornell", made)
    with pytest.raises(ExperimentError, match=r"is not cornell: .* those of Texas.*corrected"):
        load("cornell", tmp_path)
    assert not caplog.records
    found = load("cornell-geomgcn", tmp_path)
    node_sets.same(found, made)
    assert found.note == cornell.NOTE
    assert cornell.NOTE in caplog.text
    node_sets.write_archive(tmp_path / "heterophilic/cornell.npz", made)
    with pytest.raises(ExperimentError, match=r"cornell\.npz is not cornell"):
        load("cornell", tmp_path)


def test_other_graphs_are_not_told_so(tmp_path):
    for made in (mixed_up(links=279), mixed_up(sizes=(16, 17, 30, 38, 82))):
        node_sets.write_archive(tmp_path / "heterophilic/cornell.npz", made)
        assert load("cornell", tmp_path).note == ""
        node_sets.write_archive(tmp_path / "heterophilic/cornell_geomgcn_old.npz", made)
        with pytest.raises(ExperimentError, match="is not the Cornell of Geom-GCN's snapshot"):
            load("cornell-geomgcn", tmp_path)


# What a graph must be.


def test_a_graph_refuses_what_is_none():
    mask = np.array([True, False, False])
    split = Split(mask, ~mask, np.zeros(3, bool))
    whole = {
        "name": "a",
        "features": np.zeros((3, 2), np.float32),
        "labels": np.array([0, 1, -1]),
        "edges": np.array([[0, 1], [1, 2]]),
        "splits": (split,),
    }
    assert NodeData(**whole).num_classes == 2
    for entry, wrong, said in (
        ("features", np.zeros((3, 2)), "float32 features"),
        ("features", np.zeros((2, 2), np.float32), r"of shape \(3, F\)"),
        ("labels", np.array([0, 1, -2]), "label -2"),
        ("labels", np.array([0.0, 1, 2]), "int64 labels"),
        ("edges", np.array([[0, 1], [2, 1]]), r"the edge \(2, 1\)"),
        ("edges", np.array([[1, 1]]), "once, as u < v"),
        ("edges", np.array([[0, 1], [1, 2], [0, 1]]), "an edge twice"),
        ("edges", np.array([[0, 3]]), "beyond its nodes 0 to 2"),
        ("edges", np.array([0, 1]), "edges of shape"),
        ("splits", (Split(mask[:2], mask[:2] < 0, mask[:2] < 0),), "a split of 2"),
    ):
        with pytest.raises(ExperimentError, match=said):
            NodeData(**whole | {entry: wrong})
    with pytest.raises(ExperimentError, match="1 nodes in two of its parts, such as 0"):
        Split(mask, mask, np.zeros(3, bool))
    with pytest.raises(ExperimentError, match="validation nodes must be 3 booleans"):
        Split(mask, mask[:2], mask)


# Files that do not fit, by words; test_damage has those that are damaged at random.


def test_what_does_not_fit_is_named(tmp_path):
    def archive(**parts):
        path = tmp_path / "heterophilic/texas.npz"
        node_sets.write_archive(path, node_sets.graph())
        kept = {
            name: array
            for name, array in (dict(np.load(path)) | parts).items()
            if array is not None
        }
        np.savez(path, **kept)
        return "texas"

    number = 12
    for parts, said in (
        ({"edges": None}, r"has no array 'edges'; it has node_features"),
        ({"edges": np.array([[0, number]])}, r"names the node 12; there are 0 to 11"),
        ({"edges": np.zeros((3, 3), int)}, "pairs of whole numbers"),
        ({"edges": np.array([[0.5, 1]])}, "pairs of whole numbers, got float64"),
        ({"node_labels": np.full(number, 10**6)}, "holds 1000000, which is no class of 12 nodes"),
        ({"node_labels": np.full(number, -2)}, "holds -2"),
        ({"node_labels": np.array([], int)}, "is empty"),
        ({"node_features": np.full((number, 2), np.inf)}, "not finite"),
        ({"node_features": np.zeros((number + 1, 2))}, "must have 12 rows, got 13"),
        ({"node_features": np.array([None] * number)}, "its array 'node_features': .*allow_pickle"),
        ({"train_masks": np.ones((10, number), bool)}, "split 0 .* nodes in two"),
        ({"val_masks": np.ones((9, number), bool)}, r"val_masks .* \(splits, 12\)"),
    ):
        name = archive(**parts)
        with pytest.raises(ExperimentError, match=said) as found:
            load(name, tmp_path)
        assert "texas.npz" in str(found.value)


READERS = (
    planetoid.read_npz,
    planetoid.read_pickles,
    heterophilous.read,
    geom_gcn.read,
    gnn_benchmark.read,
    graphsaint.read,
    ogb.read,
)


@pytest.mark.parametrize(
    "reader", READERS, ids=lambda r: f"{r.__module__.split('.')[-1]}.{r.__name__}"
)
def test_a_reader_of_what_is_not_there_names_it(tmp_path, reader):
    with pytest.raises(ExperimentError, match="no such file"):
        reader(tmp_path / "nothing", "name")
