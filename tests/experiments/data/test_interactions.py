"""Users and items: every public format leads to the same set; what does not fit is named."""

import os

import numpy as np
import pytest
from support import interaction_sets as sets

from experiments.data import DataMissingError, load, room
from experiments.data.formats import interactions as formats
from experiments.data.interactions import Interactions, table_of
from ntkexec.errors import ExperimentError

DATA = os.environ.get(room.VARIABLE)
RATED = [(u, i) for u in (7, 30, 200) for i in range(5, 5 + u % 11 + 3)]


def test_an_archive_and_lists_hold_the_same_set(tmp_path):
    made = sets.pairs()
    sets.write_lists(tmp_path / "gowalla", made)
    sets.same(load("gowalla", tmp_path), made)
    other = sets.pairs(1)
    sets.write_archive(tmp_path / "recommendation/gowalla.npz", other)
    sets.same(load("gowalla", tmp_path), other)


def test_lastfms_friends_stay_directed_and_its_counts_are_dropped(tmp_path):
    made = sets.pairs()
    sets.write_lastfm(tmp_path / "lastfm", made)
    found = load("lastfm", tmp_path)
    sets.same(found, made)
    assert set(zip(*(x.tolist() for x in found.social.nonzero()))) == made.social


@pytest.mark.parametrize(
    ("name", "file", "mark", "head"),
    [
        ("movielens-100k", "ml-100k/u.data", "\t", ""),
        ("movielens-100k", "ml-100k/ml-100k.inter", "\t", "user_id:token\titem_id:token\tr\tt"),
        ("movielens-small", "ml-latest-small/ratings.csv", ",", "userId,movieId,rating,timestamp"),
    ],
)
def test_ratings_of_every_form_are_split_alike_whatever_their_order(
    tmp_path, name, file, mark, head
):
    found = []
    for order in (RATED, RATED[::-1], RATED + RATED[:3]):
        sets.write_ratings(tmp_path / file, order, mark=mark, head=head)
        found.append(load(name, tmp_path))
    for other in found[1:]:
        assert (found[0].train != other.train).nnz == (found[0].test != other.test).nnz == 0
    whole = (found[0].train + found[0].test).toarray()
    lists = [[i for v, i in RATED if v == u] for u in (7, 30, 200)]
    numbers = sorted({i for row in lists for i in row})
    assert [[numbers[j] for j in np.flatnonzero(row)] for row in whole] == lists
    assert found[0].test.sum(1).tolist() == [round(0.2 * len(row)) for row in lists]
    assert "has no split" in found[0].note


def test_pairs_of_both_files_are_trained_on_alone_and_it_is_said(tmp_path):
    made = sets.pairs()
    both = min(made.train)
    made.test.add(both)
    sets.write_archive(tmp_path / "recommendation/gowalla.npz", made)
    found = load("gowalla", tmp_path)
    made.test.remove(both)
    sets.same(found, made)
    assert found.note.startswith("1 of the file's test pairs")


def test_interactions_refuse_what_is_none():
    train, test = (table_of(np.array([u]), np.array([1]), (2, 3)) for u in (0, 1))
    assert (
        Interactions("a", train, test, table_of(np.array([0]), np.array([1]), (2, 2))).num_items
        == 3
    )
    unsorted = train.copy()
    unsorted.has_canonical_format = False
    unsorted.indices, unsorted.indptr = np.array([1, 1], np.int32), np.array([0, 2, 2], np.int32)
    unsorted.data = np.ones(2, np.float32)
    for change, said in (
        ({"train": train.astype(float)}, "float32"),
        ({"train": train.tocsc()}, "csr_array, not csc_array"),
        ({"train": 2 * train}, "holds 2, not ones"),
        ({"train": unsorted}, "each pair once"),
        ({"test": test[:, :2]}, "has the shape"),
        ({"test": train}, "trains on 1 of the pairs"),
        ({"social": train}, r"social has the shape \(2, 3\), and \(2, 2\)"),
    ):
        with pytest.raises(ExperimentError, match=said):
            Interactions(**{"name": "a", "train": train, "test": test, **change})


