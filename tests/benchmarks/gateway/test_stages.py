from benchmarks.gateway.bodies import chat
from benchmarks.gateway.stages import STAGES, Clock, profile


def test_every_stage_takes_time() -> None:
    found = profile([chat(0), chat(1, tools=2)], requests=20, rounds=1)
    assert [name for name, us in found.stages.items() if us <= 0] == []
    assert len(found.stages) == len(STAGES)
    assert found.serving > 0


def test_a_stage_within_another_counts_once() -> None:
    clock = Clock()
    inner = clock.timed("inner", lambda: sum(range(20_000)))
    clock.timed("outer", inner)()
    assert 0 < clock.ns["outer"] < clock.ns["inner"]
