import re

import pytest

from turnout.testing.conformance import CaseError, load_cases
from turnout.testing.conformance.cases import KINDS

CASES = load_cases()
PAIRS = {(one, other) for one in ("bedrock", "anthropic", "openai") for other in ("bedrock", "anthropic", "openai")}


def test_every_kind_covers_every_pair_but_thinking_that_openai_does_not_sign() -> None:
    assert len(CASES) >= 40
    for kind in KINDS:
        assert {case.protocols for case in CASES if case.kind == kind} == PAIRS


def test_names_are_unique_and_every_rule_has_a_source_with_its_date() -> None:
    assert len({case.id for case in CASES}) == len(CASES)
    for case in CASES:
        assert case.why.endswith(".")
        assert case.rule["title"]
        assert case.rule["url"].startswith("https://")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", case.rule["date"])


def test_what_may_come_of_a_case_is_said() -> None:
    for case in CASES:
        assert case.expected
        for alternative in case.expected:
            assert alternative["outcome"]
            assert sum(key in alternative for key in ("same", "refused", "messages")) == 1, case.id


def test_bytes_and_long_texts_are_read() -> None:
    image = next(case for case in CASES if case.name == "an image stays")
    assert image.history["messages"][0]["content"][1]["image"]["source"]["bytes"].startswith(b"\x89PNG")
    point = next(case for case in CASES if case.name == "a point of the user stays")
    assert point.history["system"][0]["text"] == "word " * 1000


def test_some_kinds_may_be_asked_for() -> None:
    assert {case.kind for case in load_cases("media", "text")} == {"media", "text"}
    with pytest.raises(CaseError, match="unknown kind of cases 'pictures'; known are thinking, tools"):
        load_cases("pictures")
