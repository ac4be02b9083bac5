from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.evaluate.plan.world import CAPABLE, CHEAP, World
from turnout.config.policy_lock_file import read_lock

SETTINGS = 'policy_file = "policy.toml"\n[policy]\nmarkers = "fill"\nadapt = true\n'


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return World(sessions=30, trouble=0.1).write(tmp_path_factory.mktemp("world") / "ledger.db").read_bytes()


@pytest.fixture
def traffic(tmp_path: Path, recorded: bytes) -> Path:
    """The folder of a user with recorded traffic and settings that name a lock."""
    (tmp_path / "ledger.sqlite3").write_bytes(recorded)
    (tmp_path / "turnout.toml").write_text(SETTINGS)
    return tmp_path


@pytest.fixture
def locked(traffic: Path, turnout: Run) -> Path:
    """The same, with the lock written."""
    assert turnout("plan", "--write")[0] == 0
    return traffic


def propose(folder: Path, more: str) -> None:
    (folder / "turnout.toml").write_text(SETTINGS + more)


def test_without_a_lock_it_says_how_to_make_one(traffic: Path, turnout: Run) -> None:
    code, out, err = turnout("plan")
    assert (code, out) == (2, "")
    assert err.startswith("turnout: policy.toml: there is no such file: `turnout plan --write` makes it")
    code, _, err = turnout("check")
    assert (code, err.count("\n")) == (2, 1)
    assert "policy_file: policy.toml: there is no such file: `turnout plan --write` makes it" in err


def test_the_first_lock_is_written_and_then_nothing_differs(traffic: Path, turnout: Run) -> None:
    code, out, err = turnout("plan", "--write")
    assert (code, err) == (0, "policy.toml: written\n")
    assert "no lock yet → turnout.toml: nothing differs" in out
    before = (traffic / "policy.toml").read_bytes()
    lock = read_lock(traffic / "policy.toml")
    assert lock.predicted is not None
    assert set(lock.predicted.share) == {CHEAP, CAPABLE}
    assert turnout("plan", "--write")[2] == "policy.toml: is as it was\n"
    assert (traffic / "policy.toml").read_bytes() == before
    code, out, err = turnout("plan", "--max-spend-increase", "0%", "--max-quality-drop", "0", "--strict")
    assert code == 1  # what was not reported has a high end above the low one
    assert turnout("plan", "--max-spend-increase", "0%", "--max-quality-drop", "0")[0] == 0


def test_a_change_is_shown_and_a_broken_bound_keeps_it_from_being_written(locked: Path, turnout: Run) -> None:
    propose(locked, 'preset = "economy"\n')
    before = (locked / "policy.toml").read_bytes()
    code, out, err = turnout("plan")
    assert (code, err) == (0, "")
    assert "policy.simple_bar" in out
    assert "the routes that change most" in out
    assert "the classifier's own estimate, not measured" in " ".join(out.split())
    code, out, err = turnout("plan", "--write", "--max-quality-drop", "0.001", "--markdown", "plan.md")
    assert code == 1
    assert err.startswith("turnout: broken: quality drops by at most 0.001 (")
    assert err.endswith("; policy.toml was not written\n")
    assert "BROKEN: quality drops by at most 0.001" in out
    assert "❌ BROKEN" in (locked / "plan.md").read_text()
    assert (locked / "policy.toml").read_bytes() == before
    assert turnout("plan", "--write")[0] == 0
    assert read_lock(locked / "policy.toml").policy.simple_bar == 0.35


def test_the_lock_holds_while_the_settings_propose(locked: Path, turnout: Run) -> None:
    propose(locked, "simple_bar = 0.9\n")
    findings = json.loads(turnout("check", "--json")[1])["findings"]
    told = {one["what"]: one for one in findings}
    assert "simple_bar 0.5" in told["policy"]["detail"]
    assert told["policy lock"]["state"] == "note"
    assert (
        "[policy] proposes policy.preset balanced → none; policy.simple_bar 0.5 → 0.9" in told["policy lock"]["detail"]
    )
    told = {one["what"]: one for one in json.loads(turnout("doctor", "--json")[1])}
    assert told["policy lock"]["state"] == "note"


