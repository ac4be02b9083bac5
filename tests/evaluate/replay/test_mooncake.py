import json
from pathlib import Path

import pytest

from tests.evaluate.replay.traces import MOONCAKE, mooncake
from turnout.evaluate.replay.errors import TraceError
from turnout.evaluate.replay.mooncake import load_mooncake


def line(at_ms: int, tokens: int, blocks: list[int], output: int = 1) -> dict[str, object]:
    return {"timestamp": at_ms, "input_length": tokens, "output_length": output, "hash_ids": blocks}


def written(path: Path, *lines: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return path


def test_blocks_become_segments_and_the_rest_never_comes_back(tmp_path: Path) -> None:
    path = written(tmp_path / "t.jsonl", line(0, 1100, [0, 1, 2], 7), line(5, 1024, [0, 1]), line(6, 1100, [0, 1, 2]))
    loaded = load_mooncake(path)
    first, second, third = loaded.requests
    assert [segment.tokens for segment in first.segments] == [512, 512, 76]
    assert [segment.kind for segment in first.segments] == ["system", "message", "message"]
    assert (first.tokens, first.whole, first.output_tokens, first.at_ms) == (1100, 1, 7, 0)
    assert second.whole == 1
    # A rest that has the same id is still no block that could be read.
    assert third.segments[2].prefix_hash != first.segments[2].prefix_hash
    # What is equal is held once.
    assert second.segments[1] is first.segments[1]


def test_a_session_is_what_shares_more_than_the_first_block(tmp_path: Path) -> None:
    path = written(
        tmp_path / "t.jsonl",
        line(0, 1536, [0, 1, 2]),
        line(1, 1536, [0, 3, 4]),
        line(2, 2048, [0, 1, 2, 5]),
        line(3, 1024, [0, 6]),
        line(4, 1536, [0, 3, 7]),
    )
    sessions = [request.session for request in load_mooncake(path).requests]
    assert sessions == ["session-0", "session-1", "session-0", "session-2", "session-1"]


def test_the_sample_is_what_its_lines_say() -> None:
    loaded, _ = mooncake()
    assert len(loaded.requests) == 329
    assert len({request.session for request in loaded.requests}) == 205
    assert loaded.grain == "blocks"
    assert len(load_mooncake(MOONCAKE, limit=5).requests) == 5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (line(0, 600, [1]), r"line 2: 600 tokens are 2 blocks of 512, it has 1"),
        (line(0, 1000, [1, 1]), "line 2: a block stands twice"),
        (line(-1, 10, [1]), "line 2: a time or a length is below 0"),
        (line(0, 0, []), "line 2: a time or a length is below 0, or the prompt is empty"),
        ({"timestamp": 0}, "line 2: Object missing required field `input_length`"),
        (line(0, 10, ["x"]), "line 2: Expected `int`"),  # type: ignore[list-item]  # It is wrong on purpose.
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, wrong: dict[str, object], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        load_mooncake(written(tmp_path / "t.jsonl", line(0, 10, [0]), wrong))


def test_time_must_not_go_back_and_a_trace_must_not_be_empty(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"line 2: it came before the line above \(3 after 4 ms\)"):
        load_mooncake(written(tmp_path / "t.jsonl", line(4, 10, [0]), line(3, 10, [1])))
    with pytest.raises(TraceError, match="holds no request"):
        load_mooncake(written(tmp_path / "empty.jsonl"))
