import json
from pathlib import Path

import pytest

from tests.evaluate.replay.traces import TAU_BENCH, tau_bench
from turnout.evaluate.replay.errors import TraceError
from turnout.evaluate.replay.tau_bench import Pace, load_tau_bench

MESSAGES: list[dict[str, object]] = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Where is it?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "track", "arguments": '{"id": 7}'}}],
    },
    {"role": "tool", "tool_call_id": "c1", "name": "track", "content": "on its way"},
    {"role": "assistant", "content": "On its way."},
    {"role": "user", "content": "Thanks!"},
    {"role": "assistant", "content": "You are welcome."},
]


def written(path: Path, *trajectories: object) -> Path:
    path.write_text(json.dumps([{"task_id": 1, "reward": 1.0, "traj": one} for one in trajectories]))
    return path


def test_every_message_of_the_agent_is_a_call(tmp_path: Path) -> None:
    calls = load_tau_bench(written(tmp_path / "t.json", MESSAGES)).requests
    assert [len(one.segments) for one in calls] == [2, 4, 6]
    assert [one.in_tool_loop for one in calls] == [False, True, False]
    assert [one.turn for one in calls] == ["1", "1", "2"]
    assert [segment.kind for segment in calls[0].segments] == ["system", "message"]
    # "On its way." are 11 characters: 3 tokens at four characters a token.
    assert calls[1].output_tokens == 3
    assert calls[0].conversation is not None
    assert calls[0].conversation.query == "Where is it?"
    # A prompt begins with the whole prompt before it.
    assert [one.prefix_hash for one in calls[2].segments[:4]] == [one.prefix_hash for one in calls[1].segments]


def test_times_are_drawn_from_stated_means() -> None:
    loaded, _ = tau_bench()
    times = [request.at_ms for request in loaded.requests]
    assert times == sorted(times)
    assert load_tau_bench(TAU_BENCH).requests == loaded.requests
    assert "60 s" in loaded.notes[0]
    hasty = load_tau_bench(TAU_BENCH, pace=Pace(between_s=2, person_s=6, tool_s=0.6))
    assert hasty.requests[-1].at_ms == pytest.approx(times[-1] / 10, abs=2)
    assert hasty.content != loaded.content
    with pytest.raises(ValueError, match="person_s must be above 0"):
        Pace(person_s=0)


def test_the_sample_is_what_it_says() -> None:
    loaded, _ = tau_bench()
    assert len({request.session for request in loaded.requests}) == 6
    assert loaded.grain == "entries"
    assert len({request.session for request in load_tau_bench(TAU_BENCH, limit=2).requests}) == 2


def test_mistakes_are_named(tmp_path: Path) -> None:
    bad = [
        MESSAGES[0],
        MESSAGES[1],
        {**MESSAGES[2], "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{"}}]},
    ]
    with pytest.raises(TraceError, match="conversation 2: message 3: the arguments of f are no JSON"):
        load_tau_bench(written(tmp_path / "t.json", MESSAGES, bad))
    with pytest.raises(TraceError, match="Invalid enum value 'robot'"):
        load_tau_bench(written(tmp_path / "t.json", [{"role": "robot", "content": ""}]))
    with pytest.raises(TraceError, match="holds no call"):
        load_tau_bench(written(tmp_path / "t.json", MESSAGES[:2]))
