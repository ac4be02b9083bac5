from __future__ import annotations

from pathlib import Path

from turnout.config.facts import packaged_facts
from turnout.config.genai_package import package_version, read_package
from turnout.config.price_snapshot import write_snapshot
from turnout.config.prices import SNAPSHOT, packaged_snapshot


def test_what_is_kept_is_what_the_installed_package_says() -> None:
    # If this fails after an update of genai-prices: python -m turnout.config.price_snapshot, then read the difference.
    snapshot = packaged_snapshot()
    assert snapshot.version == package_version()
    assert set(snapshot.entries) == packaged_facts().price_references()
    for reference, kept in snapshot.entries.items():
        assert kept == read_package(reference), reference


def test_writing_it_anew_gives_the_same_file(tmp_path: Path) -> None:
    written = write_snapshot(tmp_path / "prices.json")
    assert (tmp_path / "prices.json").read_bytes() == SNAPSHOT.read_bytes()
    assert written == packaged_snapshot()
