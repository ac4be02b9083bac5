from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tests.doors.gateway.access.support import MADE, key
from turnout.config.errors import ConfigError
from turnout.doors.gateway.access.key_file import KeyFile, LiveKeys, default_keys
from turnout.doors.gateway.access.keys import Key, KeyRing, StoredKey


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "made" / "keys.json")


def write(file: KeyFile, *keys: StoredKey) -> KeyRing:
    return file.change(lambda _: keys)


def test_what_is_written_is_read(file: KeyFile) -> None:
    assert len(file.read()) == 0
    made = key("a", signing=True, models=("x/y",), budget_day_usd=Decimal("0.10"), requests_per_minute=5)
    other = msgspec.structs.replace(key("b").stored, revoked=MADE)
    ring = write(file, made.stored, other)
    assert ring.stored == file.read().stored == (made.stored, other)
    assert file.read().check(made.token) == made.stored.public
    assert made.token[12:] not in file.path.read_text()


def test_only_its_owner_can_read_it_and_nothing_else_is_left(file: KeyFile) -> None:
    before = os.umask(0)
    try:
        write(file, key("a").stored)
        write(file, key("b").stored)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert sorted(path.name for path in file.path.parent.iterdir()) == [".keys.json.lock", "keys.json"]
    assert stat.S_IMODE((file.path.parent / ".keys.json.lock").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("mode", "signing", "fine"),
    [
        (0o600, True, True),
        (0o400, True, True),
        (0o640, True, False),
        (0o604, True, False),
        (0o644, False, True),
        (0o620, False, False),
        (0o602, False, False),
    ],
)
def test_others_may_not_write_it_nor_read_secrets_in_it(file: KeyFile, mode: int, signing: bool, fine: bool) -> None:
    write(file, key(signing=signing).stored)
    file.path.chmod(mode)
    if fine:
        assert len(file.read()) == 1
        return
    with pytest.raises(ConfigError, match=rf"by others than its owner \(mode {mode:o}\): chmod 600"):
        file.read()


def test_a_file_of_another_user_is_not_believed(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    write(file, key().stored)
    if os.geteuid() == 0:
        os.chown(file.path, 1234, -1)
    else:  # who may not give a file away becomes another user
        monkeypatch.setattr(os, "geteuid", lambda: file.path.stat().st_uid + 1)
    with pytest.raises(ConfigError, match="belongs to another user"):
        file.read()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"version": 2, "keys": []}',
        '{"keyes": []}',
        '{"keys": [{"id": "x"}]}',
        '{"keys": [{"id": "0123abcd", "name": "a", "created": "2026-11-23T09:00:00Z", "secret_sha256": "secret!"}]}',
        '{"keys": [{"id": "0123abcd", "name": "a", "created": "soon", "secret_sha256": "' + "0" * 64 + '"}]}',
    ],
)
def test_a_file_that_is_none_of_keys_is_refused(file: KeyFile, text: str) -> None:
    write(file)
    file.path.write_text(text)
    with pytest.raises(ConfigError, match="is no file of keys") as caught:
        file.read()
    assert str(file.path) in str(caught.value)
    assert "secret!" not in str(caught.value)


def test_a_limit_with_a_typing_error_is_refused_and_named(file: KeyFile) -> None:
    write(file, key(requests_per_minute=5).stored)
    document = json.loads(file.path.read_text())
    document["keys"][0]["rules"] = {"requests_per_minut": 5}
    file.path.write_text(json.dumps(document))
    with pytest.raises(ConfigError, match="requests_per_minut"):
        file.read()
    document["keys"][0]["rules"] = {"requests_per_minute": 0}
    file.path.write_text(json.dumps(document))
    with pytest.raises(ConfigError, match="requests_per_minute must be between 1"):
        file.read()


def test_what_cannot_be_read_or_written_is_told(tmp_path: Path) -> None:
    folder = KeyFile(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        folder.read()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be"):
        write(KeyFile(tmp_path / "file" / "keys.json"))


def test_a_change_that_fails_leaves_the_file_as_it_was(file: KeyFile) -> None:
    kept = key("a").stored
    write(file, kept)
    before = file.path.read_bytes()

    def fail(_: KeyRing) -> tuple[StoredKey, ...]:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        file.change(fail)
    with pytest.raises(ValueError, match="two keys have the id"):
        write(file, kept, kept)
    file.path.chmod(0o666)
    with pytest.raises(ConfigError, match="may be written by others"):
        write(file)
    assert file.path.read_bytes() == before
    assert sorted(path.name for path in file.path.parent.iterdir()) == [".keys.json.lock", "keys.json"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "keys.json").symlink_to(tmp_path / "real" / "keys.json")
    write(KeyFile(tmp_path / "keys.json"), key().stored)
    assert (tmp_path / "keys.json").is_symlink()
    assert len(KeyFile(tmp_path / "real" / "keys.json").read()) == 1


_WRITER = """
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from turnout.doors.gateway.access.key_file import KeyFile
from turnout.doors.gateway.access.keys import new_key
file, name = KeyFile(Path(sys.argv[1])), sys.argv[2]
for number in range(8):
    made = new_key(f"{name}-{number}", datetime.now(UTC))
    file.change(lambda ring: (*ring.stored, made.stored))
"""


def test_what_several_processes_write_is_all_there(file: KeyFile) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(file.path), name]) for name in "xyz"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    names = {one.name for one in file.read().keys}
    assert names == {f"{name}-{number}" for name in "xyz" for number in range(8)}


def test_a_running_server_follows_the_file(file: KeyFile, caplog: pytest.LogCaptureFixture) -> None:
    live = LiveKeys(file)
    assert not live.refresh()
    first, second = key("a"), key("b")
    write(file, first.stored)
    assert live.refresh()
    assert not live.refresh()
    write(file, first.stored, second.stored)
    assert live.refresh()
    assert live.ring.check(second.token) == second.stored.public
    write(file, first.stored, msgspec.structs.replace(second.stored, revoked=MADE))
    assert live.refresh()
    assert not isinstance(live.ring.check(second.token), Key)
    with caplog.at_level(logging.WARNING):
        for break_it in (lambda: file.path.write_text("{"), file.path.unlink):
            break_it()
            caplog.clear()
            assert [live.refresh() for _ in range(3)] == [False] * 3
            assert len(caplog.messages) == 1
            assert str(file.path) in caplog.messages[0]
            assert live.ring.check(first.token) == first.stored.public  # the keys stay as they were
    write(file, second.stored)
    assert live.refresh()
    assert not isinstance(live.ring.check(first.token), Key)


def test_a_server_does_not_start_with_a_file_that_cannot_be_used(file: KeyFile) -> None:
    write(file)
    file.path.write_text("{")
    with pytest.raises(ConfigError):
        LiveKeys(file)


def test_where_keys_are_by_default() -> None:
    assert default_keys({"XDG_DATA_HOME": "/data"}) == Path("/data/turnout/keys.json")
