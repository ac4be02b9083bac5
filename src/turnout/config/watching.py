"""Reads a file of settings anew when it has changed; one that is wrong is named, and the old settings stay.

`Watcher` does the work and is driven from outside: each `Watcher.poll` looks at the files once. `watch` drives it in an
event loop, by the clock and by SIGHUP. It knows nothing of settings: what it gives is whatever ``load`` makes of them,
so that a server can have its policy, catalog and classifier made and refused together.

No half-written file is taken:

- a file that has changed is read once it has not changed any more between two polls;
- it must be the same, by its hash, before and after it was loaded;
- one that has become empty is refused: so a shell begins to write, and it would mean "all defaults".

SIGHUP says that the files are ready: they are then loaded at once, changed or not.

Known limitation: a writer that pauses for longer than a poll, with what is there so far being valid, is not told from
one that is done. Write beside the file and rename it, as most editors do.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from turnout.config.errors import ConfigError

if TYPE_CHECKING:
    from turnout.config.settings import Settings

logger = logging.getLogger(__name__)

T = TypeVar("T")

POLL_SECONDS = 1.0
"""How often files are looked at."""

_RACY_NS = 2_000_000_000
"""A file that was read so soon after it changed may have changed again without its time saying so."""


class Reloaded(NamedTuple, Generic[T]):
    """The files were read anew.

    Attributes:
        value: What ``load`` made of them.
        previous: What held before.
    """

    value: T
    previous: T


class Refused(NamedTuple):
    """The files cannot be used, and the old settings stay; ``message`` is one line that names what is wrong."""

    message: str


class _Stamp(NamedTuple):
    """What a file's system says of it, without reading it; a file that is not there has no stamp."""

    modified_ns: int
    size: int
    inode: int


class _Seen(NamedTuple):
    """A file that was read; the hash of one that is not there is empty."""

    stamp: _Stamp | None
    digest: str = ""
    blank: bool = False
    read_ns: int = 0


_Sight = dict[Path, _Seen]


class Watcher(Generic[T]):
    """Keeps what was made of some files, and makes it anew when they have changed. One thread at a time may use it.

    Args:
        load: Reads the files and gives what is made of them; raises what is wrong.
        files: Which files a value was made of, such as `files_of` settings.

    Attributes:
        value: What holds now.

    Raises:
        Exception: What ``load`` raises the first time: without settings there is nothing to keep.
    """

    def __init__(self, load: Callable[[], T], files: Callable[[T], Iterable[Path]]) -> None:
        self._load = load
        self._files = files
        self.value = load()
        self._paths = tuple(files(self.value))
        self._taken = self._look({})
        self._last = self._good = self._taken
        self._asked = False

    def ask(self) -> None:
        """Have the next poll load the files whether or not they changed; may be called from a signal handler."""
        self._asked = True

    def poll(self) -> Reloaded[T] | Refused | None:
        """Look at the files once, and load them if they changed and are settled; none where there is nothing to say."""
        asked, self._asked = self._asked, False
        now = self._look(self._last)
        settled, self._last = _digests(now) == _digests(self._last), now
        if not asked and (not settled or _digests(now) == _digests(self._taken)):
            return None
        return self._take(now)

    def _take(self, before: _Sight) -> Reloaded[T] | Refused | None:
        found = self._loaded(before)
        after = self._look({})
        if _digests(after) != _digests(before):
            # Somebody is writing: what was read may be half of it.
            self._last, self._asked = after, True
            return None
        self._taken = self._last = after
        if isinstance(found, Refused):
            return found
        paths = tuple(self._files(found.value))
        if paths != self._paths:
            # Other files are named now: what was read of them counts only if they did not change meanwhile either.
            self._paths = paths
            return self._take(self._look({}))
        self.value, self._good = found.value, after
        return found

    def _loaded(self, before: _Sight) -> Reloaded[T] | Refused:
        for path, seen in before.items():
            good = self._good.get(path)
            if seen.blank and good is not None and not good.blank:
                return Refused(f"{path}: is empty")
        try:
            return Reloaded(self._load(), self.value)
        except (ConfigError, OSError) as error:
            return Refused(_one_line(error))
        except Exception as error:
            # Whatever it is, a server must go on with what it has.
            logger.exception("files=<%s> | loading failed", ", ".join(map(str, self._paths)))
            return Refused(f"{type(error).__name__}: {_one_line(error)}")

    def _look(self, known: _Sight) -> _Sight:
        return {path: _seen(path, known.get(path)) for path in self._paths}


