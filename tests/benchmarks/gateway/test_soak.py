import pytest

from benchmarks.gateway.reading import PROC
from benchmarks.gateway.soak import Soaked, soak


@pytest.mark.skipif(not (PROC / "self" / "stat").exists(), reason="reads memory from /proc")
def test_a_soak_counts_requests_and_memory() -> None:
    soaked = soak(0.5, step_s=0.25)
    assert soaked.requests > 0
    assert all(mb > 1 for _, mb in soaked.memory)


@pytest.mark.parametrize(("last", "growth"), [(100.0, 0.0), (150.0, 0.5)])
def test_growth_is_told_from_what_fills_at_the_beginning(last: float, growth: float) -> None:
    memory = [(float(second), mb) for second, mb in enumerate([50.0, 60.0, 100.0, 100.0, 101.0, 99.0, last, last])]
    assert Soaked(1, memory, 150.0).growth != 0.0
    steady = [(float(second), mb) for second, mb in enumerate([50.0, 100.0, 100.0, 100.0, last])]
    assert Soaked(1, steady, 150.0).growth == pytest.approx(growth)
