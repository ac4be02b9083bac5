import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from examples.customer_support.chat import Heard, chat
from examples.customer_support.options import AgentOptions
from tests.trace import decided
from turnout.core.cost import Cost
from turnout.core.verdict import UsageSource
from turnout.trace.records import ListRecorder
from turnout.trace.store.ledger import Ledger

HAIKU, SONNET = "claude-haiku-4-5", "claude-sonnet-4-6"


Talk = Callable[..., str]


@pytest.fixture
def talk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Talk:
    def run(*lines: str, version: int = 4, data: bytes | None = None) -> str:
        typed = data if data is not None else "\n".join(lines).encode() + b"\n"
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed), encoding="utf-8"))
        out = io.StringIO()
        options = AgentOptions(pairs=("4.5",), ledger=tmp_path / "chat.sqlite3")
        chat(options, version, Console(file=out, width=200))
        return out.getvalue()

    return run


def test_each_answer_says_which_model_gave_it_why_and_the_cost(talk: Talk, tmp_path: Path) -> None:
    out = talk("What is the warranty on monitors?", "/why")
    assert "simulated models" in out
    assert "3 years by the maker" in out
    assert "cheapest_" in out
    assert "; $0.0" in out
    assert "expected" in out
    with Ledger(tmp_path / "chat.sqlite3", read_only=True) as ledger:
        assert [run.name for run in ledger.runs()] == ["chat-v4-simulated"]


@pytest.mark.parametrize(
    ("high_pico", "shown"), [(10**9, "$0.001000"), (3 * 10**9, "0.001000 to 0.003000 $")], ids=["exact", "bounded"]
)
def test_a_cost_is_shown_as_far_as_it_is_known(high_pico: int, shown: str) -> None:
    heard = Heard(ListRecorder())
    source: UsageSource = "reported" if high_pico == 10**9 else "partial"
    heard.record(
        decided.called(cost=Cost(input_pico=10**9), cost_high_pico=high_pico, usage_source=source, status="cancelled")
    )
    assert heard.cost_text == shown


def test_a_pin_is_kept_until_it_is_taken_back(talk: Talk) -> None:
    out = talk("/pin sonnet", "hello", "/pin off", "hello again", "/pin gpt")
    assert "Pinned to bedrock/global.anthropic.claude-sonnet-4-6." in out
    assert "claude-sonnet-4-6; pinned;" in out
    assert "Turnout chooses." in out
    assert "unknown candidate 'gpt'" in out


def test_a_conversation_remembers_until_a_new_one_begins(talk: Talk, tmp_path: Path) -> None:
    talk("hello", "hello again", "/new", "hello")
    with Ledger(tmp_path / "chat.sqlite3", read_only=True) as ledger:
        calls = ledger.calls()
    first, second, third = (call.usage.prompt_tokens for call in calls)
    assert first < second
    assert third == first
    assert calls[0].session_id == calls[1].session_id != calls[2].session_id


def test_commands_and_bad_input(talk: Talk) -> None:
    out = talk("/help", "/why", "", "x" * 200_001)
    assert "/pin MODEL" in out
    assert "Nothing was decided yet." in out
    assert "at most 200,000 are taken" in out


def test_bytes_that_are_no_text(talk: Talk) -> None:
    assert "not text" in talk(data=b"\xff\xfe\n")


def test_versions_that_do_not_route_answer_too(talk: Talk) -> None:
    assert "claude-sonnet-4-6" in talk("hello", version=3)


def test_leaving(talk: Talk) -> None:
    assert talk("/quit", "hello").count("hello") == 0
