from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.evaluate.collect.conftest import double, running, settings
from tests.evaluate.collect.support import CAPABLE, CHEAP, JUDGE, asked, is_judged, lines
from turnout.config import Settings
from turnout.testing.completions import Fault, OpenAIDouble, Said
from turnout.trace.store.ledger import Ledger

__all__ = ["double", "running", "settings"]

JUDGED = ("--judge", f"llm:{JUDGE.id}")
FAST = ("--rpm", "1000000", "--share", "1")


@pytest.fixture
def here(turnout: Run, settings: Settings, tmp_path: Path) -> Path:
    """A folder with settings that call the double, and requests."""
    return lines(tmp_path / "asked.jsonl", asked(4))


def test_a_plan(turnout: Run, here: Path, double: OpenAIDouble) -> None:
    code, out, _ = turnout("collect", "out.jsonl", "--requests", "asked.jsonl", *JUDGED, *FAST, "--plan")
    assert code == 0
    assert out.startswith(f"{CHEAP.id} -> {CAPABLE.id}\n")
    assert "could be in the sample" in out
    assert "4 requests are still to be done" in out
    assert "Nothing was called." in out
    assert not double.calls
    code, out, _ = turnout("collect", "out.jsonl", "--requests", "asked.jsonl", *JUDGED, *FAST, "--plan", "--json")
    found = json.loads(out)
    assert (code, found["sampled"], found["calls"]) == (0, 4, {"capable": 4, "judge": 8})
    assert not Path("out.jsonl.state").exists()


def test_collect_and_what_comes_after(turnout: Run, here: Path, double: OpenAIDouble, tmp_path: Path) -> None:
    command = ("collect", "out.csv", "--requests", "asked.jsonl", *JUDGED, *FAST, "--budget", "1")
    code, out, err = turnout(*command)
    assert code == 0, err
    assert "The judge said the same in both orders in 100.0% of 4 requests (95 % interval" in out
    assert "8 outcomes written to out.csv (it holds prompts; only you can read it)" in " ".join(out.split())
    assert "collected 4 of 4" in err
    code, out, err = turnout(*command, "--json")
    assert (code, json.loads(out)["ended"], json.loads(out)["rows"]) == (0, "done", 8)
    assert "going on: 4 of 4 are done" in err
    code, out, _ = turnout("outcomes", "inspect", "out.csv", "--pair", f"{CHEAP.id},{CAPABLE.id}")
    assert code == 0
    assert "4 prompts, 4 different, score 0.000 -> 1.000" in out
    code, out, _ = turnout("metrics", "collect")
    assert code == 0
    assert "Beside the turns: 12 calls of shadow evaluation" in out
    assert "turns answered       │ 0 of 0" in out
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        assert {call.role for call in ledger.calls(run="collect")} == {"shadow", "judge"}


