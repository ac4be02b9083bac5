"""What a server's processes used, from ``/proc``: CPU time and memory of a process and all below it."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and those that it started, however far down."""
    parents: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))) is not None:
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found


def cpu_s(pid: int) -> float:
    """User and system seconds of a process and of those below it, ended ones that were waited for included."""
    stats = [fields for one in family(pid) if (fields := _stat(one)) is not None]
    return sum(sum(int(value) for value in fields[11:15]) for fields in stats) / _TICKS


def peak_mb(pid: int) -> float:
    """The most memory that a process and those below it have had, each at its own time."""
    return sum(_status_mb(one, "VmHWM") for one in family(pid))


def memory_mb(pid: int) -> float:
    """The memory that they have now."""
    return sum(_status_mb(one, "VmRSS") for one in family(pid))


def _stat(pid: int) -> list[str] | None:
    """The fields from the state on; none where the process is gone."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _status_mb(pid: int, name: str) -> float:
    try:
        lines = (PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name + ":")), 0.0)
