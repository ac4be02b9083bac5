from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.messages.portability.support import (
    GPT_5,
    GPT_41,
    HAIKU_45,
    HAIKU_45_A,
    LONG_POINT,
    NOVA,
    POINT,
    SONNET_46,
    SONNET_46_A,
    assistant,
    model,
    redacted,
    result,
    signed,
    talk,
    unsigned,
    use,
    user,
)
from turnout.core.catalog import Model
from turnout.messages.conversation import Conversation
from turnout.messages.portability import Carried, MarkersMode, Protocol, carry, protocol_of
from turnout.messages.portability.protocols import RULES

MODELS = (SONNET_46, HAIKU_45, SONNET_46_A, HAIKU_45_A, GPT_5, GPT_41)
MODES: tuple[MarkersMode, ...] = ("user", "fill", "manage")

texts = st.text(st.sampled_from("ab \n{"), min_size=0, max_size=6)
ids = st.one_of(st.sampled_from(["call_0", "t|1", "a.b", "", "x" * 50, "x" * 70]), st.text(min_size=1, max_size=80))
points = st.sampled_from([[], [], [], [POINT], [LONG_POINT]])


@st.composite
def turns(draw: st.DrawFn) -> list[dict[str, Any]]:
    """One turn: a question, rounds of tool calls with all their results, an answer."""
    messages = [user(draw(texts.filter(str.strip)), *draw(points))]
    for _ in range(draw(st.integers(0, 2))):
        calls = draw(st.lists(ids, min_size=1, max_size=3))
        thoughts = draw(st.sampled_from([[], [unsigned()]]))
        messages.append(assistant(*thoughts, draw(texts), *[use(tool_id) for tool_id in calls], *draw(points)))
        results = [result(tool_id, f"result {number}", status="success") for number, tool_id in enumerate(calls)]
        if draw(st.booleans()):
            messages.append(user(*results, *draw(points)))
        else:
            messages += [user(one) for one in results]
    kinds = draw(st.sampled_from([[], [signed()], [redacted()], [unsigned()]]))
    messages.append(assistant(*kinds, draw(texts.filter(str.strip)), *draw(points)))
    return messages


@st.composite
def histories(draw: st.DrawFn) -> Conversation:
    """A conversation that waits for an answer."""
    done = draw(st.lists(turns(), max_size=3))
    last = user(draw(texts.filter(str.strip)), *draw(points))
    system = draw(st.sampled_from([[], [{"text": "word " * 1000}], [{"text": "word " * 5000}, POINT]]))
    return talk(*[message for turn in done for message in turn], last, system=system)


pairs = st.tuples(st.sampled_from(MODELS), st.sampled_from(MODELS))
modes = st.sampled_from(MODES)


def sent(carried: Carried) -> Conversation:
    assert carried.history is not None, carried.refusals
    return carried.history


def blocks(history: Conversation) -> list[Any]:
    return [block for message in history.messages for block in message["content"]]


@given(histories(), pairs, modes)
def test_carrying_what_was_carried_changes_nothing(
    history: Conversation, pair: tuple[Model, Model], mode: MarkersMode
) -> None:
    once = carry(history, *pair, mode)
    if once.history is not None:
        again = carry(once.history, *pair, mode)
        assert again.history is once.history
        assert again.edits == ()


@given(histories(), st.sampled_from(MODELS), st.sampled_from(MODELS))
def test_what_a_model_takes_already_comes_back_as_the_same_object(
    history: Conversation, source: Model, target: Model
) -> None:
    once = carry(history, source, target)
    if once.history is not None:
        for writer in (source, target, None):
            assert carry(once.history, writer, target).history is once.history


@given(histories(), pairs, modes)
def test_ids_stay_paired_fit_and_collide_with_none(
    history: Conversation, pair: tuple[Model, Model], mode: MarkersMode
) -> None:
    carried = carry(history, *pair, mode)
    if carried.history is None:
        return
    rules = RULES[protocol_of(pair[1])]
    calls = [block["toolUse"]["toolUseId"] for block in blocks(sent(carried)) if "toolUse" in block]
    results = [block["toolResult"]["toolUseId"] for block in blocks(sent(carried)) if "toolResult" in block]
    assert Counter(calls) == Counter(results)
    assert all(rules.tool_id.fullmatch(tool_id) for tool_id in calls)
    assert not rules.unique_ids or len(set(calls)) == len(calls)
    answers = {
        tool_id: block["toolResult"]["content"]
        for tool_id, block in zip(results, (b for b in blocks(sent(carried)) if "toolResult" in b), strict=True)
    }
    assert all(content[-1]["text"].startswith("result ") for content in answers.values())


@given(histories(), pairs, modes)
def test_never_more_than_four_points_and_no_ttl_rises(
    history: Conversation, pair: tuple[Model, Model], mode: MarkersMode
) -> None:
    carried = carry(history, *pair, mode)
    if carried.history is None:
        assert mode != "manage" or not any(refusal.startswith("cache_") for refusal in carried.refusals)
        return
    every = [*sent(carried).system, *blocks(sent(carried))]
    ttls = [block["cachePoint"].get("ttl", "5m") for block in every if "cachePoint" in block]
    assert len(ttls) <= (4 if protocol_of(pair[1]).claude else 0)
    assert "5m 1h" not in " ".join(ttls)


@given(histories(), pairs, modes)
def test_no_text_is_lost(history: Conversation, pair: tuple[Model, Model], mode: MarkersMode) -> None:
    carried = carry(history, *pair, mode)
    if carried.history is None:
        return
    assert said(sent(carried)) == said(history)


