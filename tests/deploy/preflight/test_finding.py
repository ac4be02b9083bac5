from __future__ import annotations

import pytest

from turnout.deploy.preflight.finding import Finding, State


@pytest.mark.parametrize(("state", "stops"), [("ok", False), ("note", False), ("missing", True), ("wrong", True)])
def test_what_makes_requests_fail(state: State, stops: bool) -> None:
    assert Finding("what", state, "why").stops is stops
