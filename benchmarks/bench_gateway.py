"""What the gateway costs a request: its CPU time against that of a bare relay on the same server and client.

Run it with ``python -m benchmarks.bench_gateway``. Both run in processes of their own before the same mock provider,
in turns, so that whatever else the machine does falls on both. CPU is user and system time of the process, read from
``/proc``; the gateway has keyword policy, cache state and ledger on, and its ledger is written within it. Latency is
that of one connection. The goal is a ratio of at most 2.5; it is reported and never asserted.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.gateway_parts import EVENTS

CONNECTIONS = 16
ROUNDS = 5


def body(*, stream: bool = False, tools: int = 0, words: int = 60) -> bytes:
    """A chat completion."""
    asked: dict[str, Any] = {"model": "turnout", "messages": [{"role": "system", "content": "You are of help."}]}
    asked["messages"].append({"role": "user", "content": "What are your opening hours? " + "word " * words})
    if tools:
        described = {"type": "object", "properties": {name: {"type": "string"} for name in ("place", "day", "unit")}}
        asked["tools"] = [
            {"type": "function", "function": {"name": f"tool_{one}", "description": "d" * 180, "parameters": described}}
            for one in range(tools)
        ]
    if stream:
        asked["stream"] = True
    return json.dumps(asked, separators=(",", ":")).encode()


WORK = {
    "chat of 0.5 KB": (body(), 1500),
    "chat of 3.5 KB with tools": (body(tools=8, words=80), 1500),
    f"stream of {EVENTS} events": (body(stream=True), 150),
}


class Client(asyncio.Protocol):
    """One connection of the load."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._transport: Any = None
        self._buffer = bytearray()
        self._done: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0 or self._done is None:
            return
        fields = bytes(self._buffer[:head]).lower()
        if b"transfer-encoding: chunked" in fields:
            whole = self._buffer.endswith(b"\r\n0\r\n\r\n")
        else:
            length = int(fields.split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
            whole = len(self._buffer) >= head + 4 + length
        if whole and not self._done.done():
            if not fields.startswith(b"http/1.1 200"):
                self._done.set_exception(RuntimeError(bytes(self._buffer).decode()))
            else:
                self._done.set_result(None)

    async def ask(self) -> None:
        """Send the request and take the whole answer."""
        self._buffer.clear()
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(self._request)
        await self._done

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


async def load(port: int, data: bytes, count: int, connections: int) -> list[float]:
    """Ask so many times; the seconds that each answer took."""
    request = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer key\r\nuser-agent: bench\r\naccept: */*\r\ncontent-length: %d\r\n\r\n%b"
        % (len(data), data)
    )
    loop = asyncio.get_running_loop()
    took: list[float] = []
    left = count

    async def work() -> None:
        nonlocal left
        _, client = await loop.create_connection(lambda: Client(request), "127.0.0.1", port)
        while left > 0:
            left -= 1
            began = time.perf_counter()
            await client.ask()
            took.append(time.perf_counter() - began)
        client.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    return took


def cpu_s(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid: int) -> float:
    """The most memory that a process has had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def started(*arguments: str) -> tuple[subprocess.Popen[str], int]:
    """One of the processes, and its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.gateway_parts", *arguments], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def main() -> None:
    """Print the table."""
    if not Path("/proc/self/stat").exists():
        print("skipped: CPU time of other processes is read from /proc, which this system lacks")
        return
    upstream, port = started("upstream")
    servers = {name: started(name, f"http://127.0.0.1:{port}") for name in ("bare", "gateway")}
    cpu: dict[tuple[str, str], list[float]] = {}
    latency: dict[tuple[str, str], list[float]] = {}
    try:
        for number in range(ROUNDS + 1):
            for what, (data, count) in WORK.items():
                for name, (process, own) in servers.items():
                    before = cpu_s(process.pid)
                    asyncio.run(load(own, data, count, CONNECTIONS))
                    used = (cpu_s(process.pid) - before) / count
                    alone = asyncio.run(load(own, data, max(20, count // 10), 1))
                    if number:  # the first round warms up
                        cpu.setdefault((what, name), []).append(used)
                        latency.setdefault((what, name), []).append(statistics.median(alone))
        peaks = {name: peak_mb(process.pid) for name, (process, _) in servers.items()}
    finally:
        for process in (upstream, *(process for process, _ in servers.values())):
            process.terminate()
            process.wait()
    table = Table("", "bare µs", "gateway µs", "ratio", "added p50 ms, one connection")
    for what in WORK:
        bare, ours = (statistics.median(cpu[what, name]) * 1e6 for name in ("bare", "gateway"))
        added = statistics.median(latency[what, "gateway"]) - statistics.median(latency[what, "bare"])
        table.add_row(what, f"{bare:.0f}", f"{ours:.0f}", f"{ours / bare:.2f}", f"{added * 1000:.2f}")
    Console(width=120).print(table)
    streams = next(what for what in WORK if what.startswith("stream"))
    event = statistics.median(cpu[streams, "gateway"]) / EVENTS * 1e6
    print(f"CPU of the process a request, {CONNECTIONS} connections, median of {ROUNDS} rounds in turns")
    print(
        f"a relayed event: {event:.1f} µs of the gateway; peak memory: "
        + ", ".join(f"{n} {p:.0f} MB" for n, p in peaks.items())
    )


if __name__ == "__main__":
    main()
