from pathlib import Path

import pytest

from tests.evaluate.replay.traces import MOONCAKE, TAU_BENCH
from tests.trace.decided import called, decided
from turnout.evaluate.replay.errors import TraceError
from turnout.evaluate.replay.sources import format_of, load_trace
from turnout.trace.store.ledger import Ledger


@pytest.mark.parametrize(
    ("name", "expected"),
    [("t.jsonl", "mooncake"), ("t.jsonl.xz", "mooncake"), ("t.json.xz", "tau-bench"), ("t.sqlite3", "ledger")],
)
def test_the_name_tells_the_format(name: str, expected: str) -> None:
    assert format_of(Path(name)) == expected
    assert format_of(Path(name), "ledger") == "ledger"


def test_mistakes() -> None:
    with pytest.raises(TraceError, match="the name tells of no trace"):
        format_of(Path("trace.txt"))
    with pytest.raises(TraceError, match="unknown format 'moonshine'; the nearest known one is 'mooncake'"):
        format_of(MOONCAKE, "moonshine")
    with pytest.raises(TraceError, match="only a ledger has runs"):
        load_trace(MOONCAKE, run="v4")


def test_each_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with Ledger(path) as ledger:
        ledger.append([decided(), called()])
    assert [load_trace(one, limit=1).grain for one in (MOONCAKE, TAU_BENCH, path)] == ["blocks", "entries", "entries"]
