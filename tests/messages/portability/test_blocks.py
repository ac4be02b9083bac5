from typing import Any

import msgspec
import pytest

from tests.messages.portability.support import (
    GPT_5,
    GPT_41,
    HAIKU_45,
    HAIKU_45_A,
    SONNET_46,
    SONNET_46_A,
    assistant,
    redacted,
    result,
    signed,
    talk,
    use,
    user,
)
from turnout.core.catalog import Capabilities, Model
from turnout.messages.portability import Carried, carry

LOOK: Any = [user("hi"), assistant(use("1"))]
ENCRYPTED = {"reasoningContent": {"reasoningText": {"text": "", "signature": '{"encrypted_content": "x"}'}}}


def last(carried: Carried) -> Any:
    assert carried.history is not None, carried.refusals
    return carried.history.messages[-1]["content"]


def document(**changes: Any) -> dict[str, Any]:
    made = {"format": "txt", "name": "notes", "source": {"bytes": b"notes"}, **changes}
    return {"document": {key: value for key, value in made.items() if value is not None}}


def image(**changes: Any) -> dict[str, Any]:
    return {"image": {"format": "png", "source": {"bytes": b"png"}, **changes}}


def test_text_of_a_document_is_sent_as_bytes_which_is_all_that_strands_sends() -> None:
    given = document(source={"text": "notes"}, format=None)
    carried = carry(talk(user("see", given)), GPT_5, HAIKU_45)
    assert last(carried)[1] == document()
    assert carried.edits == ("document_source:messages.0.content.1",)


def test_a_document_without_a_name_gets_one() -> None:
    carried = carry(talk(user("see", document(name=None))), None, SONNET_46_A)
    assert last(carried)[1]["document"]["name"] == "document"
    plain = carry(talk(user("see", document(name="...?  a/b"))), None, SONNET_46)
    assert last(plain)[1]["document"]["name"] == "---- a-b"
    assert plain.edit_names == ("document_name",)


@pytest.mark.parametrize(
    ("block", "target"),
    [
        (document(context="read page 2"), SONNET_46_A),
        (document(source={"content": [{"text": "a"}]}), SONNET_46),
        (document(source={"bytes": b""}), SONNET_46),
        (image(source={}), SONNET_46),
        (image(format="bmp"), GPT_5),
        ({"searchResult": {}}, SONNET_46),
    ],
)
def test_what_cannot_be_sent_is_refused(block: dict[str, Any], target: Model) -> None:
    carried = carry(talk(user("see", block)), None, target)
    assert carried.refusal == "untranslatable:messages.0.content.1"
    assert carried.history is None


@pytest.mark.parametrize("block", [image(), document()])
def test_a_model_without_eyes_is_not_sent_pictures_in_results_either(block: dict[str, Any]) -> None:
    blind = msgspec.structs.replace(HAIKU_45, capabilities=Capabilities())
    assert carry(talk(user("see", block)), None, blind).refusal == "untranslatable:messages.0.content.1"
    in_result = carry(talk(*LOOK, user(result("1", "see", block))), None, blind)
    assert in_result.refusal == "untranslatable:messages.2.content.0.toolResult.content.1"


def test_a_model_without_tools_is_not_sent_calls() -> None:
    toolless = msgspec.structs.replace(GPT_5, capabilities=Capabilities(tools=False))
    assert carry(talk(*LOOK, user(result("1"))), None, toolless).refusal == "untranslatable:messages.1.content.0"


def test_a_call_whose_input_is_no_object_is_refused() -> None:
    broken = use("1", input="{not json")
    assert carry(talk(user("a"), assistant(broken), user(result("1"))), GPT_5, HAIKU_45).refusals[0] == (
        "untranslatable:messages.1.content.0"
    )


@pytest.mark.parametrize(("role", "block"), [("assistant", result("1")), ("user", use("1")), ("user", signed())])
def test_blocks_of_the_other_role_are_refused(role: str, block: dict[str, Any]) -> None:
    message = {"role": role, "content": [{"text": "a"}, block]}
    carried = carry(talk(user("a"), message), None, SONNET_46)
    assert "untranslatable:messages.1.content.1" in carried.refusals


def test_an_error_is_put_into_words_once() -> None:
    history = talk(*LOOK, user(result("1", "no lamp", status="error")), assistant("sorry"), user("ok"))
    once = carry(history, HAIKU_45, GPT_5)
    assert once.history is not None
    said = once.history.messages[2]["content"][0]["toolResult"]
    assert said == {"toolUseId": "1", "content": [{"text": "The tool reported an error."}, {"text": "no lamp"}]}
    assert carry(once.history, GPT_5, GPT_41).edits == ()


def test_a_result_is_left_alone_where_nothing_has_to_change() -> None:
    history = talk(*LOOK, user(result("1", {"json": {"a": 1}}, status="success")))
    assert carry(history, SONNET_46, SONNET_46).history is history


def test_the_signature_of_a_call_stays_with_its_own_model() -> None:
    call = use("1", reasoningSignature="x")
    done = talk(user("a"), assistant(call), user(result("1")), assistant("b"), user("c"))
    assert carry(done, GPT_5, GPT_5).history is done
    carried = carry(done, GPT_5, GPT_41)
    assert carried.history is not None
    assert carried.history.messages[1] == assistant(use("1"))
    assert (carried.edits, carried.lost) == (("drop_thinking:messages.1.content.0",), ("messages.1.content.0",))
    loop = talk(user("a"), assistant(call), user(result("1")))
    assert carry(loop, GPT_5, GPT_41).refusal == "untranslatable:messages.1.content.0"


def test_thinking_of_an_author_that_is_not_known_is_sent_to_claude_and_to_no_one_else() -> None:
    loop = talk(user("a"), assistant(signed(), use("1")), user(result("1", status="success")))
    assert carry(loop, None, SONNET_46).history is loop
    assert carry(loop, None, SONNET_46_A).history is loop
    assert carry(loop, None, GPT_5).refusal == "untranslatable:messages.1.content.0"


def test_what_is_lost_is_named_also_where_it_is_sent() -> None:
    done = talk(user("a"), assistant(signed(), redacted(), "b"), user("c"))
    kept = carry(done, SONNET_46, HAIKU_45_A)
    assert kept.history is done
    assert kept.lost == ("messages.1.content.0", "messages.1.content.1")
    left = carry(done, SONNET_46, GPT_5)
    assert left.lost == kept.lost
    assert left.edit_names == ("drop_thinking",)
    assert carry(done, HAIKU_45, SONNET_46).lost == ()
    assert carry(done, SONNET_46, SONNET_46).lost == ()


def test_encrypted_reasoning_is_openais() -> None:
    done = talk(user("a"), assistant(ENCRYPTED, "b"), user("c"))
    carried = carry(done, GPT_5, SONNET_46)
    assert carried.history is not None
    assert carried.history.messages[1] == assistant("b")
    assert carried.lost == ("messages.1.content.0",)
