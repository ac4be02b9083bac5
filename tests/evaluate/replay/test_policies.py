from __future__ import annotations

import msgspec
import pytest

from tests.evaluate.replay.traces import CAPABLE, CATALOG, CHEAP, arrivals, call, mooncake, real, small, tau_bench
from turnout.config import load_catalog
from turnout.config.pairs import PAIR_4
from turnout.core.catalog import Catalog
from turnout.core.policy import Policy
from turnout.core.request import HardStay
from turnout.core.usage import Usage
from turnout.evaluate.replay.arrivals import arrivals_of
from turnout.evaluate.replay.conditions import Conditions
from turnout.evaluate.replay.policies import (
    Always,
    ByVerdict,
    Choice,
    CorePolicy,
    Free,
    Pin,
    RefusedReplayError,
    Sticky,
    candidates_of,
    own_marks,
    stay_cause,
)
from turnout.evaluate.replay.verdicts import COMPLEX, SIMPLE, Difficulty, draw
from turnout.messages.conversation import Conversation
from turnout.upstream.local.smollm import SMOLLM2_ID


def plan(conditions: Conditions) -> Policy:
    return Policy(candidates=candidates_of(conditions), horizon="session", markers="manage")


def served(pin: Pin, *labels: str, sessions: str = "") -> list[str]:
    """Who serves calls with these verdicts, ``s`` simple and ``c`` complex."""
    policy = CorePolicy("test", small(), pin)
    found = []
    for number, label in enumerate(labels):
        (arrival,) = arrivals(call("ab", number, session=sessions[number : number + 1]))
        choice = policy.choose(arrival, SIMPLE if label == "s" else COMPLEX)
        found.append(choice.model.removeprefix("test/"))
        policy.called(arrival, choice, Usage(input_tokens=2000, output_tokens=100))
    return found


def test_pins() -> None:
    conditions = small()
    assert served(Always(CAPABLE), "s", "c") == ["capable", "capable"]
    assert served(ByVerdict(conditions), "s", "c", "s") == ["cheap", "capable", "cheap"]


def test_sticky_moves_up_and_never_down() -> None:
    assert served(Sticky(small()), "s", "c", "s", "s", sessions="aaab") == ["cheap", "capable", "capable", "cheap"]


def test_a_free_choice_never_serves_a_complex_call_below_the_bar() -> None:
    assert served(Free(), "s", "c") == ["cheap", "capable"]


def test_own_marks_stand_at_head_and_end() -> None:
    (arrival,) = arrivals(call("abcd", 0))
    assert own_marks(arrival, "ends") == ((0, "5m"), (3, "5m"))
    assert own_marks(arrival, "none") == ()
    assert own_marks(arrival, "recorded") == ()
    (short,) = arrivals(call("a", 0))
    assert own_marks(short, "ends") == ((0, "5m"),)
    segments = (msgspec.structs.replace(arrival.request.segments[0], marker="1h"), *arrival.request.segments[1:])
    (marked,) = arrivals(msgspec.structs.replace(arrival.request, segments=segments))
    assert own_marks(marked, "recorded") == ((0, "1h"),)


def test_greedy_goes_where_the_prompt_is_warm() -> None:
    """30 blocks: on the capable model warm 30 · 0.3 = 9, on the cheap one cold 30 · 1.25; 100 tokens of output."""
    policy = CorePolicy("greedy", small(), Free())
    first, second = arrivals(call("a" * 30, 0), call("a" * 30, 10))
    choice = policy.choose(first, COMPLEX)
    policy.called(first, choice, Usage(cache_write_5m_tokens=30_000, output_tokens=100))
    assert policy.choose(second, SIMPLE).model == CAPABLE


def test_a_loop_is_not_left_by_who_knows_of_loops() -> None:
    conditions = small()
    loop = msgspec.structs.replace(call("abc", 1), in_tool_loop=True)
    for stays, expected in ((True, CAPABLE), (False, CHEAP)):
        policy = CorePolicy("test", conditions, Free(), stays=stays)
        first, second = arrivals(call("ab", 0), loop)
        choice = policy.choose(first, COMPLEX)
        policy.called(first, choice, Usage(input_tokens=2000, output_tokens=10))
        assert policy.choose(second, SIMPLE).model == expected


def test_what_binds_a_call_without_text() -> None:
    cheap, capable = CATALOG[CHEAP], CATALOG[CAPABLE]
    plain = call("ab", 0)
    loop = msgspec.structs.replace(plain, in_tool_loop=True)
    bound = msgspec.structs.replace(plain, hard_stay=HardStay("m", "bound_state"))
    assert [stay_cause(one, cheap, capable) for one in (plain, loop, bound)] == [None, "tool_loop", "bound_state"]
    assert stay_cause(loop, cheap, cheap) is None


