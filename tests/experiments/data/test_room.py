"""The room: sets are found by name where they lie, or it is said where they were looked for."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import node_sets

from experiments.data import DataMissingError, catalogue, find, load, room
from experiments.data.formats import cifar
from experiments.data.nodes import NodeData
from experiments.data.rows import pictures
from ntkexec.errors import ExperimentError

ROWS = catalogue.by_name()
DATA = os.environ.get(room.VARIABLE)
needs_data = pytest.mark.skipif(not DATA, reason=f"{room.VARIABLE} names no folder of data sets")


def test_every_row_says_what_where_and_how_to_get_it():
    for name, row in ROWS.items():
        assert name == row.name == name.lower()
        assert " " not in name
        for text in (row.kind, row.what, row.citation):
            assert text.strip() == text != "", name
        assert row.address.startswith("https://"), name
        assert row.places, name
        for place in row.places:
            assert not Path(place.path).is_absolute()
            assert ".." not in Path(place.path).parts


def test_every_reader_is_there_and_takes_path_name_and_key():
    named = {p.reader: p for row in ROWS.values() for p in row.places if p.reader}
    assert len(named) > 7
    for place in named.values():
        found = inspect.signature(room.reader(place)).parameters
        by_place = [name for name, one in found.items() if one.kind != one.KEYWORD_ONLY]
        assert by_place[1:] == ["name", "key"], place


def test_no_two_rows_lie_in_one_file():
    seen = {}
    for name, row in ROWS.items():
        for place in row.places:
            if not place.files:
                assert seen.setdefault(place.path, name) == name


def test_an_unknown_name_is_refused_with_those_near_it(tmp_path):
    with pytest.raises(
        ExperimentError, match=r"no data set 'citesser'; did you mean 'citeseer'\?"
    ) as found:
        load("citesser", tmp_path)
    assert not isinstance(found.value, DataMissingError)
    with pytest.raises(ExperimentError, match=r"no data set '\\x1b\[31m'"):
        load("\x1b[31m", tmp_path)


def test_what_is_missing_is_said_with_where_it_was_looked_for_and_how_to_get_it(tmp_path):
    for data, said in (
        (None, f"--data or {room.VARIABLE}"),
        (tmp_path / "no", "no folder .*no; get it from https://.*Yang"),
        (tmp_path, r"no planetoid/cora\.npz nor planetoid/ind\.cora\.x, \.\.\..*https://.*Yang"),
        ("\0", "no folder"),
    ):
        for seek in (load, find):
            with pytest.raises(DataMissingError, match=said):
                seek("cora", data)


def test_a_set_that_is_there_in_part_is_said_to_lack_the_first_file_of_the_rest(tmp_path):
    node_sets.write_pickles(tmp_path / "planetoid", "cora", node_sets.citations())
    (tmp_path / "planetoid/ind.cora.ally").unlink()
    with pytest.raises(DataMissingError, match=r"planetoid lacks ind\.cora\.ally"):
        load("cora", tmp_path)


def test_a_place_that_comes_first_is_read_first(tmp_path):
    first, second = node_sets.citations(), node_sets.citations(1)
    node_sets.write_citations(tmp_path / "planetoid/cora.npz", first)
    node_sets.write_pickles(tmp_path / "cora", "cora", second)
    node_sets.same(load("cora", str(tmp_path)), first)
    (tmp_path / "planetoid/cora.npz").unlink()
    node_sets.same(load("cora", tmp_path), second)


def test_what_has_no_loader_yet_is_named_with_its_path(tmp_path):
    unread = [row for row in ROWS.values() if not any(p.reader for p in row.places)]
    row = next(row for row in unread if not row.places[0].files)
    path = tmp_path / row.places[0].path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    assert find(row.name, tmp_path) == path
    said = rf"{row.name} is there, at .*{re.escape(path.name)}, but .* no loader"
    with pytest.raises(ExperimentError, match=said):
        load(row.name, tmp_path)


def test_the_room_is_light():
    """Neither NumPy nor JAX is imported to find a set."""
    code = (
        "import sys; from experiments.data import find, load, DataMissingError\n"
        "try: find('cora', '.')\n"
        "except DataMissingError: print(sorted({'numpy', 'jax', 'scipy'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


# Real sets, where somebody has them: sizes as published, and facts that were published of them.

SIZES = {
    "cora": (2708, 5278, 1433, 7, 1),
    "citeseer": (3327, 4552, 3703, 6, 1),
    "pubmed": (19717, 44324, 500, 3, 1),
    "pubmed-partial": (19717, 44324, 500, 3, 1),
    "texas": (183, 279, 1703, 5, 10),
    "wisconsin": (251, 450, 1703, 5, 10),
    "cornell": (183, 277, 1703, 5, 10),
    "cornell-geomgcn": (183, 277, 1703, 5, 10),
    "actor": (7600, 26659, 932, 5, 10),
    "chameleon": (2277, 31371, 2325, 5, 10),
    "squirrel": (5201, 198353, 2089, 5, 10),
    "chameleon-filtered": (890, 8854, 2325, 5, 10),
    "squirrel-filtered": (2223, 46998, 2089, 5, 10),
    "minesweeper": (10000, 39402, 7, 2, 10),
}


def real(name):
    try:
        return load(name, DATA)
    except DataMissingError as missing:
        pytest.skip(str(missing))


def test_pictures_in_folders_and_in_binary_files_are_read_by_name(tmp_path):
    for name, files in (("cifar-10", pictures.CIFAR_10), ("cifar-100", pictures.CIFAR_100)):
        train, test, label_bytes, num_classes = cifar.FILES[name]
        assert (*train, *test) == files
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_bytes(bytes(2 * (label_bytes + 3072)))
        found = load(name, tmp_path)
        assert found.train.shape == (2 * len(train), 32, 32, 3)
        assert found.num_classes == num_classes
    for part, number in (("train", 3), ("val", 2)):
        for i in range(number):
            path = tmp_path / f"imagenet/{part}/n01/{i}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
    train, test = load("imagenet", tmp_path)
    assert (len(train.paths), len(test.paths)) == (3, 2)


def test_a_sample_of_cifar_is_read_from_two_archives_and_refused_where_it_is_another(tmp_path):
    (tmp_path / "images").mkdir()
    pixels = np.arange(2 * 32 * 32 * 3).reshape(2, 32, 32, 3).astype(np.uint8)

    def write(file, x, y):
        np.savez(tmp_path / "images" / file, x=x, y=np.asarray(y))

    write(pictures.SAMPLE[0], pixels, [0, 9])
    write(pictures.SAMPLE[1], pixels[:1], [3])
    found = load("cifar-10-sample", tmp_path)
    np.testing.assert_array_equal(found.train, pixels)
    assert (found.train_labels.tolist(), found.test_labels.tolist()) == ([0, 9], [3])
    for x, y, says in ((pixels / 255, [0, 9], "bytes"), (pixels, [0, -1], "no labels from 0 to 9")):
        write(pictures.SAMPLE[0], x, y)
        with pytest.raises(ExperimentError, match=says):
            load("cifar-10-sample", tmp_path)


def test_digits_are_read_from_an_archive_and_refused_where_it_is_another(tmp_path):
    (tmp_path / "images").mkdir()
    path = tmp_path / "images/mnist5k.npz"
    pixels = np.arange(2 * 28 * 28).reshape(2, 28, 28).astype(np.uint8)
    np.savez(path, x=pixels, y=np.array([0, 9], np.uint8))
    found = load("mnist-5k", tmp_path)
    np.testing.assert_array_equal(found.pixels, pixels)
    assert found.labels.tolist() == [0, 9]
    for x, y, says in (
        (pixels / 255, [0, 9], "bytes"),
        (pixels[:, :27], [0, 9], "2 pictures of 28 x 28"),
        (pixels, [0, 10], "no labels from 0 to 9"),
    ):
        np.savez(path, x=x, y=np.asarray(y))
        with pytest.raises(ExperimentError, match=says):
            load("mnist-5k", tmp_path)


@needs_data
def test_the_real_digits_are_five_hundred_of_each():
    found = real("mnist-5k")
    assert np.bincount(found.labels).tolist() == [500] * 10


@needs_data
@pytest.mark.parametrize("name", SIZES)
def test_real_sets_have_their_published_sizes(name):
    found = real(name)
    assert isinstance(found, NodeData)
    shape = (found.num_nodes, len(found.edges), found.num_features, found.num_classes)
    assert (*shape, len(found.splits)) == SIZES[name]


@needs_data
def test_real_splits_are_the_published_ones():
    for name, sizes in (("cora", (140, 500, 1000)), ("citeseer", (120, 500, 1000))):
        (split,) = real(name).splits
        assert tuple(int(p.sum()) for p in (split.train, split.validation, split.test)) == sizes
    for name, homophily in (("cora", 0.81), ("texas", 0.061), ("cornell", 0.123)):
        found = real(name)
        alike = found.labels[found.edges[:, 0]] == found.labels[found.edges[:, 1]]
        assert alike.mean() == pytest.approx(homophily, abs=0.001)


@needs_data
def test_fifteen_nodes_of_the_real_citeseer_have_links_but_neither_features_nor_a_class():
    found = real("citeseer")
    alone = found.labels < 0
    assert alone.sum() == 15
    assert found.features[alone].nnz == 0
    assert alone[found.edges].any(axis=1).sum() == 16


@needs_data
def test_the_real_old_cornell_carries_texass_nodes():
    old, texas, cornell = real("cornell-geomgcn"), real("texas"), real("cornell")
    np.testing.assert_array_equal(old.features, texas.features)
    np.testing.assert_array_equal(old.labels, texas.labels)
    assert "Texas" in old.note
    assert cornell.note == texas.note == ""