def test_prices_that_moved_are_told_of(locked: Path, turnout: Run) -> None:
    lock = locked / "policy.toml"
    lock.write_text(lock.read_text().replace('output = "15"', 'output = "10"'))
    details = [
        one["detail"] for one in json.loads(turnout("check", "--json")[1])["findings"] if one["what"] == "policy lock"
    ]
    assert f"since it was locked: models.{CAPABLE}.price.output 10 → 15" in details[0]
    assert "edited by hand" in details[1]
    code, out, _ = turnout("plan", "--json", "--max-spend-increase", "5%")
    found = json.loads(out)
    assert (code, found["bounds"][0]["kept"]) == (1, False)
    assert found["differences"] == [{"key": f"models.{CAPABLE}.price.output", "old": "10", "new": "15"}]
    assert any("edited by hand" in note for note in found["notes"])


def test_json_and_markdown_say_the_same(locked: Path, turnout: Run) -> None:
    propose(locked, 'preset = "quality"\n')
    code, out, err = turnout("plan", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["old"]["spend_usd"] == found["recorded_usd"]
    assert found["changed_requests"] == sum(route["requests"] for route in found["routes"]) > 0
    assert found["old"]["quality_source"] == "classifier"
    assert "not measured" in found["old"]["quality_meaning"]
    code, out, err = turnout("plan", "--markdown", "-")
    assert (code, err) == (0, "")
    assert out.startswith("### Turnout plan: `policy.toml` → `turnout.toml`\n")
    assert f"| requests that change |  | {found['changed_requests']} of {found['window']['requests']} |  |" in out
    assert "(estimated)" in out


def test_any_two_files_are_compared(locked: Path, turnout: Run) -> None:
    (locked / "economy.toml").write_text('[policy]\npreset = "economy"\nmarkers = "fill"\nadapt = true\n')
    code, out, _ = turnout("plan", "--from", "policy.toml", "--to", "economy.toml", "--json")
    found = json.loads(out)
    assert (code, found["old"]["name"], found["new"]["name"]) == (0, "policy.toml", "economy.toml")
    code, out, _ = turnout("plan", "--from", "economy.toml", "--to", "policy.toml", "--json")
    assert json.loads(out)["new"]["spend_usd"] == found["old"]["spend_usd"]
    code, _, err = turnout("plan", "--write", "--to", "policy.toml")
    assert code == 2
    assert "is the lock file itself" in err


def test_graded_answers_say_more_than_verdicts(locked: Path, turnout: Run) -> None:
    rows = "".join(f"p{n},{CHEAP},{n % 2}\np{n},{CAPABLE},1\n" for n in range(50))
    (locked / "graded.csv").write_text("prompt,model,score\n" + rows)
    propose(locked, "simple_bar = 1.0\n")
    code, out, _ = turnout("plan", "--outcomes", "graded.csv", "--json", "--max-quality-drop", "0")
    found = json.loads(out)
    assert (code, found["new"]["quality_source"]) == (0, "outcomes")
    # Only where the capable model failed does the other one serve.
    assert 0.5 < found["old"]["quality"] < 0.9 < found["new"]["quality"] < 1.0
    (locked / "graded.csv").write_text(f"prompt,model,score\np,{CAPABLE},1\n")
    code, _, err = turnout("plan", "--outcomes", "graded.csv", "--max-quality-drop", "0.1")
    assert code == 2
    assert err == f"turnout: --max-quality-drop cannot be held: quality is not known, since nobody graded {CHEAP}\n"
    assert turnout("plan", "--outcomes", "graded.csv")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--max-spend-increase", "5"], "'5' is no share: write a number and a percent sign, such as 5%"),
        (["--max-quality-drop", "x"], "--max-quality-drop must be a number of 0 or more, such as 0.01, got 'x'"),
        (["--max-quality-drop", "5"], "--max-quality-drop is of a scale from 0 to 1, got 5"),
        (["--max-spend-usd-per-day", "-1"], "--max-spend-usd-per-day must be a number of 0 or more"),
        (["--max-spend-usd-per-day", "nan"], "--max-spend-usd-per-day must be a number of 0 or more"),
        (["--strict"], "--strict says how bounds are held: set one"),
        (["--json", "--markdown", "-"], "either --json or --markdown -, not both"),
        (["--run", "defalt"], "unknown run 'defalt'; the nearest known one is 'default'"),
        (["--from", "nope.toml"], "nope.toml: there is no such file"),
        (["--from", "ledger.sqlite3"], "ledger.sqlite3: not a text file in UTF-8"),
        (["--outcomes", "nope.csv"], "there is no file nope.csv"),
        (["--ledger", "nope.db"], "there is no ledger"),
        (["--markdown", "no/plan.md"], "no/plan.md cannot be written (No such file or directory): name another file"),
        (["--days", "0"], "--days"),
    ],
)
def test_bad_input_is_one_clear_line(locked: Path, turnout: Run, arguments: list[str], message: str) -> None:
    code, out, err = turnout("plan", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("turnout: ")
    assert message in err
    assert err.count("\n") == 1


def test_an_empty_ledger_says_that_there_is_nothing_to_replay(tmp_path: Path, turnout: Run) -> None:
    World(sessions=0).write(tmp_path / "ledger.sqlite3")
    code, _, err = turnout("plan", "--write")
    assert code == 2
    assert "there is nothing to replay: the ledger" in err
    assert not (tmp_path / "policy.toml").exists()


def test_a_lock_that_cannot_be_read_is_written_anew(locked: Path, turnout: Run) -> None:
    lock = locked / "policy.toml"
    good = lock.read_bytes()
    lock.write_text("format = 99\n")
    code, _, err = turnout("plan")
    assert code == 2
    assert "format: this version reads format 1: write the file anew with `turnout plan --write`" in err
    code, _, err = turnout("plan", "--write")
    assert code == 0
    assert err.startswith("the lock that is there counts as none: policy.toml: format:")
    assert lock.read_bytes() == good


def test_without_settings_the_lock_lies_here_and_it_says_how_to_use_it(
    tmp_path: Path, recorded: bytes, turnout: Run
) -> None:
    (tmp_path / "ledger.sqlite3").write_bytes(recorded)
    code, out, err = turnout("plan", "--write", "--max-spend-usd-per-day", "40")
    assert code == 0
    assert 'set policy_file = "policy.toml" in turnout.toml' in err
    assert "no lock yet → the defaults" in out
    assert (tmp_path / "policy.toml").is_file()


def test_ctrl_c_ends_it_without_a_trace_or_a_file(locked: Path) -> None:
    World(sessions=600, seed=5).write(locked / "long.db")
    command = [sys.executable, "-c", "from turnout.cli.app import main; main()", "plan", "--ledger", "long.db"]
    (locked / "turnout.toml").write_text(SETTINGS + "simple_bar = 0.75\n")
    started = subprocess.Popen(
        [*command, "--write", "--markdown", "plan.md"],
        cwd=locked,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    _wait_until_it_reads(started, locked / "long.db")
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert (started.returncode, out, err) == (130, "", "turnout: stopped\n")
    assert not (locked / "plan.md").exists()
    assert read_lock(locked / "policy.toml").policy.simple_bar == 0.5


def _wait_until_it_reads(started: subprocess.Popen[str], path: Path) -> None:
    """Wait until a process has opened a file; where nobody can see that, some time."""
    opened = Path(f"/proc/{started.pid}/fd")
    if not opened.is_dir():
        time.sleep(1)
        return
    while started.poll() is None:
        for link in opened.iterdir():
            with suppress(OSError):
                if link.readlink() == path:
                    return
        time.sleep(0.005)