def said(history: Conversation) -> Counter[str]:
    """Every text of a conversation that is not blank: said, called or found."""
    texts = [block["text"] for block in blocks(history) if "text" in block]
    for block in blocks(history):
        texts += [part["text"] for part in block.get("toolResult", {}).get("content", ())]
    texts += [block["text"] for block in history.system if "text" in block]
    return Counter(text for text in texts if text.strip())


@given(histories(), pairs)
def test_the_history_that_came_in_is_not_changed_and_every_change_has_a_name(
    history: Conversation, pair: tuple[Model, Model]
) -> None:
    before = repr(history)
    carried = carry(history, *pair)
    assert repr(history) == before
    changed = carried.history is not None and carried.history is not history
    assert changed == bool(carried.edits) or carried.history is None
    assert all(re.fullmatch(r"[a-z_]+:(system|tools|messages)\..+", edit) for edit in carried.edits)


@given(histories(), st.lists(turns(), min_size=1, max_size=1), pairs)
def test_as_a_history_grows_what_was_carried_of_it_stays(
    history: Conversation, more: list[list[dict[str, Any]]], pair: tuple[Model, Model]
) -> None:
    """Caches and signatures over earlier messages hold, points aside (which no prefix counts)."""
    answer = assistant("an answer")
    longer = Conversation(messages=[*history.messages, answer, *more[0], user("so")], system=history.system)
    first, second = carry(history, *pair, "manage"), carry(longer, *pair, "manage")
    if first.history is not None and second.history is not None:
        bare = [_bare(message) for message in first.history.messages]
        assert [_bare(message) for message in second.history.messages[: len(bare)]] == bare


def _bare(message: Any) -> Any:
    return [block for block in message["content"] if "cachePoint" not in block]


@given(histories(), st.sampled_from(MODELS), st.sampled_from((SONNET_46, HAIKU_45_A)))
def test_thinking_that_claude_signed_goes_to_claude_unchanged(
    history: Conversation, source: Model, target: Model
) -> None:
    carried = carry(history, source, target)
    if carried.history is not None:
        assert blocks(sent(carried)).count(signed()) == blocks(history).count(signed())


def test_to_a_model_of_which_nothing_is_known_the_history_goes_as_it_is() -> None:
    history = talk(user("", {"video": {}}), assistant(signed(), use("?")))
    assert carry(history, SONNET_46, NOVA) == Carried(history=history)


def test_what_the_provider_keeps_refuses_unless_it_is_the_same_model() -> None:
    history = talk(user("a"))
    refused = carry(history, GPT_5, GPT_41, server_state=["previous_response_id"])
    assert refused.refusals == ("server_state:previous_response_id",)
    assert carry(history, None, GPT_41, server_state=["container"]).refusal == "server_state:container"
    assert carry(history, GPT_5, GPT_5, server_state=["previous_response_id"]).history is history


def test_every_reason_of_a_refusal_is_named_and_the_first_is_the_refusal() -> None:
    carried = carry(talk(user({"video": {}}, {"audio": {}})), None, SONNET_46)
    assert carried.refusals == ("untranslatable:messages.0.content.0", "untranslatable:messages.0.content.1")
    assert carried.refusal == carried.refusals[0]
    assert carry(talk(user("a")), None, SONNET_46).refusal is None


def test_kinds_of_edits_are_named_once() -> None:
    carried = carry(talk(user("a", "", ""), assistant("b"), user("c", "")), None, SONNET_46)
    assert len(carried.edits) == 3
    assert carried.edit_names == ("drop_blank_text",)


@pytest.mark.parametrize("target", MODELS)
def test_an_empty_conversation_is_nobodys_trouble(target: Model) -> None:
    empty = talk()
    assert carry(empty, None, target).history is empty


def test_other_keys_of_a_message_stay_with_it() -> None:
    history = talk({**user("a", ""), "metadata": {"custom": {"id": 1}}})
    assert sent(carry(history, None, SONNET_46)).messages[0]["metadata"] == {"custom": {"id": 1}}


def test_the_form_of_an_endpoint_counts_where_the_catalog_does_not_tell() -> None:
    """A server of one's own that speaks OpenAI's protocol, and a model on Bedrock that is no Claude."""
    llama = model("vllm", "llama")
    history = talk(user("Hi"), assistant(signed(), use("a b")), user(result("a b", "x", status="error")), user(POINT))
    assert carry(history, llama, llama).history is history
    as_openai = carry(talk(user("Hi"), assistant(signed(), "Yes."), user("And?")), GPT_5, llama, form=Protocol.OPENAI)
    assert as_openai.edit_names == ("drop_thinking",)
    on_bedrock = carry(
        talk(user("Hi"), assistant(use("a b")), user(result("a b", "x"), POINT)),
        NOVA,
        NOVA,
        form=Protocol.BEDROCK_CLAUDE,
    )
    assert on_bedrock.edit_names == ("tool_id", "drop_marker")
    thought = talk(user("Hi"), assistant(signed(), "Yes."), user("And?"))
    assert carry(thought, SONNET_46, NOVA, form=Protocol.BEDROCK_CLAUDE).edit_names == ("drop_thinking",)


def test_an_image_by_its_url() -> None:
    def picture(uri: str) -> Conversation:
        return talk(user({"image": {"source": {"location": {"type": "url", "uri": uri}}}}))

    for target in (SONNET_46_A, GPT_5):
        assert carry(picture("https://example.com/a.png"), None, target).edits == ()
        assert carry(picture("http://example.com/a.png"), None, target).refusals
    assert carry(picture("https://example.com/a.png"), None, SONNET_46).refusals