def test_what_does_not_fit_is_named(tmp_path):
    lists, last, table = tmp_path / "gowalla", tmp_path / "lastfm", tmp_path / "ml-100k/u.data"

    def written(file, content):
        sets.write_lists(lists, sets.pairs())
        sets.write_lastfm(last, sets.pairs())
        sets.write_ratings(table, RATED)
        (tmp_path / file).write_text(content)
        return {"gowalla": "gowalla", "lastfm": "lastfm"}.get(file.split("/")[0], "movielens-100k")

    for file, content, said in (
        ("gowalla/train.txt", "0 1\n1 1_0\n", "'1 1_0', and whole numbers"),
        ("gowalla/train.txt", "0\n1\n", "no user with an item"),
        ("gowalla/test.txt", "0 99999999999999999999", "too large"),
        ("gowalla/test.txt", "0 99999999", "numbers 100,000,000 users or items"),
        ("lastfm/data1.txt", "0\t1\t1\n", "begin with 1"),
        ("lastfm/data1.txt", "1\t1\n", "needs 3 numbers"),
        ("lastfm/trustnetwork.txt", "1\t99999999\n", "holds 99999999"),
        ("ml-100k/u.data", "1 2 3 4\n", "neither by tabs nor commas"),
        ("ml-100k/u.data", "1\tx\t3\t4\n", "no user and item"),
        ("ml-100k/u.data", "user\titem\n", "holds no rating"),
        ("ml-100k/u.data", "1\t1\t1\n", "no pair to test with"),
    ):
        name = written(file, content)
        with pytest.raises(ExperimentError, match=said) as found:
            load(name, tmp_path)
        assert file.split("/")[0] in str(found.value)

    made = sets.pairs()
    for changes, said in (
        ({"n_users": 0}, "n_users .* from 1"),
        ({"train_indptr": np.array([0, 1])}, "train_indptr .* must lead from 0"),
        ({"train_items": np.full(len(made.train), 11)}, "names the item 11; there are 0 to 10"),
        (
            {"test_indptr": np.zeros(10, int), "test_items": np.zeros(0, int)},
            "no pair to test with",
        ),
    ):
        path = tmp_path / "recommendation/gowalla.npz"
        sets.write_archive(path, made)
        np.savez(path, **dict(np.load(path)) | changes)
        with pytest.raises(ExperimentError, match=said):
            load("gowalla", tmp_path)


@pytest.mark.parametrize(
    "reader", [formats.read_npz, formats.read_lists, formats.read_lastfm, formats.read_ratings]
)
def test_a_reader_of_what_is_not_there_names_it(tmp_path, reader):
    with pytest.raises(ExperimentError, match="no such file"):
        reader(tmp_path / "nothing", "name")


@pytest.mark.skipif(not DATA, reason=f"{room.VARIABLE} names no folder of data sets")
@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("gowalla", (29858, 40981, 810128, 217242)),
        ("amazon-cds", (43169, 35648, 604475, 172951)),
        ("lastfm", (1892, 4489, 42135, 10533)),
        ("movielens-100k", (943, 1682, 80000, 20000)),
        ("movielens-small", (610, 9724, None, None)),
        ("yelp2018", (31668, 38048, 1237259, 324147)),
        ("amazon-book", (52643, 91599, 2380730, 603378)),
    ],
)
def test_real_sets_have_their_published_sizes(name, sizes):
    try:
        found = load(name, DATA)
    except DataMissingError as missing:
        pytest.skip(str(missing))
    counted = (found.num_users, found.num_items, found.train.nnz, found.test.nnz)
    assert all(wanted in (None, count) for wanted, count in zip(sizes, counted))
