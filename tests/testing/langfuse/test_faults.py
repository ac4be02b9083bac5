from __future__ import annotations

from typing import Any

import pytest

from turnout.testing.langfuse import Fault, FaultScript, dropped, rate_limited, server_error, stall, unauthorized


def test_faults_are_taken_in_order_by_the_requests_they_are_meant_for() -> None:
    script = FaultScript()
    script.add(server_error(path="/api/public/v2"), times=2)
    script.add(rate_limited(3))
    assert script.take("/api/public/scores") == rate_limited(3)
    assert script.take("/api/public/scores") is None
    assert [script.take("/api/public/v2/metrics") for _ in range(3)] == [
        server_error(path="/api/public/v2"),
        server_error(path="/api/public/v2"),
        None,
    ]


def test_the_ready_made_faults() -> None:
    assert (unauthorized().status, rate_limited().status, server_error(503).status) == (401, 429, 503)
    assert (rate_limited(2.5).retry_after_s, stall(1.5).delay_s, dropped().drop) == (2.5, 1.5, True)


@pytest.mark.parametrize(
    "wrong", [{"status": 200}, {"status": 500, "drop": True}, {"delay_s": -1}, {"retry_after_s": -1}]
)
def test_what_is_no_fault(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"status|either|negative"):
        Fault(**wrong)
