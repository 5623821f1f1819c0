"""Small sets of users and items, and writers of them in public formats that know no reader."""

from types import SimpleNamespace

import numpy as np


def pairs(seed=0, users=9, items=11):
    """Pairs to train on and to test with, apart; the last user and item are named, one user has none."""
    drawn = np.random.default_rng(seed)
    here = drawn.random((users, items))
    here[3] = 1
    here[-1, -1], here[0, 0] = 0.0, 0.25
    train = {(int(u), int(i)) for u, i in np.argwhere(here < 0.2)}
    test = {(int(u), int(i)) for u, i in np.argwhere((here >= 0.2) & (here < 0.3))}
    social = {(0, 1), (1, 0), (users - 1, 2)}
    return SimpleNamespace(train=train, test=test, shape=(users, items), social=social)


def same(found, made):
    """Asserts that a set that was read is the one that was written."""
    assert (found.num_users, found.num_items) == made.shape
    for table, wanted in ((found.train, made.train), (found.test, made.test)):
        assert set(zip(*(index.tolist() for index in table.nonzero()))) == wanted


def by_user(pairs, users):
    return [sorted(i for u, i in pairs if u == user) for user in range(users)]


def write_archive(path, made):
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {"n_users": made.shape[0], "n_items": made.shape[1]}
    for part in ("train", "test"):
        rows = by_user(getattr(made, part), made.shape[0])
        arrays[f"{part}_indptr"] = np.cumsum([0, *map(len, rows)]).astype(np.int32)
        arrays[f"{part}_items"] = np.array([i for row in rows for i in row], np.int32)
    np.savez(path, **arrays)


def write_lists(folder, made):
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("train", "test"):
        rows = by_user(getattr(made, part), made.shape[0])
        lines = [" ".join(map(str, (user, *row))) for user, row in enumerate(rows)]
        (folder / f"{part}.txt").write_text("\n".join(lines) + " \n")


def write_lastfm(folder, made):
    folder.mkdir(parents=True, exist_ok=True)
    for file, rows in (("data1", made.train), ("test1", made.test)):
        lines = [f"{u + 1}\t{i + 1}\t{'3.2e+05' if u % 2 else 7}\r\n" for u, i in sorted(rows)]
        (folder / f"{file}.txt").write_text("".join(lines))
    lines = [f"{u + 1}\t{v + 1}\n" for u, v in sorted(made.social)]
    (folder / "trustnetwork.txt").write_text("".join(lines))


def write_ratings(path, rows, *, mark="\t", head=""):
    """Ratings of pairs (user, item) in the order in which they are given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [mark.join((str(u), str(i), "3.5", "881250949")) for u, i in rows]
    path.write_text("\n".join([*([head] if head else []), *lines]) + "\n")
