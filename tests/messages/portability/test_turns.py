from tests.messages.portability.support import POINT, assistant, result, talk, unsigned, use, user
from turnout.messages.portability.draft import Draft
from turnout.messages.portability.protocols import RULES, Protocol
from turnout.messages.portability.turns import ToolCalls, open_turn, put_results_first, settle_messages

BEDROCK, OPENAI = RULES[Protocol.BEDROCK_CLAUDE], RULES[Protocol.OPENAI]


def test_a_turn_is_open_from_its_question_on_while_results_come() -> None:
    loop = [user("a"), assistant("b"), user("c"), assistant(use("1")), user(result("1"))]
    assert open_turn(loop) == 3
    assert open_turn([*loop, assistant(use("2")), user(result("2"))]) == 3
    assert open_turn([*loop, assistant("done")]) is None
    assert open_turn([user("a")]) is None
    assert open_turn([]) is None
    assert open_turn([assistant(use("1")), user(result("1"))]) == 0


def test_messages_that_are_left_empty_go_and_their_points_stay_at_their_place() -> None:
    draft = Draft.of(talk(user("a"), assistant(unsigned(), POINT), user("b")))
    draft.leave_out(draft.messages[1].items[0], "drop_unsigned_reasoning")
    settle_messages(draft, BEDROCK)
    assert [message.index for message in draft.messages] == [0]
    assert [item.path for item in draft.messages[0].items] == [
        "messages.0.content.0",
        "messages.1.content.0",
        "messages.2.content.0",
    ]
    assert draft.edits[1:] == ["drop_message:messages.1", "merge_messages:messages.2"]


def test_openai_merges_only_where_results_are() -> None:
    talked = Draft.of(talk(user("a"), user("b")))
    settle_messages(talked, OPENAI)
    assert len(talked.messages) == 2
    results = Draft.of(
        talk(user("a"), assistant(use("1"), use("2")), user("so", POINT), user(result("1")), user(result("2")))
    )
    settle_messages(results, OPENAI)
    assert [len(message.items) for message in results.messages] == [1, 2, 3]


def test_results_come_first_and_points_keep_their_place() -> None:
    draft = Draft.of(talk(user("a"), assistant(use("1")), user("so", POINT, result("1"))))
    put_results_first(draft)
    assert draft.build().messages[2] == user(result("1"), POINT, "so")
    assert draft.edits == ["tool_results_first:messages.2"]


def test_ids_are_the_same_however_long_the_history_has_grown() -> None:
    first = [user("a"), assistant(use("a.1")), user(result("a.1"))]
    draft, longer = Draft.of(talk(*first)), Draft.of(talk(*first, assistant(use("a.1")), user(result("a.1"))))
    ToolCalls(draft, BEDROCK).settle()
    ToolCalls(longer, BEDROCK).settle()
    before, after = draft.build().messages, longer.build().messages
    assert list(after[:3]) == list(before)
    ids = [message["content"][0]["toolUse"]["toolUseId"] for message in after if message["role"] == "assistant"]
    assert len(set(ids)) == 2
    assert all(len(tool_id) <= 40 for tool_id in ids)


def test_a_new_id_is_none_that_stands_in_the_history() -> None:
    draft = Draft.of(talk(user("a"), assistant(use("a.1")), user(result("a.1"))))
    ToolCalls(draft, BEDROCK).settle()
    taken = draft.build().messages[1]["content"][0]["toolUse"]["toolUseId"]
    both = Draft.of(talk(user("a"), assistant(use("a.1"), use(taken)), user(result("a.1"), result(taken))))
    ToolCalls(both, BEDROCK).settle()
    first, second = both.build().messages[1]["content"]
    assert second == use(taken)
    assert first["toolUse"]["toolUseId"] not in ("a.1", taken)
    assert both.refusals == []


def test_calls_and_results_that_do_not_pair_are_refused() -> None:
    draft = Draft.of(talk(user("a"), assistant(use("1"), use("2")), user(result("1"), result("3")), assistant("b")))
    ToolCalls(draft, BEDROCK).settle()
    assert draft.refusals == ["orphan_result:messages.2.content.1", "unanswered_call:messages.1.content.1"]
