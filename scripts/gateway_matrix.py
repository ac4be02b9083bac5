"""The page ``docs/gateway-matrix.md``, from what the test of the matrix wrote into ``docs/gateway-matrix.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent.parent / "docs" / "gateway-matrix.json"

_HEAD = """\
# Clients of the gateway

Which client reaches which provider by which door, in which case: what a test saw that runs each cell over real sockets,
with the client's own package, unchanged, against a gateway in front of [doubles](api/testing.md). An answer counts only
if the client's own objects hold what the provider said, the usage is what it reported, the headers and the record agree
with it, and the cost is exact. *Error* is three: a 400 of the provider and a 429 that does not end are the client's own
exceptions with their status, and so is an error in mid-stream. *Cancel* is a client that leaves in mid-stream: the
connection to the provider closes, and the call is on record as cancelled. *Tools* is two tools at once, their results,
and the answer. The local model is [the packaged one](gateway.md#when-the-provider-speaks-another-protocol), and no
double: its answers are only looked at for being there, and for their usage and record.

What unmodified agents do with it: [agents and frameworks](gateway-clients.md).
"""
_UPSTREAMS = {"openai": "OpenAI", "anthropic": "Anthropic", "bedrock": "Bedrock", "local": "local model"}


def matrix_page(file: Path = FILE) -> str:
    """The page.

    Args:
        file: What the test wrote.
    """
    found = json.loads(file.read_text(encoding="utf-8"))
    clients, cells = found["clients"], found["cells"]
    cases = list(dict.fromkeys(cell["case"] for cell in cells))
    numbers: dict[str, int] = {}
    parts = [_HEAD, _summary(cells)]
    for door in dict.fromkeys(client["door"] for client in clients):
        parts += [f"\n## `{door}`\n", _header(cases)]
        for client in (one for one in clients if one["door"] == door):
            own = [cell for cell in cells if cell["client"] == client["name"]]
            parts += [_row(client, upstream, own, cases, numbers) for upstream in dict.fromkeys(_names(own))]
    if numbers:
        parts.append("\n## Notes\n")
        parts += [f"{number}. {note}" for note, number in numbers.items()]
    versions = {client["package"]: client["version"] for client in clients}
    parts.append("\n## Versions\n")
    parts.append(", ".join(f"{package} {version}" for package, version in sorted(versions.items())) + ".")
    return "\n".join(parts) + "\n"


def _summary(cells: Iterable[Mapping[str, Any]]) -> str:
    results = [cell["result"] for cell in cells]
    return f"{results.count('yes')} of {len(results)} cells work; each of the others says why it does not."


def _header(cases: Iterable[str]) -> str:
    names = ["client", "provider", "asked by", *cases]
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}"


def _names(cells: Iterable[Mapping[str, Any]]) -> list[str]:
    return [cell["upstream"] for cell in cells]


def _row(
    client: Mapping[str, Any],
    upstream: str,
    cells: Iterable[Mapping[str, Any]],
    cases: Iterable[str],
    numbers: dict[str, int],
) -> str:
    by_case = {cell["case"]: cell for cell in cells if cell["upstream"] == upstream}
    ways = sorted({cell["by"] for cell in by_case.values() if cell["by"]})
    shown = [_cell(by_case[case], numbers) for case in cases]
    return f"| {' | '.join([client['shown'], _UPSTREAMS[upstream], ', '.join(ways) or '-', *shown])} |"


def _cell(cell: Mapping[str, Any], numbers: dict[str, int]) -> str:
    """Yes or no, with the number of its note."""
    note = cell["note"]
    if not note:
        return str(cell["result"])
    return f"{cell['result']} ({numbers.setdefault(note, len(numbers) + 1)})"
