"""One run of all servers in turns, so that whatever else the machine does falls on all of them alike.

CPU is user and system time of a server and the processes below it, read from ``/proc``; the gateway's includes that of
writing its ledger. Requests per core are what that CPU allows: 1 / CPU of a request; requests per second are what came
through over sixteen connections, where the load may be the limit (nginx is faster than any client in Python). What is
added at one connection is the median time less that of the provider asked directly, in the same round.

Plain answers come from nginx where it can be had. Streams come from our own mock provider, which sends each event by
itself, 2 ms apart: nginx would send them as one piece, and flatter everybody.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence, Set
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.gateway.bodies import EVENTS, VARIANTS, chat
from benchmarks.gateway.load import Load, load, requests_of
from benchmarks.gateway.peers import AbsentError
from benchmarks.gateway.reading import cpu_s, peak_mb
from benchmarks.gateway.servers import PATH, Kind, Server, end, kinds, nginx_provider, pinning, provider

CONNECTIONS = 16
PLAIN, TOOLS, STREAM = "0.5 KB", "3.5 KB with tools", f"stream of {EVENTS} events"
BARE, OURS = "bare relay", "turnout"

MOST_RATIO = 2.5
MOST_ADDED_MS = 0.5
MOST_PEAK_MB = 150.0
MOST_START_S = 1.5
MOST_EVENT_US = 20.0
PEERS_FACTOR = {"litellm": 80.0, "portkey": 8.0}


def measure(*, rounds: int, seconds: float, only: Set[str] | None = None) -> dict[str, Any]:
    """All figures, as JSON takes them.

    Args:
        rounds: How often all are measured, after a round that warms up.
        seconds: How long each load is.
        only: Names of those to measure beside the bare relay and Turnout; none: all that can be had.
    """
    cores = pinning()
    if cores["load"]:
        os.sched_setaffinity(0, {int(core) for core in cores["load"]})
    found, absent = kinds(peers_too=only is None or bool(only - {BARE, OURS}))
    wanted = [kind for kind in found if only is None or kind.name in only or kind.name in (BARE, OURS)]
    with ExitStack() as open_, tempfile.TemporaryDirectory() as folder:
        stream_process, stream_port = provider(cores["provider"])
        open_.callback(end, stream_process)
        plain_port, source = stream_port, "own mock"
        try:
            (place := Path(folder, "provider")).mkdir()
            process, plain_port = nginx_provider(place, cores["provider"])
            open_.callback(end, process)
            source = "nginx"
            time.sleep(0.3)
        except AbsentError as error:
            absent["nginx as the provider"] = str(error)
        servers: dict[str, dict[str, Server]] = {}
        for kind in wanted:
            try:
                servers[kind.name] = _started(kind, plain_port, stream_port, Path(folder), cores["measured"], open_)
            except (AbsentError, OSError, subprocess.SubprocessError) as error:
                if kind.name in (BARE, OURS):
                    raise
                absent[kind.name] = str(error)
        direct = {PLAIN: plain_port, TOOLS: plain_port, STREAM: stream_port}
        cells = _rounds(servers, direct, rounds=rounds, seconds=seconds)
        versions = {kind.name: kind.version for kind in wanted}
        return {
            "machine": {
                "python": platform.python_version(),
                "platform": platform.platform(),
                "cores": os.cpu_count(),
                "pinning": cores if cores["load"] else "none: fewer than four cores",
                "load_before": os.getloadavg()[0],
                "date": time.strftime("%Y-%m-%d"),
            },
            "rounds": rounds,
            "seconds": seconds,
            "connections": CONNECTIONS,
            "provider": source,
            "absent": absent,
            "servers": {
                name: {
                    "version": versions[name],
                    "start_s": round(by[PLAIN].start_s, 3),
                    "peak_mb": round(max(peak_mb(server.process.pid) for server in by.values()), 1),
                    "key": any("tk-" in value for _, value in by[PLAIN].headers),
                    **cells[name],
                }
                for name, by in servers.items()
            },
        }


def _started(
    kind: Kind, plain: int, stream: int, folder: Path, cpus: Sequence[str], open_: ExitStack
) -> dict[str, Server]:
    """One server before each provider; the second is for streams alone."""
    servers = {}
    for what, port in ((PLAIN, plain), (STREAM, stream)):
        place = folder / f"{kind.name}-{what}".replace(" ", "-")
        place.mkdir()
        server = kind.start(f"http://127.0.0.1:{port}", place, cpus)
        open_.callback(server.stop)
        servers[what] = server
    return {PLAIN: servers[PLAIN], TOOLS: servers[PLAIN], STREAM: servers[STREAM]}


def _rounds(
    servers: dict[str, dict[str, Server]], direct: dict[str, int], *, rounds: int, seconds: float
) -> dict[str, dict[str, Any]]:
    cells: dict[str, dict[str, list[dict[str, float]]]] = {name: {} for name in servers}
    for number in range(rounds + 1):
        for what in (PLAIN, TOOLS, STREAM):
            bare = requests_of(PATH, [("authorization", "Bearer none")], _bodies(what, "gpt-5"))
            alone = _median_s(direct[what], bare, seconds / 2)
            for name, by in servers.items():
                server = by[what]
                asked = requests_of(PATH, server.headers, _bodies(what, server.model))
                pid = server.process.pid
                before = cpu_s(pid)
                done = _run(server.port, asked, CONNECTIONS, seconds)
                used = cpu_s(pid) - before
                added = _median_s(server.port, asked, seconds / 2) - alone
                if number:  # the first round warms up
                    cell = {
                        "cpu_us": used / done.answers * 1e6,
                        "per_s": done.answers / done.seconds,
                        "added_ms": added * 1e3,
                    }
                    cells[name].setdefault(what, []).append(cell)
    return {
        name: {
            what: {key: round(statistics.median(one[key] for one in many), 3) for key in many[0]}
            for what, many in found.items()
        }
        for name, found in cells.items()
    }


def _bodies(what: str, model: str) -> list[bytes]:
    many = {"tools": 8, "words": 80} if what == TOOLS else {}
    return [chat(number, model=model, stream=what == STREAM, **many) for number in range(VARIANTS)]


def _run(port: int, asked: list[bytes], connections: int, seconds: float) -> Load:
    import uvloop

    return uvloop.run(load(port, asked, connections=connections, seconds=seconds))


def _median_s(port: int, asked: list[bytes], seconds: float) -> float:
    """The median time of an answer at one connection."""
    return statistics.median(_run(port, asked, 1, seconds).took)


def _ratio(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """How often the CPU of one is that of another; in a load too short for the system's clock it may be none at all."""
    return one["cpu_us"] / other["cpu_us"] if other["cpu_us"] else float("nan")


