from pathlib import Path

from benchmarks.bench_replay import make_up, measure


def test_a_made_up_trace_is_replayed(tmp_path: Path) -> None:
    path = tmp_path / "made_up.jsonl"
    make_up(path, 50)
    found = measure(path, "manage", 40)
    assert (found.policy, found.calls) == ("manage", 40)
    assert found.blocks > 40
    assert found.replay_s > 0
