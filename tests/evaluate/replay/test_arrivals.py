from tests.evaluate.replay.traces import arrivals, call
from turnout.evaluate.replay.arrivals import arrivals_of


def test_sums_are_made_once() -> None:
    first, second = arrivals(call("abc", 100), call("ab", 103.5))
    assert first.hashes == ("a", "ab", "abc")
    assert first.ends == (1000, 2000, 3000)
    assert (first.tokens, first.now_ms, second.now_ms, second.index) == (3000, 0, 3500, 1)
    assert (first.prefixes.head, first.prefixes.whole) == (0, 2)
    assert arrivals_of([]) == ()


def test_blocks_between_kept_ones_are_told_as_one() -> None:
    (only,) = arrivals(call("abcdef", 0))
    joined = only.joined([0, 3, 5])
    assert [(one.tokens, one.prefix_hash, one.kind) for one in joined] == [
        (1000, "a", "system"),
        (3000, "abcd", "message"),
        (2000, "abcdef", "message"),
    ]


def test_boundaries_are_where_prompts_part_or_end() -> None:
    first, second, third = arrivals(call("abcdef", 0), call("abcxy", 1), call("abcdefgh", 2))
    # After c two prompts part, and f is where the first one ends.
    assert (first.boundaries, second.boundaries, third.boundaries) == ((0, 2, 5), (0, 2, 4), (0, 2, 5, 7))


def test_a_turn_ends_with_its_last_call() -> None:
    calls = arrivals(call("a", 0, turn="1"), call("a", 1, session="t", turn="1"), call("ab", 2, turn="1"))
    assert [one.ends_turn for one in calls] == [False, True, True]
