"""Compiled code on disk: only whole and sound entries come back, whatever happened to them."""

import os
import signal
import subprocess
import sys
import zlib

import pytest
from support.commands import ENVIRONMENT

from ntkexec.errors import NtkexecError
from ntkexec.runtime import kept_code
from ntkexec.runtime.kept_code import clear, close_bench, entries, open_bench, sizes, trim

KEY = "jit__run-0123-cache"
CODE = zlib.compress(bytes(range(256)) * 40)


@pytest.fixture
def shelf(tmp_path):
    return tmp_path / "code" / "kind"


def keep(shelf, **content):
    """What one process does: compiles, and leaves entries of these names (without the suffix)."""
    bench = open_bench(shelf)
    for name, code in content.items():
        (bench.folder / f"{name}-cache").write_bytes(code)
    return close_bench(bench)


def found(shelf):
    """What the next process finds, by name."""
    bench = open_bench(shelf)
    there = {path.name: path.read_bytes() for path in bench.folder.iterdir()}
    assert close_bench(bench) == (0, 0)  # nothing is new
    return there


def test_the_next_process_finds_what_one_left_and_no_bench_stays(shelf):
    assert keep(shelf, a=CODE, b=CODE) == (2, 0)
    assert found(shelf) == {"a-cache": CODE, "b-cache": CODE}
    assert all(path.is_file() and ".lock" not in path.name for path in shelf.iterdir())
    assert sizes(shelf.parent) == [len(CODE)] * 2
    for path in (shelf, shelf.parent):
        assert path.stat().st_mode & 0o022 == 0


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "swapped"])
def test_a_damaged_entry_is_removed_before_anybody_sees_it(shelf, damage):
    keep(shelf, a=CODE, b=zlib.compress(b"other"))
    entry = next(e for e in entries(shelf) if e.name == "a-cache")
    flipped = bytearray(CODE)
    flipped[len(CODE) // 2] ^= 1
    entry.path.write_bytes(
        {
            "empty": b"",
            "truncated": CODE[: len(CODE) // 2],
            "flipped": bytes(flipped),
            "swapped": zlib.compress(b"other"),  # whole in itself, but of another program
        }[damage]
    )
    assert found(shelf) == {"b-cache": zlib.compress(b"other")}
    assert not entry.path.exists()
    # It is compiled anew, and found again.
    assert keep(shelf, a=CODE) == (1, 0)
    assert found(shelf)["a-cache"] == CODE


@pytest.mark.parametrize("cut", [b"", CODE[:-1], CODE[: len(CODE) // 2], b"no code"])
def test_what_was_cut_off_as_on_a_full_disk_is_not_kept(shelf, cut):
    assert keep(shelf, a=cut, b=CODE) == (1, 1)
    assert found(shelf) == {"b-cache": CODE}


def test_what_zstd_packed_is_unpacked_to_see_whether_it_is_whole():
    zstd = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "zstandard")
    packed = zstd.compress(b"code" * 1000)
    assert kept_code.is_whole(packed)
    assert not kept_code.is_whole(packed[:-1])


KILLED = """
import os, pathlib, signal, sys
from ntkexec.runtime.kept_code import close_bench, open_bench
bench = open_bench(pathlib.Path(sys.argv[1]))
(bench.folder / "whole-cache").write_bytes(bytes.fromhex(sys.argv[2]))
with (bench.folder / "half-cache").open("wb") as file:
    file.write(bytes.fromhex(sys.argv[2])[:50])
    file.flush()
    if sys.argv[3] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    print("writing", flush=True)
    sys.stdin.read()
    file.write(bytes.fromhex(sys.argv[2])[50:])
close_bench(bench)
"""


def writer(shelf, how):
    return subprocess.Popen(
        [sys.executable, "-c", KILLED, str(shelf), CODE.hex(), how],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def test_nothing_of_a_process_that_was_killed_while_it_wrote_is_left(shelf):
    keep(shelf, a=CODE)
    with writer(shelf, "killed") as process:
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert any(path.name == "half-cache" for path in shelf.rglob("*"))  # it did leave something
    assert found(shelf) == {"a-cache": CODE}
    assert [path.name for path in shelf.iterdir()] == [e.path.name for e in entries(shelf)]


def test_a_process_that_lives_keeps_its_bench_and_nobody_sees_what_it_writes(shelf):
    with writer(shelf, "slow") as process:
        assert process.stdout.readline() == b"writing\n"
        assert found(shelf) == {}
        clear(shelf.parent)
        (half,) = shelf.rglob("half-cache")
        assert half.stat().st_size == 50
        process.communicate()
    assert process.returncode == 0
    assert found(shelf) == {"whole-cache": CODE, "half-cache": CODE}


def test_processes_at_the_same_time_leave_one_entry_of_each_name(shelf):
    first, second = open_bench(shelf), open_bench(shelf)
    for bench in (first, second):
        (bench.folder / KEY).write_bytes(CODE)
    assert close_bench(first) == (1, 0)
    assert close_bench(second) == (0, 0)
    assert [entry.name for entry in entries(shelf)] == [KEY]


def test_of_twins_one_is_taken_and_the_other_removed(shelf):
    keep(shelf, a=CODE)
    other = zlib.compress(b"compiled at another time")
    twin = shelf / f"a-cache.{kept_code._digest(other)}"
    twin.write_bytes(other)
    assert found(shelf)["a-cache"] in (CODE, other)
    assert len([*entries(shelf)]) == 1


def test_an_entry_that_is_removed_while_it_is_used_stays_with_its_user(shelf):
    keep(shelf, a=CODE)
    bench = open_bench(shelf)
    clear(shelf.parent)
    assert [*entries(shelf)] == []
    assert (bench.folder / "a-cache").read_bytes() == CODE
    assert close_bench(bench) == (0, 0)


def test_the_oldest_entries_make_room_on_whatever_shelf_they_are(tmp_path):
    for age, (kind, name) in enumerate([("old", "a"), ("new", "b"), ("old", "c"), ("new", "d")]):
        keep(tmp_path / kind, **{name: CODE})
        (entry,) = (e for e in entries(tmp_path / kind) if e.name == f"{name}-cache")
        os.utime(entry.path, (age, age))

    def left():
        return sorted(e.name[0] for kind in ("old", "new") for e in entries(tmp_path / kind))

    trim(tmp_path, 4 * len(CODE))
    assert left() == ["a", "b", "c", "d"]
    trim(tmp_path, 2 * len(CODE) + 1)
    assert left() == ["c", "d"]
    trim(tmp_path, len(CODE))
    assert left() == ["d"]
    assert not (tmp_path / "old").exists()  # an empty shelf
    assert keep(tmp_path / "old", a=CODE) == (1, 0)
    trim(tmp_path / "nowhere", 0)


def test_links_are_not_needed(shelf, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    keep(shelf, a=CODE)
    monkeypatch.setattr(os, "link", refuse)
    assert found(shelf) == {"a-cache": CODE}


def test_a_fork_leaves_the_bench_to_its_parent(shelf):
    bench = open_bench(shelf)
    assert close_bench(kept_code.dataclasses.replace(bench, process=-1)) == (0, 0)
    assert bench.folder.is_dir()
    close_bench(bench)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o722])
def test_a_shelf_on_which_others_write_is_refused(shelf, mode):
    keep(shelf, a=CODE)
    shelf.chmod(mode)
    with pytest.raises(NtkexecError, match="others may write"):
        open_bench(shelf)
    shelf.chmod(0o755)
    assert found(shelf) == {"a-cache": CODE}


def test_a_shelf_of_another_user_and_a_link_to_one_are_refused(shelf, monkeypatch, tmp_path):
    keep(shelf, a=CODE)
    link = tmp_path / "link"
    link.symlink_to(shelf)
    with pytest.raises(NtkexecError, match="is no folder"):
        open_bench(link)
    monkeypatch.setattr(os, "geteuid", lambda: shelf.stat().st_uid + 1)
    with pytest.raises(NtkexecError, match="belongs to another user"):
        open_bench(shelf)


def test_what_else_lies_there_is_left_alone(shelf):
    keep(shelf, a=CODE)
    for name in ("README", "b-cache", "c-cache.short"):
        (shelf / name).write_bytes(CODE)
    assert found(shelf) == {"a-cache": CODE}
    clear(shelf.parent)
    assert sorted(p.name for p in shelf.iterdir()) == ["README", "b-cache", "c-cache.short"]
