from tests.messages.portability.support import POINT, assistant, signed, talk, user
from turnout.messages.portability.draft import Draft


def test_a_draft_that_nothing_was_done_to_builds_the_very_conversation() -> None:
    conversation = talk(user("hi", POINT), assistant(signed(), "hello"), user("ok"), system=[{"text": "s"}, POINT])
    assert Draft.of(conversation).build() is conversation


def test_messages_that_did_not_change_stay_the_same_objects() -> None:
    conversation = talk({**user("hi"), "metadata": {"custom": {}}}, assistant(signed(), "hello"), user("ok"))
    draft = Draft.of(conversation)
    draft.leave_out(draft.messages[1].items[0], "drop_thinking")
    built = draft.build()
    assert built.messages[0] is conversation.messages[0]
    assert built.messages[1] == assistant("hello")
    assert built.system is conversation.system
    assert draft.edits == ["drop_thinking:messages.1.content.0"]
    assert conversation.messages[1]["content"] == [signed(), {"text": "hello"}]


def test_items_stand_in_the_order_of_caches() -> None:
    draft = Draft.of(talk(user("hi", POINT), tools=[{"toolSpec": {"name": "t"}}, POINT], system=[{"text": "s"}]))
    assert [item.path for item in draft.items()] == ["tools.0", "system.0", "messages.0.content.0"]
    assert [[point.path for point in item.points] for item in draft.order] == [
        ["tools.1"],
        [],
        ["messages.0.content.1"],
    ]


def test_a_point_at_the_start_of_a_list_belongs_to_what_stands_before() -> None:
    draft = Draft.of(talk(user("hi"), assistant(POINT, "hello")))
    assert [point.path for point in draft.messages[0].items[0].points] == ["messages.1.content.0"]
    assert draft.edits == ["move_marker:messages.1.content.0"]
    alone = Draft.of(talk(user(POINT, "hi")))
    assert alone.edits == ["drop_marker:messages.0.content.0"]
    assert alone.build().messages == [user("hi")]
