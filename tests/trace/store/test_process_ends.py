"""What the ledger has of a process that ended, however it ended.

The promise (`turnout.trace.store.recorder`): at most the events of the last 200 ms are lost where the process gets no
chance to write (SIGKILL, ``os._exit``, a crash of the interpreter), none where Python ends it (its end, an exception,
``sys.exit``, Ctrl-C, SIGTERM with `install_signal_flush`), and the file is whole in any case.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from turnout.trace.events import Event
from turnout.trace.store.ledger import Ledger

ROOT = Path(__file__).parents[3]
KILLS = 15
LOST_MS = 200
"""Of the default interval."""

PREAMBLE = """
import os, signal, sys, time
import msgspec
from tests.trace.samples import call, decision
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.recorder import Recorder
from turnout.trace.store.signals import install_signal_flush

made = [decision(run="run"), call(run="run")]

def record(name):
    now_ms = time.time_ns() // 1_000_000
    recorder.record(msgspec.structs.replace(made[len(name) % 2], event_id=name, started_ms=now_ms))
    # What a pipe has taken outlives the process.
    os.write(1, f"{name} {now_ms}\\n".encode())

recorder = Recorder(Ledger(sys.argv[1]))
"""

FOR_EVER = """
number = 0
while True:
    record(f"{sys.argv[2]}-{number}")
    number += 1
    time.sleep(0.0002)
"""


@contextmanager
def _process(path: Path, script: str, name: str = "") -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + script, str(path), name],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _recorded(lines: list[bytes]) -> dict[str, int]:
    """When each event was recorded that the process told of, in the order in which it was."""
    return {name.decode(): int(recorded_ms) for name, recorded_ms in map(bytes.split, lines)}


def _ids(path: Path) -> set[str]:
    """The ids in the ledger, which opens, is whole, and holds no event that cannot be read."""
    with Ledger(path, create=False) as ledger:
        assert ledger.select("PRAGMA integrity_check") == [("ok",)]
        events: list[Event] = [*ledger.calls(), *ledger.decisions()]
    return {event.event_id for event in events}


@pytest.mark.once
def test_a_killed_process_loses_only_the_last_moments_and_damages_nothing(tmp_path: Path) -> None:
    path, moments = tmp_path / "ledger.db", random.Random(11)
    lost_ms: list[int] = []
    everything: set[str] = set()
    for attempt in range(KILLS):
        # One ledger for all: each process finds what the killed one before left, a half-written file beside it too.
        with _process(path, FOR_EVER, str(attempt)) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            time.sleep(moments.uniform(0, 0.3))
            process.kill()
            lines += process.stdout.readlines()
        assert process.wait() == -signal.SIGKILL
        recorded = _recorded(lines)
        ids = _ids(path)
        assert everything <= ids
        everything |= ids
        lost = [name for name in recorded if name not in ids]
        # No holes: what is lost is the end.
        assert list(recorded)[len(recorded) - len(lost) :] == lost
        lost_ms.append(max(recorded.values()) - recorded[lost[0]] if lost else 0)
    assert len(everything) > KILLS
    # A machine under load may not let the writer run for a while; it does not do so most of the time.
    assert sorted(lost_ms)[KILLS // 2] <= LOST_MS, lost_ms


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("", 0),
        ("raise RuntimeError('on purpose')", 1),
        ("sys.exit(3)", 3),
        (
            "signal.signal(signal.SIGINT, signal.default_int_handler)\nsignal.raise_signal(signal.SIGINT)",
            -signal.SIGINT,
        ),
        ("install_signal_flush(recorder)\nsignal.raise_signal(signal.SIGTERM)", -signal.SIGTERM),
    ],
    ids=["end", "exception", "sys.exit", "KeyboardInterrupt", "SIGTERM"],
)
def test_a_process_that_python_ends_loses_nothing(tmp_path: Path, end: str, status: int) -> None:
    path = tmp_path / "ledger.db"
    with _process(path, 'for number in range(300):\n    record(f"a-{number}")\n' + end) as process:
        output, errors = process.communicate(timeout=60)
    recorded = _recorded(output.splitlines())
    assert len(recorded) == 300, errors
    assert process.returncode == status
    assert _ids(path) == set(recorded)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_moment_loses_nothing(tmp_path: Path, signum: signal.Signals) -> None:
    path, moments = tmp_path / "ledger.db", random.Random(12)
    # A process that was started in the background ignores SIGINT until it is told not to.
    ready = "signal.signal(signal.SIGINT, signal.default_int_handler)\ninstall_signal_flush(recorder)\n"
    for attempt in range(3):
        with _process(path, ready + FOR_EVER, str(attempt)) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            time.sleep(moments.uniform(0, 0.3))
            process.send_signal(signum)
            lines += process.stdout.readlines()
        assert process.wait() == -signum
        assert set(_recorded(lines)) <= _ids(path)


def test_a_process_that_leaves_by_os_exit_loses_what_it_did_not_flush_and_no_more(tmp_path: Path) -> None:
    script = """
for number in range(200):
    record(f"a-{number}")
recorder.flush()
for number in range(200, 300):
    record(f"a-{number}")
os._exit(4)
"""
    path = tmp_path / "ledger.db"
    with _process(path, script) as process:
        output, errors = process.communicate(timeout=60)
    recorded = _recorded(output.splitlines())
    assert (len(recorded), process.returncode) == (300, 4), errors
    ids = _ids(path)
    assert set(list(recorded)[:200]) <= ids <= set(recorded)
