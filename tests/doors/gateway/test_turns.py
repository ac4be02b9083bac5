"""Sessions and turns, told by prompts alone."""

from __future__ import annotations

from typing import Any

from turnout.config import load_catalog
from turnout.core.policy import Candidate, Policy
from turnout.doors.gateway.turns import Turns, turn_key
from turnout.messages.conversation import Conversation
from turnout.messages.portability import Switches
from turnout.messages.prefix import PrefixHasher
from turnout.messages.request import in_tool_loop, request_of
from turnout.router import Router, Turn

HASHER = PrefixHasher(b"key")
MINI, FULL = "openai/gpt-5-mini", "openai/gpt-5"
POLICY = Policy(candidates=(Candidate(MINI, 0), Candidate(FULL, 1)))

ASKED: Any = {"role": "user", "content": [{"text": "weather?"}]}
CALLED: Any = {"role": "assistant", "content": [{"toolUse": {"toolUseId": "1", "name": "w", "input": {}}}]}
FOUND: Any = {"role": "user", "content": [{"toolResult": {"toolUseId": "1", "content": [{"text": "fine"}]}}]}
SAID: Any = {"role": "assistant", "content": [{"text": "It is fine."}]}


def turn_of(turns: Turns, *messages: Any, session: str | None = None) -> Turn:
    conversation = Conversation(messages=messages)
    request = request_of(conversation, HASHER, session_id=session)
    return turns.of(conversation, request, goes_on=in_tool_loop(conversation), query_id="")


def test_a_tool_loop_is_one_turn() -> None:
    turns = Turns(Router(POLICY, load_catalog()))
    first = turn_of(turns, ASKED)
    assert turn_of(turns, ASKED, CALLED, FOUND) is first
    assert turn_of(turns, ASKED, CALLED, FOUND, CALLED, FOUND) is first
    following = turn_of(turns, ASKED, CALLED, FOUND, SAID, ASKED)
    assert following is not first
    assert following.session_id == first.session_id
    assert turn_of(turns, ASKED, CALLED, FOUND, SAID, ASKED, CALLED, FOUND) is following


def test_the_same_question_again_is_another_turn() -> None:
    turns = Turns(Router(POLICY, load_catalog()))
    assert turn_of(turns, ASKED) is not turn_of(turns, ASKED)
    assert turn_of(turns, ASKED, session="a").session_id == "a"


def test_a_cache_point_that_moves_does_not_change_the_turn() -> None:
    point: Any = {"cachePoint": {"type": "default"}}
    marked = {"role": "user", "content": [*ASKED["content"], point]}
    found = {"role": "user", "content": [*FOUND["content"], point]}
    keys = set()
    for messages in ((marked,), (ASKED, CALLED, found), (marked, CALLED, FOUND)):
        conversation = Conversation(messages=messages)
        keys.add(turn_key(conversation, HASHER.segments(conversation)))
    assert len(keys) == 1


def test_a_loop_stays_with_the_model_that_began_it() -> None:
    router = Router(POLICY, load_catalog())
    turns = Turns(router)
    turn = turn_of(turns, ASKED)
    loop = Switches(Conversation(messages=[ASKED, CALLED, FOUND]), router.catalog[MINI])
    assert turns.stay(loop, turn, goes_on=True, bound=False) is None  # nothing has served it yet
    turn.model = MINI
    turns.wrote(turn, MINI)
    stay = turns.stay(loop, turn, goes_on=True, bound=False)
    assert stay is not None
    assert (stay.model, stay.cause) == (MINI, "tool_loop")
    asked = Switches(Conversation(messages=[ASKED]), router.catalog[MINI])
    assert turns.stay(asked, turn, goes_on=False, bound=False) is None
