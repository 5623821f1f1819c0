"""Users and items: an archive of rows, LightGCN's lists, LastFM's and MovieLens's tables of text."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.data.formats import arrays
from experiments.data.interactions import Interactions, Table, table_of
from experiments.files.sources import content
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

MOST = 2**24
"""Users or items at most; one wrong number in a text could otherwise fill all memory."""
DIGITS = 18
"""Of a number that 64 bits surely hold."""
SPLIT_SEED = 0
TEST_SHARE = 0.2
SEPARATORS = {b"\t": "tabs", b",": "commas"}


def read_npz(path: Path, name: str, key: str = "") -> Interactions:
    """A set out of one archive.

    Args:
        path: of the archive: `n_users`, `n_items`, and of `train` and `test` each user's items as
            CSR rows, `train_indptr`, `train_items` and so on.
        name: of the set.
        key: is not needed here.

    Raises:
        ExperimentError: names the file and what in it does not fit.
    """
    where = shown(path)
    rows = [f"{part}_{what}" for part in ("train", "test") for what in ("indptr", "items")]
    found = arrays.members(path, ("n_users", "n_items", *rows))
    shape = (_size(found, "n_users", where), _size(found, "n_items", where))
    parts = []
    for part in ("train", "test"):
        starts = arrays.vector(found[f"{part}_indptr"], f"{part}_indptr in {where}")
        items = arrays.vector(found[f"{part}_items"], f"{part}_items in {where}")
        steps = np.diff(starts)
        if len(starts) != shape[0] + 1 or starts[0] != 0 or starts[-1] != len(items):
            raise ExperimentError(
                f"{part}_indptr in {where} must lead from 0 to {len(items)} in {shape[0]} steps"
            )
        if (steps < 0).any():
            raise ExperimentError(f"{part}_indptr in {where} falls at {int(np.argmax(steps < 0))}")
        parts.append((np.repeat(np.arange(shape[0]), steps), items))
        _check_below(items, shape[1], f"{part}_items in {where}", "item")
    return _assembled(name, parts, shape, where)


def read_lists(folder: Path, name: str, key: str = "") -> Interactions:
    """A set out of `train.txt` and `test.txt`, whose lines are a user and the user's items.

    Args:
        folder: of both. A user may have no items, or no line.
        name: of the set.
        key: is not needed here.

    Raises:
        ExperimentError: names the file and what in it does not fit.

    Source: the files of He et al., LightGCN, SIGIR 2020, arXiv:2002.02126.
    """
    parts = []
    for file in ("train.txt", "test.txt"):
        path = folder / file
        lines = [line.split() for line in _whole_numbers(path)]
        counts = np.array([max(len(line) - 1, 0) for line in lines])
        users = _numbers([line[0] for line in lines if line], path)
        items = _numbers([word for line in lines for word in line[1:]], path)
        if not len(items):
            raise ExperimentError(f"{shown(path)} holds no user with an item")
        parts.append(
            (np.repeat(users, [c for c, line in zip(counts, lines, strict=True) if line]), items)
        )
    return _assembled(name, parts, _shape(parts), shown(folder))


def read_lastfm(folder: Path, name: str, key: str = "") -> Interactions:
    """LastFM out of `data1.txt`, `test1.txt` and `trustnetwork.txt`, whose numbers begin with 1.

    The third column, how often somebody listened, is dropped. `social` holds the third file's pairs
    in the direction in which they stand.

    Args:
        folder: of the three.
        name: of the set.
        key: is not needed here.

    Raises:
        ExperimentError: names the file and what in it does not fit.
    """
    listened = [_table(folder / file, 3) for file in ("data1.txt", "test1.txt")]
    friends = _table(folder / "trustnetwork.txt", 2)
    parts = [(part[:, 0] - 1, part[:, 1] - 1) for part in listened]
    users, items = _shape(parts)
    users = max(users, int(friends.max()))
    social = table_of(friends[:, 0] - 1, friends[:, 1] - 1, (users, users))
    return _assembled(name, parts, (users, items), shown(folder), social)


def read_ratings(path: Path, name: str, key: str = "") -> Interactions:
    """A set out of a table of ratings: MovieLens's `u.data` and `ratings.csv`, RecBole's `.inter`.

    Every rating is a pair, whatever it is; ratings and times are dropped. Users and items are numbered
    in the order of their numbers in the file. The file has no split: of each user's items a fifth
    (rounded, at least one left to train on), drawn with a fixed seed, is tested with.

    Args:
        path: of the table, by tabs or commas, with a line of names or without; its first two columns
            are user and item.
        name: of the set.
        key: is not needed here.

    Raises:
        ExperimentError: names the file and what in it does not fit.
    """
    lines = content(path).splitlines()
    marks = [mark for mark in SEPARATORS if lines and mark in lines[0]]
    if not marks:
        raise ExperimentError(
            f"the first line of {shown(path)} is parted neither by {' nor '.join(SEPARATORS.values())}"
        )
    rows = [line.split(marks[0]) for line in lines if line.strip()]
    if rows and rows[0][0].startswith(b"user"):
        rows = rows[1:]
    for row in rows:
        if len(row) < 2 or not (row[0].isdigit() and row[1].isdigit()):
            raise ExperimentError(
                f"{shown(path)} has the line {quoted(_text(row))}, no user and item"
            )
    if not rows:
        raise ExperimentError(f"{shown(path)} holds no rating")
    _, users = np.unique(_numbers([row[0] for row in rows], path), return_inverse=True)
    _, items = np.unique(_numbers([row[1] for row in rows], path), return_inverse=True)
    shape = (int(users.max()) + 1, int(items.max()) + 1)
    held = _held_out(table_of(users, items, shape))
    keys = users.astype(np.int64) * shape[1] + items
    tested = np.isin(keys, held)
    parts = [(users[~tested], items[~tested]), (users[tested], items[tested])]
    note = (
        f"the file has no split; a fifth of each user's pairs, drawn with seed {SPLIT_SEED}, is "
        f"tested with"
    )
    return _assembled(name, parts, shape, shown(path), note=note)


def _held_out(table: Table) -> np.ndarray:
    """Keys, user times items plus item, of a drawn fifth of each user's pairs."""
    degrees = np.diff(table.indptr)
    users = np.repeat(np.arange(len(degrees)), degrees)
    drawn = np.random.default_rng(SPLIT_SEED).random(table.nnz)
    order = np.lexsort((drawn, users))
    place = np.arange(table.nnz) - np.repeat(table.indptr[:-1], degrees)
    wanted = np.minimum(np.rint(TEST_SHARE * degrees).astype(int), np.maximum(degrees - 1, 0))
    chosen = order[place < wanted[users]]
    keys: np.ndarray = users[chosen].astype(np.int64) * table.shape[1] + table.indices[chosen]
    return keys


