from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluate.outcomes.tables import answers, file_of
from turnout.evaluate.outcomes.content import group_keys
from turnout.evaluate.outcomes.files import Source, read_batches
from turnout.evaluate.outcomes.parting import part_of, parted
from turnout.evaluate.outcomes.table import OutcomesError


@pytest.fixture
def source(tmp_path: Path) -> Source:
    rows = [row for number in range(600) for row in answers(f"p{number}", 1, 1, group=f"g{number // 2}")]
    return file_of(tmp_path / "t.jsonl", *rows)


def test_no_group_is_in_two_parts_and_nothing_is_lost(source: Source, tmp_path: Path) -> None:
    parts = [(tmp_path / "a.csv", 0.5), (tmp_path / "b.jsonl", 0.3), (tmp_path / "c.csv", 0.2)]
    written = parted(source, parts)
    assert sum(written) == 1_200
    groups = [{key for batch in read_batches(path) for key in group_keys(batch)} for path, _ in parts]
    assert not groups[0] & groups[1]
    assert not groups[1] & groups[2]
    assert len(groups[0] | groups[1] | groups[2]) == 300
    for rows, (_, share) in zip(written, parts, strict=True):
        assert rows / 1_200 == pytest.approx(share, abs=0.1)


@given(st.integers(0, 2**64 - 1), st.integers(0, 100))
def test_a_group_is_where_its_hash_says(key: int, seed: int) -> None:
    part = part_of(key, [0.5, 0.5], seed)
    assert part == part_of(key, [0.5, 0.5], seed)
    # A first part that grows takes from the second, and gives nothing back.
    assert part_of(key, [0.7, 0.3], seed) <= part


@pytest.mark.parametrize(
    ("names", "shares", "message"),
    [
        (["a.csv"], [1.0], "two or more shares"),
        (["a.csv", "b.csv"], [0.5, 0.6], "together 1, got 0.5, 0.6"),
        (["a.csv", "b.csv"], [1.0, 0.0], "shares above 0"),
        (["a.csv", "a.csv"], [0.5, 0.5], "a.csv is named twice"),
        (["a.csv", "t.jsonl"], [0.5, 0.5], "t.jsonl is named twice"),
        (["a.csv", "b.txt"], [0.5, 0.5], "the name must end in"),
    ],
)
def test_what_cannot_be_asked_for_leaves_nothing(
    source: Source, tmp_path: Path, names: list[str], shares: list[float], message: str
) -> None:
    with pytest.raises(OutcomesError, match=message):
        parted(source, [(tmp_path / name, share) for name, share in zip(names, shares, strict=True)])
    assert [path.name for path in tmp_path.iterdir()] == ["t.jsonl"]
