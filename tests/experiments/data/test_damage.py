"""Files of data sets, damaged: each is refused by its name, or read as some graph; never a traceback."""

import os

import numpy as np
import pytest
from support import interaction_sets, node_sets
from support.damage import damage_files

from experiments.data import load
from experiments.data.formats import arrays
from experiments.data.formats.cifar import PictureSet
from experiments.data.formats.mnist import DigitSet
from experiments.data.interactions import Interactions
from experiments.data.nodes import NodeData
from experiments.data.rows.pictures import SAMPLE
from ntkexec.errors import ExperimentError

CORPUS = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a number": b"7",
    "blanks": b" \n\t\n",
    "no UTF-8": b"\xff\xfe",
    "zeros": b"\0" * 100,
    "deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "digits": b"1" * 10_000,
    "an archive without end": b"PK\x03\x04" + b"\0" * 60,
    "an archive of nothing": b"PK\x05\x06" + b"\0" * 18,
    "an array of 10^15 numbers": b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, "
    b"'shape': (1000000000000000,), }" + b" " * 43 + b"\n",
    "compressed zeros": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
    "a pickle of nothing": b"\x80\x02N.",
    "a pickle of a number": b"\x80\x02K\x01.",
    "a pickle of text": b"\x80\x02X\x01\x00\x00\x00x.",
    "marks": b"((((((((.",
}


def pickled(folder):
    node_sets.write_pickles(folder / "planetoid", "cora", node_sets.citations())
    return "cora"


def citations(folder):
    node_sets.write_citations(folder / "planetoid/citeseer.npz", node_sets.citations())
    return "citeseer"


def archive(folder):
    node_sets.write_archive(folder / "heterophilic/texas.npz", node_sets.graph())
    return "texas"


def dump(folder):
    node_sets.write_dump(folder / "geom-gcn", "wisconsin", node_sets.graph())
    return "wisconsin"


def indices(folder):
    node_sets.write_dump(folder / "geom-gcn", "film", node_sets.graph(), indices=True)
    return "actor"


def benchmark(folder):
    node_sets.write_benchmark(
        folder / "gnn-benchmark/ms_academic_phy.npz", node_sets.graph(splits=0)
    )
    return "coauthor-physics"


def saint(folder):
    node_sets.write_saint(folder / "reddit", node_sets.graph(splits=1))
    return "reddit"


def packed(folder):
    node_sets.write_ogb(folder / "ogbn_arxiv", "time", node_sets.graph(splits=1))
    return "ogbn-arxiv"


def plain(folder):
    write = node_sets.write_ogb
    write(folder / "ogbn_products", "sales_ranking", node_sets.graph(splits=1), packed=False)
    return "ogbn-products"


def visits(folder):
    interaction_sets.write_archive(folder / "recommendation/gowalla.npz", interaction_sets.pairs())
    return "gowalla"


def lists(folder):
    interaction_sets.write_lists(folder / "amazon_cds", interaction_sets.pairs())
    return "amazon-cds"


def lastfm(folder):
    interaction_sets.write_lastfm(folder / "lastfm", interaction_sets.pairs())
    return "lastfm"


def ratings(folder):
    rows = [(u, i) for u in range(5) for i in range(u, 3 * u + 9)]
    interaction_sets.write_ratings(folder / "ml-100k/u.data", rows)
    return "movielens-100k"


def sample(folder):
    (folder / "images").mkdir()
    for file in SAMPLE:
        pixels = np.arange(3 * 32 * 32 * 3).reshape(3, 32, 32, 3).astype(np.uint8)
        np.savez_compressed(folder / "images" / file, x=pixels, y=np.array([0, 4, 9]))
    return "cifar-10-sample"


def handwritten(folder):
    (folder / "images").mkdir()
    pixels = np.arange(3 * 28 * 28).reshape(3, 28, 28).astype(np.uint8)
    np.savez_compressed(folder / "images/mnist5k.npz", x=pixels, y=np.array([0, 4, 9]))
    return "mnist-5k"


FORMATS = (
    *(pickled, citations, archive, dump, indices, benchmark, saint, packed, plain),
    *(visits, lists, lastfm, ratings),
    *(sample, handwritten),
)


@pytest.fixture(params=FORMATS, ids=lambda write: write.__name__)
def written(request, tmp_path):
    return request.param(tmp_path), tmp_path, [p for p in tmp_path.rglob("*") if p.is_file()]


@pytest.mark.parametrize("write", [archive, packed, benchmark], ids=lambda write: write.__name__)
def test_a_small_file_cannot_fill_all_memory(write, tmp_path, monkeypatch):
    name = write(tmp_path)
    load(name, tmp_path)
    # Smaller, since nobody wants to unpack the real one.
    monkeypatch.setattr(arrays, "MOST_BYTES", 20)
    with pytest.raises(ExperimentError, match="would take more than 20 bytes"):
        load(name, tmp_path)


def refused_or_read(name, folder, path):
    """Whether a set was read although one of its files was damaged; else the file is named."""
    try:
        found = load(name, folder)
    except ExperimentError as refusal:
        said = str(refusal)
        assert path.stem.split(".npz")[0] in said or path.parent.name in said, (path, said)
        assert "\n" not in said
        assert len(said) < 1500 + 2 * len(str(folder))
        return False
    assert isinstance(found, NodeData | Interactions | PictureSet | DigitSet)
    return True


def test_what_is_no_such_file_is_refused_by_name(written):
    name, folder, paths = written
    for path in paths:
        before = path.read_bytes()
        for what, content in CORPUS.items():
            path.write_bytes(content)
            read = refused_or_read(name, folder, path)
            # A single number is a table, and the list of a split.
            assert not read or (what == "a number" and ".csv" in path.suffixes), (path, what)
        for end in range(0, len(before), max(1, len(before) // 12)):
            path.write_bytes(before[:end])
            read = refused_or_read(name, folder, path)
            # A text cut at the end of a line is a shorter text.
            assert not read or path.suffix in (".txt", ".csv", ".index", ".data"), (path, end)
        path.write_bytes(before)
    load(name, folder)


def test_what_is_no_regular_file_is_refused_and_not_waited_for(written):
    name, folder, paths = written
    for path in paths:
        before = path.read_bytes()
        path.unlink()
        for make, undo in ((os.mkdir, os.rmdir), (os.mkfifo, os.unlink)):
            make(path)
            with pytest.raises(ExperimentError, match="no regular file"):
                load(name, folder)
            undo(path)
        path.write_bytes(before)


def test_damaged_files_are_refused_by_name_or_are_another_graph(written):
    damage_files(written, refused_or_read, 0, 40)


@pytest.mark.slow
def test_many_damaged_files_are_refused_by_name_or_are_another_graph(written):
    damage_files(written, refused_or_read, int(os.environ.get("NTKEXEC_FUZZ_SEED", "1")), 4000)