def _assembled(
    name: str,
    parts: Sequence[tuple[np.ndarray, np.ndarray]],
    shape: tuple[int, int],
    where: str,
    social: Table | None = None,
    note: str = "",
) -> Interactions:
    """Both parts as tables; what is in both is trained on alone, and the note says so."""
    if max(shape) > MOST:
        raise ExperimentError(
            f"{where} numbers {max(shape):,} users or items; at most {MOST:,} are read"
        )
    train, test = (table_of(*part, shape) for part in parts)
    for what, table in (("train on", train), ("test with", test)):
        if not table.nnz:
            raise ExperimentError(f"{where} holds no pair to {what}")
    if twice := train.multiply(test).nnz:
        test = (test - test.multiply(train)).tocsr()
        test.eliminate_zeros()
        said = f"{twice} of the file's test pairs are trained on, too, and are not tested with"
        note = f"{note}; {said}" if note else said
        if not test.nnz:
            raise ExperimentError(f"{where} tests with nothing but what it trains on")
    return Interactions(name, train, test, social, note)


def _shape(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[int, int]:
    users, items = (max(int(part[i].max()) for part in parts) + 1 for i in (0, 1))
    return users, items


def _size(found: dict[str, np.ndarray], key: str, where: str) -> int:
    array = found[key]
    if array.shape != () or array.dtype.kind not in "iu" or not 0 < int(array) <= MOST:
        raise ExperimentError(
            f"{key} in {where} must be a whole number from 1 to {MOST:,}, got "
            f"{arrays.described(array) if array.shape else shown(array)}"
        )
    return int(array)


def _check_below(items: np.ndarray, number: int, where: str, what: str) -> None:
    if items.size and not (items.min() >= 0 and items.max() < number):
        wrong = items.min() if items.min() < 0 else items.max()
        raise ExperimentError(f"{where} names the {what} {wrong}; there are 0 to {number - 1}")


def _whole_numbers(path: Path) -> list[bytes]:
    """The lines of a text that holds nothing but digits and blanks."""
    found = content(path)
    if found.translate(None, b"0123456789 \t\r\n"):
        for line in found.splitlines():
            if line.translate(None, b"0123456789 \t\r\n"):
                raise ExperimentError(
                    f"{shown(path)} has the line {quoted(_text([line]))}, and whole numbers are needed"
                )
    return found.splitlines()


def _table(path: Path, columns: int) -> np.ndarray:
    """The first two of some columns: whole numbers from 1."""
    rows = [words for line in content(path).splitlines() if (words := line.split())]
    for row in rows:
        if len(row) != columns or not (row[0].isdigit() and row[1].isdigit()):
            raise ExperimentError(
                f"{shown(path)} has the line {quoted(_text(row))}; it needs {columns} numbers, the "
                f"first two of them whole"
            )
    if not rows:
        raise ExperimentError(f"{shown(path)} holds no line")
    table = _numbers([word for row in rows for word in row[:2]], path).reshape(-1, 2)
    if not table.all():
        raise ExperimentError(f"{shown(path)} holds the number 0; users and items begin with 1")
    if table.max() > MOST:
        raise ExperimentError(f"{shown(path)} holds {table.max()}; at most {MOST:,} are read")
    return table


def _numbers(words: Sequence[bytes], path: Path) -> np.ndarray:
    if words and (longest := max(words, key=len)) and len(longest) > DIGITS:
        raise ExperimentError(f"{shown(path)} holds {quoted(_text([longest]))}, which is too large")
    return np.array(words, f"S{DIGITS}").astype(np.int64)


def _text(words: Sequence[bytes]) -> str:
    return b" ".join(words)[:200].decode(errors="replace")