def missed(figures: dict[str, Any]) -> list[str]:
    """The targets that were missed, each with its figure."""
    servers = figures["servers"]
    ours, bare = servers[OURS], servers[BARE]
    failed = []
    for what in (PLAIN, TOOLS):
        ratio = _ratio(ours[what], bare[what])
        if ratio > MOST_RATIO:
            failed.append(f"{what}: {ratio:.2f} times the CPU of the bare relay, at most {MOST_RATIO}")
        if ours[what]["added_ms"] > MOST_ADDED_MS:
            failed.append(f"{what}: adds {ours[what]['added_ms']:.2f} ms at one connection, at most {MOST_ADDED_MS}")
    event_us = ours[STREAM]["cpu_us"] / EVENTS
    if event_us > MOST_EVENT_US:
        failed.append(f"a relayed event: {event_us:.1f} µs, at most {MOST_EVENT_US:g}")
    if ours["peak_mb"] > MOST_PEAK_MB:
        failed.append(f"peak memory: {ours['peak_mb']:.0f} MB, at most {MOST_PEAK_MB:.0f}")
    if ours["start_s"] > MOST_START_S:
        failed.append(f"start to first answer: {ours['start_s']:.2f} s, at most {MOST_START_S}")
    for name, factor in PEERS_FACTOR.items():
        if name in servers and PLAIN in servers[name]:
            times = _ratio(servers[name][PLAIN], ours[PLAIN])
            if times < factor:
                failed.append(f"{times:.1f} times the throughput per core of {name}, at least {factor:g}")
    return failed


def report(figures: dict[str, Any]) -> None:
    """Print the table."""
    table = Table(
        "gateway",
        f"req/s c{CONNECTIONS}",
        "CPU µs 0.5 KB",
        "with tools",
        "req/s a core",
        "added p50 ms c1",
        f"CPU µs {EVENTS} events",
        "µs an event",
        "start s",
        "peak MB",
    )
    servers = figures["servers"]
    for name, one in sorted(servers.items(), key=lambda item: float(item[1][PLAIN]["cpu_us"])):
        plain, stream = one[PLAIN], one[STREAM]["cpu_us"]
        table.add_row(
            name,
            f"{plain['per_s']:,.0f}",
            f"{plain['cpu_us']:,.0f}",
            f"{one[TOOLS]['cpu_us']:,.0f}",
            f"{_ratio({'cpu_us': 1e6}, plain):,.0f}",
            f"{plain['added_ms']:.2f}",
            f"{stream:,.0f}",
            f"{stream / EVENTS:.1f}",
            f"{one['start_s']:.2f}",
            f"{one['peak_mb']:.0f}",
        )
    Console(width=140).print(table)
    machine = figures["machine"]
    print(
        f"medians of {figures['rounds']} rounds in turns, {figures['seconds']:g} s each; plain answers by "
        f"{figures['provider']}, streams by our mock; {machine['cores']} cores, load {machine['load_before']:.1f}, "
        f"Python {machine['python']}; pinning: {machine['pinning']}"
    )
    for name, one in servers.items():
        print(f"  {name}: {one['version']}{', key checked' if one['key'] else ''}")
    for name, why in figures["absent"].items():
        print(f"  left out: {name}: {why}")
    ours, bare = servers[OURS], servers[BARE]
    ratios = [f"{what} {_ratio(ours[what], bare[what]):.2f}" for what in (PLAIN, TOOLS, STREAM)]
    print(f"CPU of Turnout against the bare relay: {', '.join(ratios)}")
    sys.stdout.flush()
