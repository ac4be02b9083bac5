"""Which prompts come back: notes, their buckets, and bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from turnout.core.horizon import GAPS_S
from turnout.sessions.returns import PRIOR, ReturnLearner

HOUR_MS = 3_600_000
FIVE_MINUTES = GAPS_S.index(300)


def test_before_anything_was_seen_the_prior_holds() -> None:
    learner = ReturnLearner()
    assert learner.chances([("a",)]) == PRIOR
    learner.watch("p", [("a",)], 0)
    assert learner.chances([("a",)]) == PRIOR, "what is watched tells nothing before it is due"


def test_a_return_is_noted_at_the_gaps_that_it_came_within() -> None:
    learner = ReturnLearner()
    learner.watch("p", [("a",)], 0)
    learner.sent(["p"], 100_000)  # After 100 s: within 2 minutes, not within 1.
    learner.sent([], HOUR_MS + 1)
    came = [gap >= 100 for gap in GAPS_S]
    wanted = [(1 + 10 * prior if came else 10 * prior) / 11 for came, prior in zip(came, PRIOR.chances, strict=True)]
    assert list(learner.chances([("a",)]).chances) == wanted
    assert learner.chance([("a",)], FIVE_MINUTES) == wanted[FIVE_MINUTES]
    assert learner.chances([("b",)]) == PRIOR


def test_a_quick_return_does_not_count_before_a_slow_one_could() -> None:
    learner = ReturnLearner()
    learner.watch("p", [("a",)], 0)
    learner.sent(["p"], 1_000)
    assert learner.chances([("a",)]) == PRIOR
    learner.sent([], 15_001)
    first, second, *_ = learner.chances([("a",)]).chances
    assert first > PRIOR.chances[0]
    assert second == max(first, PRIOR.chances[1])


def test_a_fine_bucket_starts_from_what_the_coarse_one_says() -> None:
    learner = ReturnLearner()
    for number in range(50):
        learner.watch(f"p{number}", [("coarse",), ("fine", number % 2)], 0)
    learner.sent([f"p{number}" for number in range(0, 50, 2)], 1)
    learner.sent([], HOUR_MS + 1)
    coarse = learner.chance([("coarse",)], 0)
    assert learner.chance([("coarse",), ("fine", 1)], 0) < coarse < learner.chance([("coarse",), ("fine", 0)], 0)
    assert abs(learner.chance([("coarse",), ("never seen",)], 0) - coarse) < 1e-12


def test_no_more_is_watched_than_allowed_and_there_is_room_again_after_an_hour() -> None:
    learner = ReturnLearner(max_watched=1)
    learner.watch("p", [("a",)], 0)
    learner.watch("q", [("b",)], 0)
    learner.sent([], HOUR_MS + 1)
    assert learner.chances([("a",)]) != PRIOR
    assert learner.chances([("b",)]) == PRIOR
    learner.watch("r", [("b",)], HOUR_MS + 1)
    learner.sent([], 3 * HOUR_MS)
    assert learner.chances([("b",)]) != PRIOR


@given(
    st.lists(
        st.tuples(st.integers(0, 600), st.sampled_from("pqr"), st.booleans()),
        max_size=30,
    ).map(sorted)
)
def test_after_an_hour_every_watch_left_a_note_for_every_gap(calls: list[tuple[int, str, bool]]) -> None:
    learner = ReturnLearner()
    watched: list[tuple[str, int]] = []
    returned: dict[int, int] = {}
    for at_s, prefix, again in calls:
        learner.sent([prefix], at_s * 1000)
        newest = next((index for index in reversed(range(len(watched))) if watched[index][0] == prefix), None)
        if newest is not None:
            returned.setdefault(newest, at_s)
        if again:
            learner.watch(prefix, [("a",)], at_s * 1000)
            watched.append((prefix, at_s))
    learner.sent([], 10 * HOUR_MS)
    notes = len(watched)
    gone = [returned.get(index, 10**9) - at_s for index, (_, at_s) in enumerate(watched)]
    wanted: list[float] = []
    for gap, prior in zip(GAPS_S, PRIOR.chances, strict=True):
        came = sum(after <= gap for after in gone)
        wanted.append((came + 10 * prior) / (notes + 10) if notes else prior)
    found = learner.chances([("a",)]).chances
    assert all(abs(one - max(wanted[: index + 1])) < 1e-12 for index, one in enumerate(found))
