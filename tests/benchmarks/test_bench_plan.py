from benchmarks.bench_plan import measure, planned, request_of
from turnout.core.decide import decide


def test_a_session_is_priced_over_its_horizon_with_planned_cache_points() -> None:
    given = planned(2, 30, "manage")
    assert len(given.request.segments) == len(request_of(30).segments) == 2 + 59
    decision = decide(given)
    assert all(estimate.cache_plan.origin == "manage" for estimate in decision.estimates)
    assert any(estimate.ahead_pico > 0 for estimate in decision.estimates)
    warm = [estimate.expected.read_tokens for estimate in decision.estimates if estimate.expected is not None]
    assert min(warm) == 0 < max(warm)


def test_every_figure_is_measured() -> None:
    timing = measure(2, 1, "user", seconds=0.001)
    assert timing.ratio == timing.decide_us / timing.floor_us > 0
    assert min(timing.decide_us, timing.expect_us, timing.learn_us, timing.floor_us) > 0
