from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from turnout.doors.strands.given_out import GivenOut

START: Any = {"messageStart": {"role": "assistant"}}
STOP: Any = {"messageStop": {"stopReason": "end_turn"}}


def delta(text: str, index: int = 0) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": {"text": text}}}


def end(index: int = 0) -> dict[str, Any]:
    return {"contentBlockStop": {"contentBlockIndex": index}}


def tool(index: int = 0) -> list[dict[str, Any]]:
    start = {"contentBlockIndex": index, "start": {"toolUse": {"toolUseId": "t", "name": "look"}}}
    value = {"contentBlockIndex": index, "delta": {"toolUse": {"input": "{}"}}}
    return [{"contentBlockStart": start}, {"contentBlockDelta": value}, end(index)]


def taken(given_out: GivenOut, *events: Any) -> list[Any]:
    return [passed for event in events for passed in given_out.take(event)]


def text_of(events: list[Any]) -> str:
    deltas = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
    return "".join(one.get("text", "") for one in deltas)


def test_an_answer_that_does_not_break_passes_unchanged() -> None:
    events = [START, delta("Hello "), delta("you"), end(), *tool(1), STOP, {"metadata": {}}, "not an event"]
    assert taken(GivenOut(), *events) == events


def test_a_call_that_fails_before_its_first_content_leaves_no_trace() -> None:
    given_out = GivenOut()
    empty = {"contentBlockStart": {"contentBlockIndex": 0, "start": {}}}
    assert taken(given_out, START, empty) == []
    assert not given_out.begun
    assert taken(given_out, START, delta("Hi"), end(), STOP) == [START, delta("Hi"), end(), STOP]
    assert given_out.begun


def test_a_continuation_goes_on_in_the_same_block() -> None:
    given_out = GivenOut()
    taken(given_out, START, delta("one "), delta("two \n"))
    assert given_out.resumable
    assert given_out.resume() == {"role": "assistant", "content": [{"text": "one two"}]}
    # The model begins with the white space that it was not shown.
    assert taken(given_out, START, delta(" "), delta("\n three"), end(), STOP) == [delta(" three"), end(), STOP]


def test_white_space_that_the_model_writes_beyond_what_is_there_is_kept() -> None:
    given_out = GivenOut()
    taken(given_out, START, delta("one "))
    given_out.resume()
    assert text_of(taken(given_out, START, delta("\n\ntwo"))) == "\n\ntwo"
    given_out.resume()
    assert text_of(taken(given_out, START, delta(" "), end(), STOP)) == " "


def test_after_a_whole_block_the_continuation_has_blocks_of_its_own() -> None:
    given_out = GivenOut()
    taken(given_out, START, delta("one"), end())
    assert given_out.resume()["content"] == [{"text": "one"}]
    assert taken(given_out, START, delta(" two"), end(), *tool(1), STOP) == [
        delta(" two", 1),
        end(1),
        *tool(2),
        STOP,
    ]


def test_a_continuation_that_adds_nothing_closes_what_is_open() -> None:
    given_out = GivenOut()
    taken(given_out, START, delta("one"))
    given_out.resume()
    assert taken(given_out, START, STOP) == [end(), STOP]
    closed = GivenOut()
    taken(closed, START, delta("one"), end())
    closed.resume()
    assert taken(closed, START, end(), STOP) == [STOP]


def test_a_continuation_may_use_a_tool() -> None:
    given_out = GivenOut()
    taken(given_out, START, delta("I look it up."))
    given_out.resume()
    assert taken(given_out, START, *tool(0), STOP) == [end(), *tool(1), STOP]
    assert not given_out.resumable


def test_tools_thinking_and_redaction_cannot_be_continued() -> None:
    thought = {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "hm"}}}}
    for events in ([*tool(0)[:1]], [thought], [delta("a"), {"redactContent": {}}], [delta("  ")], [end()]):
        given_out = GivenOut()
        taken(given_out, START, *events)
        assert given_out.begun
        assert not given_out.resumable


def test_providers_that_do_not_number_blocks_are_followed_too() -> None:
    given_out = GivenOut()
    bare = {"contentBlockDelta": {"delta": {"text": "one"}}}
    assert taken(given_out, START, bare) == [START, bare]
    given_out.resume()
    assert taken(given_out, START, bare, {"contentBlockStop": {}}, STOP) == [bare, {"contentBlockStop": {}}, STOP]


words = st.lists(st.sampled_from(["a", "be", " ", "  ", "\n", "\n\n", "\t", "é"]), min_size=1, max_size=30)


@given(words, st.lists(st.tuples(st.integers(0, 12), st.integers(1, 4)), max_size=6), st.booleans())
def test_however_often_it_breaks_the_answer_is_whole_and_nothing_comes_twice(
    parts: list[str], breaks: list[tuple[int, int]], closes: bool
) -> None:
    answer = "".join(parts)
    given_out, passed, said = GivenOut(), list[Any](), ""
    for number, (length, width) in enumerate([*breaks, (10**6, 3)]):
        rest = answer[len(said) :]
        deltas = [delta(rest[at : at + width]) for at in range(0, len(rest), width)]
        last = number == len(breaks)
        events = [START, *deltas, end(), STOP] if last else [START, *deltas[:length]]
        if not last and closes and length > len(deltas):
            events.append(end())
        passed += taken(given_out, *events)
        if last:
            break
        if given_out.begun and not given_out.resumable:
            return
        if given_out.begun:
            said = "".join(block["text"] for block in given_out.resume()["content"])
            assert said == said.rstrip()
            assert answer.startswith(said)
    assert text_of(passed) == answer
    assert [event for event in passed if "messageStart" in event] == [START]
    assert passed[-1] == STOP
    blocks: list[int] = []
    is_open = False
    for event in passed:
        if "contentBlockDelta" in event:
            index = event["contentBlockDelta"]["contentBlockIndex"]
            assert index == len(blocks)
            is_open = True
        elif "contentBlockStop" in event:
            blocks.append(event["contentBlockStop"]["contentBlockIndex"])
            is_open = False
    assert blocks == list(range(len(blocks)))
    assert not is_open
