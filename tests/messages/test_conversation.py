from turnout.messages.conversation import Conversation, conversation_of


def test_the_query_is_the_newest_user_turn_and_no_tool_result() -> None:
    conversation = Conversation(
        messages=[
            {"role": "user", "content": [{"text": "first"}]},
            {"role": "assistant", "content": [{"text": "answer"}, {"toolUse": {"toolUseId": "1"}}]},
            {"role": "user", "content": [{"text": "second"}, {"text": "line"}]},
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "2"}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "2", "content": [{"text": "found"}]}}]},
        ]
    )
    assert conversation.query == "second\nline"
    assert list(conversation.turns()) == [("user", "first"), ("assistant", "answer"), ("user", "second\nline")]


def test_a_conversation_without_text_has_an_empty_query() -> None:
    assert Conversation(messages=[{"role": "user", "content": [{"image": {}}]}]).query == ""
    assert conversation_of("hello").query == "hello"