def files_of(settings: Settings) -> tuple[Path, ...]:
    """The files that settings were made of: their own, that of overrides, and the classifier's."""
    options = settings.classifier
    artefact = options.artefact / "model.json" if options.artefact else None  # it is written last
    files = (settings.file, settings.overrides, options.examples, options.rules, artefact)
    return tuple(path for path in files if path)


def settings_watcher(path: Path | None = None) -> Watcher[Settings]:
    """A watcher of settings alone; see `turnout.config.settings.load_settings` for ``path``.

    Raises:
        ConfigError: They cannot be loaded now.
    """
    from turnout.config.settings import load_settings

    return Watcher(lambda: load_settings(path), files_of)


def changed_keys(before: Settings, after: Settings) -> tuple[str, ...]:
    """The names of the attributes of `Settings` that differ, for the log and to see what needs a restart."""
    names = [field.name for field in dataclasses.fields(before)]
    return tuple(name for name in names if getattr(before, name) != getattr(after, name))


@asynccontextmanager
async def watch(
    watcher: Watcher[T],
    on_change: Callable[[Reloaded[T] | Refused], None],
    *,
    interval_s: float = POLL_SECONDS,
    sighup: bool = True,
) -> AsyncIterator[None]:
    """Poll while the block runs, by the clock and on SIGHUP; files are read in a thread, not in the event loop.

    Args:
        watcher: What is polled; nobody else may poll it meanwhile.
        on_change: Is told in the event loop of what was loaded or refused; what it raises is logged.
        interval_s: Seconds between two polls.
        sighup: Whether SIGHUP loads the files at once. It needs the main thread's event loop.
    """
    asked = asyncio.Event()

    def ask() -> None:
        watcher.ask()
        asked.set()

    loop = asyncio.get_running_loop()
    if sighup:
        loop.add_signal_handler(signal.SIGHUP, ask)
    task = loop.create_task(_drive(watcher, on_change, interval_s, asked), name="turnout-settings")
    try:
        yield
    finally:
        if sighup:
            loop.remove_signal_handler(signal.SIGHUP)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _drive(
    watcher: Watcher[T], on_change: Callable[[Reloaded[T] | Refused], None], interval_s: float, asked: asyncio.Event
) -> None:
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(asked.wait(), interval_s)
        asked.clear()
        found = await asyncio.to_thread(watcher.poll)
        if found is None:
            continue
        if isinstance(found, Refused):
            logger.error("problem=<%s> | new settings were refused, the old ones stay", found.message)
        else:
            logger.warning("settings were read anew")
        try:
            on_change(found)
        except Exception:
            logger.exception("what was told of new settings failed")


def _seen(path: Path, known: _Seen | None) -> _Seen:
    """The file as it is; its hash is worked out again unless it surely is that of before."""
    try:
        status = path.stat()
        stamp = _Stamp(status.st_mtime_ns, status.st_size, status.st_ino)
        if known is not None and known.stamp == stamp and known.read_ns - stamp.modified_ns > _RACY_NS:
            return known
        read_ns = time.time_ns()
        content = path.read_bytes()
        return _Seen(stamp, hashlib.sha256(content).hexdigest(), not content.strip(), read_ns)
    except OSError:
        return _Seen(None)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _digests(sight: _Sight) -> dict[Path, str]:
    return {path: seen.digest for path, seen in sight.items()}