def test_what_binds_a_call_is_asked_of_its_history() -> None:
    cheap, capable = (load_catalog()[model] for model in PAIR_4)
    requests = tau_bench()[0].requests
    causes = {(request.in_tool_loop, stay_cause(request, cheap, capable)) for request in requests}
    assert causes == {(True, "tool_loop"), (False, None)}
    thinking = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "signed"}}}
    said: list[dict[str, object]] = [
        {"role": "user", "content": [{"text": "Hello"}]},
        {"role": "assistant", "content": [thinking, {"text": "Hello!"}]},
        {"role": "user", "content": [{"text": "Go on"}]},
    ]
    local = load_catalog()[SMOLLM2_ID]
    signed = msgspec.structs.replace(call("ab", 0), conversation=Conversation(messages=said))
    assert stay_cause(signed, capable, local) == "bound_state"


def test_a_habit_whose_model_cannot_serve_takes_the_other() -> None:
    narrow = Catalog.of(
        msgspec.structs.replace(model, context_window=1500) if model.id == CHEAP else model for model in CATALOG.models
    )
    conditions = msgspec.structs.replace(small(), catalog=narrow)
    (arrival,) = arrivals(call("ab", 0))
    assert CorePolicy("naive", conditions, ByVerdict(conditions)).choose(arrival, SIMPLE).model == CAPABLE
    none = Catalog.of(msgspec.structs.replace(model, context_window=1500) for model in CATALOG.models)
    conditions = msgspec.structs.replace(conditions, catalog=none)
    with pytest.raises(RefusedReplayError, match=r"call 1 of the trace was refused.*context_window:2000>1500"):
        CorePolicy("naive", conditions, ByVerdict(conditions)).choose(arrival, SIMPLE)


def test_a_report_of_nothing_read_corrects_what_was_believed() -> None:
    conditions = small(lost=0.5)
    policy = CorePolicy("greedy", conditions, Free())
    first, second, third = arrivals(call("a" * 30, 0), call("a" * 30, 10), call("a" * 30, 20))
    policy.called(first, policy.choose(first, COMPLEX), Usage(cache_write_5m_tokens=30_000, output_tokens=100))
    assert policy.warm_end(CAPABLE, second) == 29
    # The provider found nothing and wrote all of it again: it is warm anew, for its whole TTL from now.
    choice = policy.choose(second, COMPLEX)
    believed = policy._believed[CAPABLE]
    policy.called(second, choice, Usage(cache_write_5m_tokens=30_000, output_tokens=100))
    assert believed.warm("a" * 30, third.now_ms) is not None
    assert believed.warm("a" * 30, third.now_ms).expires_ms == 310_000  # type: ignore[union-attr]  # Asserted above.


@pytest.mark.parametrize("markers", ["user", "fill", "manage"])
def test_blocks_told_as_one_give_the_same_decisions(markers: str) -> None:
    """The sample of a real trace, decided block by block and with stretches joined."""
    conditions = real()
    loaded, calls = mooncake()
    block_by_block = arrivals_of(loaded.requests)
    for arrival in block_by_block:
        arrival.boundaries = tuple(range(len(arrival.hashes)))
    verdicts = draw([arrival.request for arrival in calls], Difficulty(seed=5))
    policy = msgspec.structs.replace(plan(conditions), markers=markers)
    marking = "ends" if markers == "user" else "none"
    joined, whole = (
        CorePolicy("test", conditions, Free(), policy=policy, marking=marking, looks_ahead=True)  # type: ignore[arg-type]
        for _ in range(2)
    )
    real_caches = conditions.caches(real=True)
    written = 0
    for arrival, same, verdict in zip(calls[:200], block_by_block, verdicts.shown, strict=False):
        choices: list[Choice] = [joined.choose(arrival, verdict), whole.choose(same, verdict)]
        first, second = choices
        assert (first.model, first.marks) == (second.model, second.marks)
        prices = [[estimate.priced_pico for estimate in one.decision.estimates] for one in choices]
        assert prices[0] == pytest.approx(prices[1], abs=2)  # Whole pico-USD, rounded on the way.
        usage = real_caches[first.model].call(
            arrival.hashes, arrival.ends, first.marks, arrival.request.output_tokens, arrival.now_ms
        )
        written += usage.cache_write_tokens
        for one, choice in zip((joined, whole), choices, strict=True):
            one.called(arrival, choice, usage)
    assert written or markers == "fill"
