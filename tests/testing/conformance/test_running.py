from collections.abc import Mapping
from typing import Any

import pytest

from turnout.messages.portability.adapter import carry_case, conversation_of_case, model_of_case
from turnout.messages.portability.safety import safe_to_switch
from turnout.testing.conformance import Case, Report, load_cases, run
from turnout.testing.conformance.cases import KINDS

CASES = load_cases()


@pytest.mark.parametrize("kind", KINDS)
def test_our_own_layer_passes(kind: str) -> None:
    report = run(carry_case, load_cases(kind))
    assert report.passed, "\n".join(f"{failed.case.id}: {failed.problem}" for failed in report.failed)


@pytest.mark.parametrize("kind", KINDS)
def test_switches_are_judged_as_the_cases_say(kind: str) -> None:
    asked = [case for case in load_cases(kind) if case.switch]
    judged = {
        case.id: str(
            safe_to_switch(
                conversation_of_case(case.history), model_of_case(case.source), model_of_case(case.target)
            ).reason
        )
        for case in asked
    }
    assert judged == {case.id: case.switch for case in asked}
    assert judged


def only(name: str) -> list[Case]:
    found = [case for case in CASES if case.name == name]
    assert found
    return found[:1]


def sends(history: Any) -> Any:
    return lambda *_: {"history": history}


def test_a_layer_that_changes_nothing_fails_where_something_must_change() -> None:
    report = run(lambda history, *_: {"history": history})
    kinds = {case.case.kind for case in report.failed}
    assert not report.passed
    assert kinds == {"thinking", "tools", "media", "text", "markers"}
    assert len(report.failed) < len(report.cases)


def test_a_layer_that_refuses_everything_fails_what_can_be_sent() -> None:
    (report,) = run(lambda *_: {"refusal": "no"}, only("plain text stays")).cases
    assert report.problem == "refused, but it can be sent: no"


def test_a_refusal_names_its_place() -> None:
    (report,) = run(lambda *_: {"refusal": "no"}, only("video refuses")).cases
    assert report.problem == "refused for 'no', which does not name 'messages.0.content.1'"
    (report,) = run(lambda history, *_: {"history": history}, only("video refuses")).cases
    assert report.problem == "sent, but it must be refused for messages.0.content.1"


def test_a_layer_that_fails_or_writes_into_the_history_fails_the_case() -> None:
    def breaks(*_: Any) -> Mapping[str, Any]:
        raise KeyError("status")

    def writes(history: dict[str, Any], *_: Any) -> Mapping[str, Any]:
        history["messages"].pop()
        return {"history": history}

    assert run(breaks, only("plain text stays")).failed[0].problem == "KeyError: 'status'"
    assert run(writes, only("plain text stays")).failed[0].problem == "the layer changed the history that it was given"


def test_what_is_sent_keeps_the_rules_of_every_history() -> None:
    case = only("plain text stays")[0]
    empty = {**case.history, "messages": [{"role": "user", "content": []}]}
    assert run(sends(empty), [case]).failed[0].problem == "messages.0: no content"


def test_cache_points_are_compared() -> None:
    case = only("a point of the user stays")[0]
    bare = {**case.history, "system": case.history["system"][:1]}
    assert "cache points [['system.0', '5m']] expected, got []" in run(sends(bare), [case]).failed[0].problem
    kept = only("manage keeps at most four")[0]
    none = {**kept.history, "system": kept.history["system"][:1]}
    none["messages"] = [{**message, "content": message["content"][:1]} for message in kept.history["messages"]]
    assert run(sends(none), [kept]).failed[0].problem == "4 cache points expected, got []"


def test_nothing_run_is_nothing_passed() -> None:
    assert not run(carry_case, []).passed
    assert Report(()).failed == ()
