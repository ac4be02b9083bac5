from __future__ import annotations

import threading

import pytest

from turnout.testing.fault_script import FaultScript


def _any(fault: str) -> bool:
    return True


def test_faults_are_taken_in_order_by_what_they_are_meant_for() -> None:
    script = FaultScript[str]()
    script.add("a slow read", times=2)
    script.add("a lost write")
    assert script.take_first(lambda fault: "write" in fault) == "a lost write"
    assert script.take_first(lambda fault: "write" in fault) is None
    assert [script.take_first(_any) for _ in range(3)] == ["a slow read", "a slow read", None]
    assert len(script) == 0


def test_a_fault_for_good_and_clear() -> None:
    script = FaultScript[str]()
    script.add("down", times=None)
    assert [script.take_first(_any) for _ in range(3)] == ["down"] * 3
    assert len(script) == 1
    script.clear()
    assert script.take_first(_any) is None


def test_a_fault_happens_at_least_once() -> None:
    with pytest.raises(ValueError, match="a fault happens at least once, not 0 times"):
        FaultScript[str]().add("never", times=0)


def test_threads_together_use_each_up_once() -> None:
    script = FaultScript[str]()
    script.add("down", times=100)
    taken: list[str | None] = []

    def take() -> None:
        taken.extend(script.take_first(_any) for _ in range(40))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (taken.count("down"), taken.count(None)) == (100, 60)
