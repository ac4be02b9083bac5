from collections.abc import Sequence
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.core.horizon import GAPS_S
from turnout.core.request import Request, Segment
from turnout.sessions.horizon import (
    MOST_FURTHER,
    Before,
    HorizonLearner,
    Prefixes,
    Watch,
    head_of,
    horizon_of,
    next_on,
    watches_of,
)
from turnout.sessions.returns import ReturnLearner

MODELS = ("cheap", "capable")


def prefixes(hashes: Sequence[str], *, head: int = 0, tokens: int = 1000, whole: int | None = None) -> Prefixes:
    return Prefixes(hashes, tokens, head, len(hashes) - 1 if whole is None else whole)


def segments_of(watches: tuple[Watch, ...]) -> list[int]:
    return [watch.segment for watch in watches]


def test_the_head_is_all_before_the_first_message() -> None:
    kinds: tuple[Literal["tools", "system", "message"], ...] = ("tools", "tools", "system", "message", "message")
    segments = [Segment(kind=kind, tokens=1, prefix_hash=str(index)) for index, kind in enumerate(kinds)]
    assert head_of(segments) == 2
    assert head_of(segments[3:]) == -1
    assert head_of([]) == -1


def test_prefixes_of_a_request_are_all_its_segments() -> None:
    segments = (
        Segment(kind="system", tokens=30, prefix_hash="a"),
        Segment(kind="message", tokens=12, prefix_hash="b"),
    )
    assert Prefixes.of(Request(session_id="s", segments=segments)) == Prefixes(["a", "b"], 42, 0, 1)
    assert Prefixes.of(Request(session_id="s", segments=())) == Prefixes([], 0, -1, -1)


def test_a_new_session_watches_its_head_and_the_whole() -> None:
    watches = watches_of(prefixes("habc"), Before())
    assert segments_of(watches) == [0, 3]
    assert watches[1].buckets[0] == ("whole", False)


def test_a_later_turn_watches_what_was_sent_before_too() -> None:
    watches = watches_of(prefixes("habcd"), Before(segments=3, calls=1, gap_s=20.0, model="cheap"))
    assert segments_of(watches) == [0, 2, 4]
    assert watches[2].buckets[0] == ("whole", True)


@pytest.mark.parametrize(("segments", "expected"), [(1, [0, 3]), (4, [0, 3])])
def test_what_was_sent_before_is_no_prefix_of_its_own_where_it_is_the_head_or_the_whole(
    segments: int, expected: list[int]
) -> None:
    assert segments_of(watches_of(prefixes("habc"), Before(segments=segments, calls=2))) == expected


def test_a_request_without_head_or_without_anything() -> None:
    assert segments_of(watches_of(prefixes("ab", head=-1), Before())) == [1]
    assert segments_of(watches_of(prefixes("h"), Before())) == [0]
    assert watches_of(prefixes("", head=-1), Before()) == ()
    # A block that is cut off never comes back as it is.
    assert segments_of(watches_of(prefixes("habc", whole=2), Before())) == [0, 2]
    assert watches_of(prefixes("h", whole=-1), Before()) == ()


@given(
    st.integers(0, 12),
    st.integers(-1, 3),
    st.integers(0, 12),
    st.integers(0, 9),
    st.floats(0, 1e6),
    st.integers(0, 10**6),
)
def test_watches_ascend_and_stay_inside(
    length: int, head: int, seen: int, calls: int, gap_s: float, tokens: int
) -> None:
    head = min(head, length - 1)
    hashes = [str(index) for index in range(length)]
    given = Prefixes(hashes, tokens, head, length - 1)
    ends = segments_of(watches_of(given, Before(min(seen, length), calls, gap_s)))
    assert ends == sorted(set(ends))
    assert all(0 <= end < length for end in ends)
    # Whatever is watched makes a horizon that the core takes.
    learner = ReturnLearner()
    horizon = horizon_of(watches_of(given, Before(min(seen, length), calls, gap_s)), learner, {}, None, MODELS)
    assert [prefix.segment for prefix in horizon.prefixes] == ends


