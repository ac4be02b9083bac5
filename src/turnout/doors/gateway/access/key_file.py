"""The file that holds the keys: read whole, written whole, by one process at a time.

It is JSON, made to be written by ``turnout keys`` and read by people. It is written beside its place and then moved
there, so that a reader sees the old file or the new one; a lock file beside it keeps two writers apart.

Known limitation: locks and modes are those of POSIX systems.
"""

from __future__ import annotations

import logging
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import msgspec

from turnout.config.errors import ConfigError
from turnout.doors.gateway.access.keys import KeyRing, StoredKey

logger = logging.getLogger(__name__)

_LARGEST_BYTES = 64 * 1024 * 1024


def default_keys(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the keys are unless somebody says otherwise: beside the ledger, in the user's data directory."""
    from turnout.config.settings import default_ledger

    return default_ledger(environment).with_name("keys.json")


class _Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Literal[1] = 1
    keys: tuple[StoredKey, ...] = ()


class KeyFile:
    """A file of keys.

    Args:
        path: Where it is; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        # A link stays one: what it leads to is written.
        self.path = Path(os.path.realpath(path.expanduser()))

    def __repr__(self) -> str:
        return f"KeyFile({str(self.path)!r})"

    def read(self) -> KeyRing:
        """The keys; none if there is no file.

        Raises:
            ConfigError: The file cannot be read, is none of keys, or may be written, or read where that gives a secret
                away, by others than its owner.
        """
        try:
            with self._told("read"), open(self.path, "rb") as file:
                found = os.fstat(file.fileno())
                content = file.read(_LARGEST_BYTES + 1)
        except _MissingError:
            return KeyRing()
        if len(content) > _LARGEST_BYTES:
            raise ConfigError(f"{self.path}: is too large for a file of keys")
        # Before a word of it is believed: whoever may write it may let himself in.
        if found.st_uid not in (0, os.geteuid()):
            raise ConfigError(f"{self.path}: belongs to another user, who could write it: it must be yours or root's")
        self._check_mode(found, 0o022, "written")
        try:
            ring = KeyRing(msgspec.json.decode(content, type=_Document).keys)
        except ValueError as error:  # msgspec's own errors are among them
            raise ConfigError(f"{self.path}: is no file of keys: {error}") from None
        if ring.holds_secrets:
            self._check_mode(found, 0o077, "read")
        return ring

    def change(self, how: Callable[[KeyRing], tuple[StoredKey, ...]]) -> KeyRing:
        """Write the file anew; what another process writes meanwhile is not lost.

        Args:
            how: Gives the keys that are to be in it, from those that are.

        Returns:
            The keys that are in it now.

        Raises:
            ConfigError: As of `read`; or the file cannot be written, and is as it was.
        """
        with self._locked():
            ring = KeyRing(how(self.read()))
            text = msgspec.json.format(msgspec.json.encode(_Document(keys=ring.stored)), indent=2) + b"\n"
            with self._told("written"):
                self._replace(text)
        return ring

    def signature(self) -> tuple[int, ...] | None:
        """What changes when the file does; none if there is none or it cannot be looked at."""
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode, found.st_uid

    def _check_mode(self, found: os.stat_result, forbidden: int, done: str) -> None:
        if found.st_mode & forbidden:
            raise ConfigError(
                f"{self.path}: may be {done} by others than its owner (mode {stat.S_IMODE(found.st_mode):o}): chmod 600"
            )

    def _replace(self, text: bytes) -> None:
        partial = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self.path)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        import fcntl

        with self._told("written"):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # The lock file stays: to delete it would let two writers hold two locks.
            descriptor = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _told(self, done: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            if done == "read":
                raise _MissingError from None
            raise ConfigError(f"{self.path}: cannot be written: its folder is gone") from None
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be {done}: {error.strerror or error}") from None


class _MissingError(Exception):
    """There is no file."""


class LiveKeys:
    """The keys of a running server: what the file says, or said when it could last be read.

    Args:
        file: The file.

    Raises:
        ConfigError: It cannot be read.

    Attributes:
        ring: The keys.
    """

    def __init__(self, file: KeyFile) -> None:
        self._file = file
        self._seen = file.signature()
        self.ring = file.read()

    def refresh(self) -> bool:
        """Read the file again if it changed; returns whether the keys are other ones now.

        A file that is gone or cannot be used changes nothing: the keys stay as they were, and a log says why, once.
        """
        seen = self._file.signature()
        if seen == self._seen:
            return False
        self._seen = seen
        if seen is None:
            logger.warning("path=<%s> | the key file is gone, the keys stay as they were", self._file.path)
            return False
        try:
            self.ring = self._file.read()
        except ConfigError as error:
            logger.warning("error=<%s> | the key file cannot be used, the keys stay as they were", error)
            return False
        return True
