from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from turnout.config import PAIR_4, ConfigError, Settings, load_catalog, load_settings
from turnout.config.policy_lock import LockedClassifier, lock_of
from turnout.config.policy_lock_text import lock_text
from turnout.config.watching import (
    Refused,
    Reloaded,
    Watcher,
    changed_keys,
    files_of,
    settings_watcher,
    watch,
)
from turnout.core.policy import Policy

Change = Reloaded[Settings] | Refused


def bar(value: float) -> str:
    return f"[policy]\nsimple_bar = {value}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(bar(0.5))
    return path


def rename_over(file: Path, text: str) -> None:
    """Write as editors do: beside the file, then over it."""
    beside = file.with_suffix(".new")
    beside.write_text(text)
    beside.replace(file)


def write_in_place(file: Path, text: str) -> None:
    file.write_text(text)


def polled(watcher: Watcher[Settings], times: int = 2) -> Change | None:
    found = [watcher.poll() for _ in range(times)]
    told = [one for one in found if one is not None]
    assert len(told) <= 1
    return told[0] if told else None


def test_what_does_not_change_says_nothing(file: Path) -> None:
    watcher = settings_watcher(file)
    assert polled(watcher, 5) is None
    file.touch()
    assert polled(watcher) is None


@pytest.mark.parametrize("write", [rename_over, write_in_place])
def test_a_changed_file_is_taken_once_it_is_settled(file: Path, write: Callable[[Path, str], None]) -> None:
    watcher = settings_watcher(file)
    write(file, bar(0.7))
    assert watcher.poll() is None
    found = watcher.poll()
    assert isinstance(found, Reloaded)
    assert (found.previous.rules.simple_bar, found.value.rules.simple_bar) == (0.5, 0.7)
    assert watcher.value is found.value
    assert polled(watcher, 3) is None


def test_a_change_that_neither_size_nor_time_shows_is_found(file: Path) -> None:
    watcher = settings_watcher(file)
    before = file.stat()
    file.write_text(bar(0.6))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    found = polled(watcher)
    assert isinstance(found, Reloaded)
    assert found.value.rules.simple_bar == 0.6


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[policy]\nsimple_barr = 0.7\n", "'simple_bar'"),
        ("[policy]\nsimple_bar = 7\n", "policy.simple_bar: must be at most 1"),
        ("[policy\n", "not valid TOML"),
        ("", "is empty"),
        ("\n\n", "is empty"),
        ('[policy]\ncheap = "gpt-9"\ncapable = "gpt-10"\n', "unknown model 'gpt-9'"),
    ],
)
def test_a_bad_file_is_named_once_and_the_old_settings_stay(file: Path, text: str, named: str) -> None:
    watcher = settings_watcher(file)
    old = watcher.value
    file.write_text(text)
    found = polled(watcher, 4)
    assert isinstance(found, Refused)
    assert str(file) in found.message
    assert named in found.message
    assert "\n" not in found.message
    assert watcher.value is old
    file.write_text(bar(0.8))
    mended = polled(watcher)
    assert isinstance(mended, Reloaded)
    assert (mended.previous, mended.value.rules.simple_bar) == (old, 0.8)


def test_a_file_that_goes_away_is_refused_and_may_come_back(file: Path) -> None:
    watcher = settings_watcher(file)
    file.unlink()
    found = polled(watcher, 3)
    assert isinstance(found, Refused)
    assert "there is no such file" in found.message
    file.write_text(bar(0.5))
    assert isinstance(polled(watcher), Reloaded)


def test_a_file_that_is_being_written_is_not_read(file: Path) -> None:
    watcher = settings_watcher(file)
    parts = bar(0.9) + "[calls]\ndeadline_seconds = 7\n"
    with file.open("w") as opened:
        for character in parts:
            opened.write(character)
            opened.flush()
            assert watcher.poll() is None
    assert watcher.value.rules.simple_bar == 0.5
    found = watcher.poll()
    assert isinstance(found, Reloaded)
    assert found.value.calls.deadline_s == 7


def test_a_file_that_changes_while_it_is_loaded_is_not_taken(file: Path) -> None:
    during: list[str] = []

    def load() -> Settings:
        settings = load_settings(file)
        if during:
            file.write_text(during.pop())
        return settings

    watcher = Watcher(load, files_of)
    file.write_text(bar(0.6))
    during.append(bar(0.7))
    assert watcher.poll() is None
    assert watcher.poll() is None
    assert watcher.value.rules.simple_bar == 0.5
    found = watcher.poll()
    assert isinstance(found, Reloaded)
    assert found.value.rules.simple_bar == 0.7


def test_a_lock_that_settings_name_is_watched_and_holds(file: Path, tmp_path: Path) -> None:
    def lock(simple_bar: float) -> str:
        policy = Policy(candidates=PAIR_4.candidates, simple_bar=simple_bar)
        return lock_text(lock_of(policy, None, load_catalog(), LockedClassifier(kind="keyword")))

    (tmp_path / "policy.toml").write_text(lock(0.6))
    file.write_text('policy_file = "policy.toml"\n')
    watcher = settings_watcher(file)
    assert watcher.value.rules.simple_bar == 0.6
    (tmp_path / "policy.toml").write_text(lock(0.7))
    found = polled(watcher)
    assert isinstance(found, Reloaded)
    assert found.value.rules.simple_bar == 0.7
    (tmp_path / "policy.toml").write_text("format = 9\n")
    found = polled(watcher)
    assert isinstance(found, Refused)
    assert "format" in found.message
    assert watcher.value.rules.simple_bar == 0.7


