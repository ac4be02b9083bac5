"""The folder for what can be computed again."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from turnout.upstream.local import cache


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_what_is_written_is_read(home: Path) -> None:
    assert cache.read("a/b.json") is None
    cache.write("a/b.json", b"one")
    cache.write("a/b.json", b"two")
    assert cache.read("a/b.json") == b"two"
    assert [path.name for path in (home / "turnout" / "a").iterdir()] == ["b.json"]


def test_only_the_user_can_enter_it(home: Path) -> None:
    cache.write("a.json", b"")
    assert (home / "turnout").stat().st_mode & 0o077 == 0


def test_a_reader_never_sees_half_a_file(home: Path) -> None:
    contents = [bytes([byte]) * 200_000 for byte in b"xy"]
    cache.write("a", contents[0])
    seen: set[bytes | None] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.add(cache.read("a"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for index in range(60):
        cache.write("a", contents[index % 2])
    done.set()
    watcher.join()
    assert seen <= set(contents)


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # which the specification says is to be ignored
    assert cache.cache_folder() == tmp_path / ".cache" / "turnout"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.cache_folder() == tmp_path / ".cache" / "turnout"


def test_a_cache_that_cannot_be_used_is_logged(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    (home / "turnout").write_text("a file where the folder would be")
    cache.write("a/b", b"one")
    assert cache.read("a/b") is None
    assert "cannot write the cache" in caplog.text
    assert "cannot read the cache" in caplog.text
