"""`ntkexec cache`: what is kept is shown, and removed where that is asked."""

import pytest
from support.commands import one_object

from ntkexec.runtime import settings


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A folder with an entry of code, a note of a checked certificate, and a file of somebody else."""
    monkeypatch.setenv("NTKEXEC_CACHE", str(tmp_path))
    for path in (
        tmp_path / settings.CODE / "kind" / f"a-cache.{'0' * 32}",
        tmp_path / settings.CHECKED / f"bfs-split-{'0' * 64}",
        tmp_path / "other",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"123")
    return tmp_path


def test_code_and_checked_certificates_are_shown(command, kept):
    status, out, err = command("cache")
    assert (status, err) == (0, "")
    assert "1 entries" in out
    assert "1 that were checked" in out


def test_all_of_it_is_removed_and_nothing_else(command, kept):
    status, out, _ = command("cache", "--clear", "--json")
    assert status == 0
    assert one_object(out) == {"folder": str(kept), "entries": 0, "bytes": 0, "checked": 0}
    assert [path.name for path in kept.rglob("*") if path.is_file()] == ["other"]


def test_where_nothing_is_kept_nothing_is_shown(command, monkeypatch, tmp_path):
    monkeypatch.setenv("NTKEXEC_CACHE", str(tmp_path / "missing"))
    assert one_object(command("cache", "--json")[1])["checked"] == 0
    monkeypatch.setenv("NTKEXEC_CACHE", "0")
    assert one_object(command("cache", "--json")[1])["folder"] is None
