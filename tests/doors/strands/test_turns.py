from typing import Any

from tests.doors.strands.support import CAPABLE, CATALOG, CHEAP, POLICY
from turnout.core.request import HardStay
from turnout.doors.strands.conversation import Call
from turnout.doors.strands.turns import Turns
from turnout.messages.prefix import PrefixHasher
from turnout.router import Router

HELLO: list[Any] = [{"role": "user", "content": [{"text": "hello"}]}]
USE: dict[str, Any] = {"role": "assistant", "content": [{"toolUse": {"toolUseId": "1", "name": "look", "input": {}}}]}
RESULT: dict[str, Any] = {"role": "user", "content": [{"toolResult": {"toolUseId": "1", "content": []}}]}
SIGNED: dict[str, Any] = {
    "role": "assistant",
    "content": [{"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}, {"text": "hi"}],
}


def turns() -> tuple[Turns, Router]:
    router = Router(POLICY, CATALOG)
    return Turns(router, PrefixHasher(b"key of the test")), router


def call(messages: list[Any], **kwargs: Any) -> Call:
    return Call(messages, None, None, kwargs)


def test_within_an_invocation_a_turn_goes_on_until_a_person_speaks_again() -> None:
    made, _ = turns()
    state: dict[str, Any] = {}
    first = made.of(call(HELLO, invocation_state=state))
    assert made.of(call([*HELLO, USE, RESULT], invocation_state=state)) is first
    assert made.of(call(HELLO, invocation_state=state)) is first  # Strands tries again
    later = [*HELLO, {"role": "assistant", "content": [{"text": "hi"}]}, *HELLO]
    assert made.of(call(later, invocation_state=state)) is not first


def test_the_same_question_in_another_invocation_is_another_turn() -> None:
    made, _ = turns()
    assert made.of(call(HELLO, invocation_state={})) is not made.of(call(HELLO, invocation_state={}))


def test_direct_calls_go_on_in_a_tool_loop_alone() -> None:
    made, _ = turns()
    first = made.of(call(HELLO))
    assert made.of(call([*HELLO, USE, RESULT])) is first
    assert made.of(call(HELLO)) is not first


def test_two_doors_on_one_state_do_not_mix() -> None:
    (one, _), (other, _) = turns(), turns()
    state: dict[str, Any] = {}
    assert one.of(call(HELLO, invocation_state=state)) is not other.of(call(HELLO, invocation_state=state))


def test_a_tool_loop_stays_on_its_model_and_without_one_nothing_stays() -> None:
    made, _ = turns()
    turn = made.of(call(HELLO))
    loop = call([*HELLO, USE, RESULT])
    assert made.stay(loop, turn) is None
    turn.model = CAPABLE
    assert made.stay(loop, turn) == HardStay(CAPABLE, "tool_loop")
    assert made.stay(call(HELLO), turn) is None


def test_signed_thinking_stays_on_the_sessions_model() -> None:
    made, router = turns()
    bound = call([*HELLO, SIGNED, *HELLO])
    turn = made.of(bound)
    assert made.stay(bound, turn) is None  # nothing is known of who signed it
    router.memory.served(turn.session_id, CAPABLE)
    assert made.stay(bound, turn) == HardStay(CAPABLE, "bound_state")


def test_thinking_that_the_other_model_reads_or_that_nobody_does_keeps_nothing() -> None:
    made, router = turns()
    thought = call([*HELLO, SIGNED, *HELLO])
    turn = made.of(thought)
    # Haiku 4.5 reads no thinking of its own finished turns: a switch loses none.
    router.memory.served(turn.session_id, CHEAP)
    assert made.stay(thought, turn) is None
    lenient = Turns(router, PrefixHasher(b"key of the test"), leave_thinking=True)
    made.wrote(turn, CAPABLE)
    assert made.stay(thought, turn) == HardStay(CAPABLE, "bound_state")
    router.memory.served(turn.session_id, CAPABLE)
    assert lenient.stay(thought, lenient.of(thought)) is None


def test_the_last_writer_counts_and_else_who_was_chosen_last() -> None:
    made, router = turns()
    turn = made.of(call(HELLO))
    assert made.writer(turn) is None
    router.memory.served(turn.session_id, CHEAP)
    assert made.writer(turn) == CHEAP
    made.wrote(turn, CAPABLE)
    turn.model = CHEAP
    assert made.writer(turn) == CAPABLE


def test_a_model_that_is_no_candidate_is_stayed_with_by_name() -> None:
    made, router = turns()
    bound = call([*HELLO, SIGNED, *HELLO])
    turn = made.of(bound)
    router.memory.served(turn.session_id, "somewhere/else")
    assert made.stay(bound, turn) == HardStay("somewhere/else", "bound_state")
