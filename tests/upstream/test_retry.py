from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from turnout.core.calls import CallRules
from turnout.upstream.errors import Failure
from turnout.upstream.retry import Step, backoff_s, next_step

RULES = CallRules(attempts_per_model=3, base_backoff_s=0.1, max_backoff_s=1.0, failover_after_s=0.2)
BROKEN = Failure(kind="retryable", name="InternalServerException")
THROTTLED = Failure(kind="retryable", name="ThrottlingException", slow=True)
LATER = Failure(kind="retryable", name="RateLimitError", slow=True, retry_after_s=3.0)
OVERFLOW = Failure(kind="overflow", name="ContextWindowOverflowException")


def step(failure: Failure, **parts: Any) -> Step:
    known: dict[str, Any] = {
        "failures": 1,
        "waited_s": 0.0,
        "left_s": 10.0,
        "same": True,
        "elsewhere": True,
        "chance": 0.5,
    }
    return next_step(RULES, failure, **(known | parts))


def test_waits_double_up_to_the_ceiling_and_are_drawn_from_nothing_to_all() -> None:
    assert [backoff_s(RULES, failures, 1.0) for failures in (1, 2, 3, 4, 5, 500)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert [backoff_s(RULES, 2, chance) for chance in (0.0, 0.5)] == [0.0, 0.1]


def test_the_same_model_is_called_again_after_a_short_wait() -> None:
    assert step(BROKEN) == Step(do="again", wait_s=0.05)


def test_it_is_left_once_waiting_would_take_too_long() -> None:
    assert step(BROKEN, failures=2, waited_s=0.15, chance=0.5).do == "failover"
    assert step(BROKEN, failures=2, waited_s=0.0, chance=0.5) == Step(do="again", wait_s=0.1)
    assert step(BROKEN, failures=3).do == "failover"


def test_a_wait_that_will_not_help_is_not_waited_while_another_can_serve() -> None:
    assert step(THROTTLED) == Step(do="failover")
    assert step(LATER) == Step(do="failover")


def test_where_no_other_can_serve_it_gets_all_its_attempts() -> None:
    assert step(THROTTLED, elsewhere=False) == Step(do="again", wait_s=0.05)
    assert step(LATER, elsewhere=False) == Step(do="again", wait_s=3.0)
    assert step(BROKEN, elsewhere=False, failures=3) == Step(do="stop", why="exhausted")


def test_nothing_is_tried_past_the_deadline() -> None:
    assert step(LATER, elsewhere=False, left_s=2.9) == Step(do="stop", why="deadline")
    assert step(BROKEN, left_s=0.0) == Step(do="stop", why="deadline")
    assert step(BROKEN, left_s=0.04) == Step(do="failover")


def test_a_model_that_cannot_go_on_is_not_called_again() -> None:
    assert step(BROKEN, same=False) == Step(do="failover")
    assert step(BROKEN, same=False, elsewhere=False) == Step(do="stop", why="exhausted")


def test_the_callers_and_fatal_errors_stop() -> None:
    for kind in ("caller", "fatal"):
        assert step(Failure(kind=kind, name="E")) == Step(do="stop", why="error")
    assert step(OVERFLOW) == Step(do="failover")
    assert step(OVERFLOW, elsewhere=False) == Step(do="stop", why="error")


seconds = st.floats(0, 100, allow_nan=False)


@given(
    st.builds(
        CallRules,
        attempts_per_model=st.integers(1, 6),
        base_backoff_s=seconds,
        max_backoff_s=seconds,
        failover_after_s=seconds,
    ),
    st.lists(
        st.builds(
            Failure,
            kind=st.just("retryable"),
            name=st.just("E"),
            slow=st.booleans(),
            retry_after_s=st.none() | seconds,
        ),
        min_size=40,
        max_size=40,
    ),
    st.integers(1, 5),
    st.floats(0.1, 100),
    st.data(),
)
def test_every_request_ends_within_its_deadline_and_its_attempts(
    rules: CallRules, failures: list[Failure], candidates: int, deadline_s: float, data: st.DataObject
) -> None:
    now_s, models_left, failed, waited_s, calls = 0.0, candidates - 1, 0, 0.0, 0
    waits: list[tuple[bool, float]] = []
    for failure in failures:
        calls, failed = calls + 1, failed + 1
        now_s += data.draw(st.floats(0, 1))
        following = next_step(
            rules,
            failure,
            failures=failed,
            waited_s=waited_s,
            left_s=deadline_s - now_s,
            same=True,
            elsewhere=models_left > 0,
            chance=data.draw(st.floats(0, 1, exclude_max=True)),
        )
        if following.do == "stop":
            assert following.why in ("exhausted", "deadline")
            break
        assert now_s < deadline_s
        if following.do == "failover":
            models_left, failed, waited_s = models_left - 1, 0, 0.0
        else:
            now_s += following.wait_s
            waited_s += following.wait_s
            waits.append((models_left > 0, waited_s))
            assert following.wait_s >= (failure.retry_after_s or 0.0)
            assert now_s < deadline_s
    else:
        raise AssertionError("it never ended")
    assert models_left >= 0
    assert calls <= candidates * rules.attempts_per_model
    assert all(waited <= rules.failover_after_s for elsewhere, waited in waits if elsewhere)