def test_a_key_that_is_missing_leaves_nothing_behind(
    turnout: Run, here: Path, double: OpenAIDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    code, _, err = turnout("collect", "o.jsonl", "--requests", "asked.jsonl", *JUDGED, *FAST, "--budget", "1")
    assert code == 2
    assert "OPENAI_API_KEY is not set" in err
    assert not list(Path().glob("o.jsonl*"))


def test_a_budget_that_is_too_small(turnout: Run, here: Path, double: OpenAIDouble) -> None:
    code, out, _ = turnout("collect", "o.jsonl", "--requests", "asked.jsonl", *JUDGED, *FAST, "--budget", "0.0001")
    assert code == 1
    assert "does not fit in the budget: raise --budget to go on" in " ".join(out.split())
    assert not double.calls


def test_a_biased_judge_is_warned_of(turnout: Run, here: Path, double: OpenAIDouble) -> None:
    double.responder = lambda request: Said(text="A" if is_judged(request) else "large")
    code, out, _ = turnout("collect", "o.jsonl", "--requests", "asked.jsonl", *JUDGED, *FAST, "--budget", "1")
    assert code == 0
    assert "100.0% (67.6% to 100.0%) were for the answer shown first" in " ".join(out.split())
    assert "WARNING: so many contradictions" in out
    own = ("--judge", f"llm:{CAPABLE.id}")
    _, _, err = turnout("collect", "p.jsonl", "--requests", "asked.jsonl", *own, *FAST, "--plan")
    assert "judges answers of its own" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "the ledger keeps no prompts and no answers"),
        (("--requests", "nothing.jsonl"), "there is no file nothing.jsonl"),
        (("--requests", "asked.jsonl"), "--judge is needed: one of exact,"),
        (("--requests", "asked.jsonl", "--judge", "exact"), "--budget is needed"),
        (("--requests", "asked.jsonl", "--judge", "exact", "--budget", "much"), "--budget must be an amount in USD"),
        (("--requests", "asked.jsonl", "--judge", "exact", "--budget", "-1"), "--budget must be an amount in USD"),
        (("--requests", "asked.jsonl", "--judge", "exact", "--budget", "1"), "no request is in the sample: all were"),
        (("--requests", "asked.jsonl", "--judge", "no:check", "--plan"), "there is no module 'no'"),
        (("--requests", "asked.jsonl", "--judge", "exact", "--rubric", "r.txt"), "--rubric is for an LLM judge"),
        (("--requests", "asked.jsonl", "--judge", "agreement", "--plan", "--share", "9"), "a share must be between"),
        (("--requests", "asked.jsonl", "--judge", "agreement", "--plan", "--rpm", "0"), "--rpm must be above 0"),
        (("--requests", "asked.jsonl", "--judge", "agreement", "--plan", "--strata", "x"), "strata must be like"),
        (("--requests", "empty.jsonl", "--judge", "agreement", "--plan"), "there is no request in it"),
        (("--requests", "asked.jsonl", "--judge", "agreement", "--ledger", "no.db", "--plan"), "there is no ledger"),
        (("--requests", "asked.jsonl", "--judge", "llm:gpt", "--plan"), "unknown model 'gpt'"),
    ],
)
def test_what_is_wrong(turnout: Run, here: Path, arguments: tuple[str, ...], message: str) -> None:
    here.with_name("empty.jsonl").touch()
    code, _, err = turnout("collect", "out.jsonl", *arguments)
    assert code == 2
    assert message in err
    assert not Path("out.jsonl").exists()


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("out.txt", "the name must end in .parquet, .csv, .jsonl"),
        ("no/out.csv", "there is no folder no"),
        ("asked.jsonl", "asked.jsonl is both read and written"),
        ("there.csv", "there.csv is there already, and no collection that could be gone on with"),
    ],
)
def test_a_table_that_cannot_be_made(turnout: Run, here: Path, out: str, message: str) -> None:
    here.with_name("there.csv").write_text("mine")
    code, _, err = turnout("collect", out, "--requests", "asked.jsonl", "--judge", "agreement", "--budget", "1")
    assert (code, message in err) == (2, True), err
    assert here.with_name("there.csv").read_text() == "mine"


def interrupted(folder: Path, double: OpenAIDouble, times: int) -> tuple[int, str, Any]:
    """The exit code and the errors of a command that gets SIGINT while its second call is under way."""
    double.faults.add(Fault(delay_s=0.0))
    double.faults.add(Fault(delay_s=1.0 if times == 1 else 20.0))
    code = "import sys; from turnout.cli.app import main; main()"
    arguments = ["collect", "out.jsonl", "--requests", "asked.jsonl", "--judge", "agreement", "--budget", "1"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments, *FAST, "--concurrency", "1"],
        cwd=folder,
        env={**os.environ, "TURNOUT_LEDGER": str(folder / "ledger.sqlite3")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    # Its own word that the first request is done, and the double's that the second call has come.
    said = process.stderr.readline()
    while len(double.calls) < 2:
        assert process.poll() is None, process.communicate()
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        if times > 1:
            said += process.stderr.readline()
    _, err = process.communicate(timeout=60)
    return process.returncode, said + err, double.calls[1]


@pytest.mark.once
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_keeps_what_is_done(turnout: Run, here: Path, double: OpenAIDouble, tmp_path: Path, times: int) -> None:
    code, err, call = interrupted(tmp_path, double, times)
    assert code == 130
    assert "stopping after what is under way" in err
    assert "Traceback" not in err
    call.ended.wait(30)
    done = 2 if times == 1 else 1
    assert len(Path("out.jsonl").read_text().splitlines()) == 2 * done
    double.faults.clear()
    double.calls.clear()
    code, _, _ = turnout(
        "collect", "out.jsonl", "--requests", "asked.jsonl", "--judge", "agreement", "--budget", "1", *FAST
    )
    assert code == 0
    assert len(double.calls) == 4 - done
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        statuses = sorted(call.status for call in ledger.calls(run="collect"))
    assert statuses == ["ok"] * 4 if times == 1 else ["cancelled", "ok", "ok", "ok", "ok"]