def test_candidates_are_alike_until_one_served_later_turns() -> None:
    assert next_on({}, None, MODELS) == {"cheap": 0.5, "capable": 0.5}
    # 7 + 1 of 10 + 2 turns.
    assert next_on({None: {"cheap": 7, "capable": 3}}, None, MODELS) == {"cheap": 8 / 12, "capable": 4 / 12}


def test_the_model_before_tells_of_the_next_one() -> None:
    served = {None: {"cheap": 50, "capable": 50}, "cheap": {"cheap": 30}}
    # 30 of 30 after the cheap one, and the overall half with the weight of ten.
    assert next_on(served, "cheap", MODELS) == {"cheap": 35 / 40, "capable": 5 / 40}
    assert next_on(served, "capable", MODELS) == {"cheap": 0.5, "capable": 0.5}


@given(
    st.dictionaries(
        st.sampled_from([None, *MODELS]), st.dictionaries(st.sampled_from(MODELS), st.integers(0, 1000)), max_size=3
    ),
    st.sampled_from([None, *MODELS, "other"]),
)
def test_chances_to_be_next_add_up_to_one(served: dict[str | None, dict[str, int]], before: str | None) -> None:
    assert sum(next_on(served, before, MODELS).values()) == pytest.approx(1)


def test_a_session_is_known_by_more_than_its_head() -> None:
    learner = HorizonLearner()
    learner.called(prefixes("hab"), "cheap", 1_000)
    assert learner.before(prefixes("hxy"), 2_000) == Before(segments=1)
    assert learner.before(prefixes("habcd"), 5_000) == Before(segments=3, calls=1, gap_s=4.0, model="cheap")
    learner.called(prefixes("habcd"), "capable", 5_000)
    assert learner.before(prefixes("habcde"), 6_000) == Before(segments=5, calls=2, gap_s=1.0, model="capable")


def test_asking_changes_nothing() -> None:
    learner = HorizonLearner()
    learner.called(prefixes("hab"), "cheap", 0)
    first = learner.horizon(prefixes("habc"), MODELS, 1_000)
    assert learner.horizon(prefixes("habc"), MODELS, 1_000) == first


def test_it_learns_that_turns_come_back_and_who_serves_them() -> None:
    learner = HorizonLearner()
    for number in range(200):
        at_ms = number * 20_000
        learner.called(prefixes(["h", f"{number} a"], tokens=1000), "capable", at_ms)
        learner.called(prefixes(["h", f"{number} a", f"{number} b"]), "cheap", at_ms + 10_000)
    end_ms = 200 * 20_000
    new = learner.horizon(prefixes(["h", "new"]), MODELS, end_ms)
    # A first turn comes back within 15 s, a second one never does, and the head always.
    assert new.prefixes[0].returns.within(GAPS_S[0]) > 0.9
    assert new.prefixes[1].returns.within(GAPS_S[0]) > 0.9
    learner.called(prefixes(["h", "new"]), "capable", end_ms)
    later = learner.horizon(prefixes(["h", "new", "more"]), MODELS, end_ms + 10_000)
    assert later.prefixes[-1].returns.within(3600) < 0.1
    assert later.next_on["cheap"] > 0.9
    assert later.further == pytest.approx(1, abs=0.1)


def test_further_is_bounded() -> None:
    learner = HorizonLearner()
    hashes = ["h"]
    for number in range(300):
        hashes.append(str(number))
        learner.called(Prefixes(tuple(hashes), 1000, 0, number + 1), "cheap", number * 10_000)
    horizon = learner.horizon(Prefixes(tuple(hashes), 1000, 0, 300), MODELS, 300 * 10_000)
    assert horizon.further == MOST_FURTHER


def test_memory_is_bounded_and_the_longest_prefixes_go_first() -> None:
    learner = HorizonLearner(max_prefixes=4)
    learner.called(prefixes("habc"), "cheap", 0)
    learner.called(prefixes("hx"), "cheap", 1_000)
    # Of "habc" the newest call took one place: the longest prefix is gone, the shorter ones still tell the session.
    assert learner.before(prefixes("habc"), 2_000).segments == 3
    learner.called(prefixes("hxyz"), "cheap", 3_000)
    assert learner.before(prefixes("habc"), 4_000) == Before(segments=1)