def test_files_that_settings_name_are_watched_too(file: Path, tmp_path: Path) -> None:
    models, rules = tmp_path / "models.toml", tmp_path / "rules.toml"
    models.write_text("")
    watcher = settings_watcher(file)
    file.write_text('overrides = "models.toml"\n[classifier]\nrules = "rules.toml"\nartefact = "router"\n')
    assert isinstance(polled(watcher), Reloaded)
    assert set(files_of(watcher.value)) == {file, models, rules, tmp_path / "router" / "model.json"}
    models.write_text("[nonsense]\n")
    found = polled(watcher)
    assert isinstance(found, Refused)
    assert str(models) in found.message
    models.write_text("")
    assert isinstance(polled(watcher), Reloaded), "an empty file of overrides was there from the beginning"
    rules.write_text("x")
    assert isinstance(polled(watcher), Reloaded)


def test_asking_loads_at_once_changed_or_not(file: Path) -> None:
    watcher = settings_watcher(file)
    watcher.ask()
    assert isinstance(watcher.poll(), Reloaded)
    assert watcher.poll() is None
    file.write_text(bar(0.7))
    watcher.ask()
    found = watcher.poll()
    assert isinstance(found, Reloaded)
    assert found.value.rules.simple_bar == 0.7
    assert polled(watcher, 3) is None


def test_what_is_made_of_the_files_is_made_and_refused_together(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    def load() -> tuple[Settings, float]:
        settings = load_settings(file)
        if settings.rules.simple_bar == 0.6:
            raise ConfigError("the classifier cannot be built")
        return settings, 1 / (settings.rules.simple_bar - 0.7)

    watcher = Watcher(load, lambda both: files_of(both[0]))
    for value, named in ((0.6, "the classifier cannot be built"), (0.7, "ZeroDivisionError: ")):
        file.write_text(bar(value))
        watcher.ask()
        found = watcher.poll()
        assert isinstance(found, Refused)
        assert found.message.startswith(named)
    assert watcher.value[0].rules.simple_bar == 0.5
    assert "loading failed" in caplog.text


def test_settings_that_are_wrong_from_the_beginning_raise(file: Path) -> None:
    file.write_text("x = 1")
    with pytest.raises(ConfigError, match="unknown key 'x'"):
        settings_watcher(file)


def test_without_a_file_only_asking_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = settings_watcher()
    assert polled(watcher, 3) is None
    monkeypatch.setenv("TURNOUT_POLICY__SIMPLE_BAR", "0.9")
    watcher.ask()
    found = watcher.poll()
    assert isinstance(found, Reloaded)
    assert found.value.rules.simple_bar == 0.9


def test_what_changed_is_named(file: Path) -> None:
    before = load_settings(file)
    file.write_text(bar(0.6) + '[classifier]\nkind = "none"\n')
    assert changed_keys(before, load_settings(file)) == ("rules", "classifier")
    assert changed_keys(before, before) == ()


class Told:
    """Keeps what a server would be told."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.threads: list[int] = []
        self.came = asyncio.Event()

    def __call__(self, change: Change) -> None:
        self.changes.append(change)
        self.threads.append(threading.get_ident())
        self.came.set()

    async def next(self) -> Change:
        await asyncio.wait_for(self.came.wait(), 10)
        self.came.clear()
        return self.changes[-1]


async def test_a_server_is_told_in_its_event_loop(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    told = Told()
    async with watch(settings_watcher(file), told, interval_s=0.01, sighup=False):
        rename_over(file, bar(0.7))
        assert isinstance(await told.next(), Reloaded)
        rename_over(file, bar(7))
        assert isinstance(await told.next(), Refused)
        rename_over(file, bar(0.9))
        mended = await told.next()
    assert isinstance(mended, Reloaded)
    assert mended.previous.rules.simple_bar == 0.7
    assert set(told.threads) == {threading.get_ident()}
    assert "new settings were refused, the old ones stay" in caplog.text


async def test_sighup_loads_at_once(file: Path) -> None:
    told = Told()
    before = signal.getsignal(signal.SIGHUP)
    async with watch(settings_watcher(file), told, interval_s=3600):
        rename_over(file, bar(0.7))
        os.kill(os.getpid(), signal.SIGHUP)
        assert isinstance(await told.next(), Reloaded)
        os.kill(os.getpid(), signal.SIGHUP)
        assert isinstance(await told.next(), Reloaded), "asked for, so loaded although nothing changed"
    assert signal.getsignal(signal.SIGHUP) == before


async def test_a_listener_that_fails_does_not_end_the_watch(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    told = Told()

    def fails_first(change: Change) -> None:
        told(change)
        if len(told.changes) == 1:
            raise RuntimeError("not ready")

    with caplog.at_level(logging.ERROR):
        async with watch(settings_watcher(file), fails_first, interval_s=0.01, sighup=False):
            rename_over(file, bar(0.7))
            await told.next()
            rename_over(file, bar(0.8))
            await told.next()
    assert len(told.changes) == 2
    assert "not ready" in caplog.text
