"""Keeping the entries of ``genai-prices`` that the catalog names.

``python -m turnout.config.price_snapshot`` writes ``genai_prices.json`` anew; do so after every update of the package.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from turnout.config.facts import packaged_facts
from turnout.config.genai_package import PACKAGE, package_version, read_package
from turnout.config.prices import SNAPSHOT, PriceSnapshot


def write_snapshot(path: Path = SNAPSHOT) -> PriceSnapshot:
    """Write the entries that the packaged catalog names to a file, and return them."""
    entries = {reference: read_package(reference) for reference in sorted(packaged_facts().price_references())}
    snapshot = PriceSnapshot(version=package_version(), entries=entries)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(snapshot), indent=1) + b"\n")
    return snapshot


if __name__ == "__main__":
    print(f"{len(write_snapshot().entries)} entries of {PACKAGE} {package_version()} written to {SNAPSHOT}")
