from __future__ import annotations

import json
import re
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.trace import samples
from turnout.core.cost import Cost
from turnout.doors.gateway.access.key_file import KeyFile, default_keys
from turnout.doors.gateway.access.keys import Key
from turnout.trace.store.ledger import Ledger


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the keys are by default."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return default_keys()


def made(turnout: Run, *arguments: str) -> dict[str, Any]:
    code, out, err = turnout("keys", "create", *arguments, "--json")
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    return found


def wrong(turnout: Run, *arguments: str) -> str:
    code, out, err = turnout("keys", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    return err


def test_a_key_is_shown_once(turnout: Run, path: Path) -> None:
    code, out, err = turnout("keys", "create", "ci", "--aws")
    assert code == 0
    token, access_key_id, secret = out.splitlines()
    assert "it is shown this once" in err
    assert str(path) in err
    key = KeyFile(path).read().check(token)
    assert isinstance(key, Key)
    assert access_key_id == f"AWS_ACCESS_KEY_ID={key.access_key_id}"
    assert KeyFile(path).read().pair(key.access_key_id) == (key, secret.removeprefix("AWS_SECRET_ACCESS_KEY="))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for arguments in (("list",), ("list", "--json"), ("show", "ci"), ("show", key.id, "--json"), ("revoke", "ci")):
        code, shown, complaints = turnout("keys", *arguments)
        assert (code, complaints) == (0, "")
        assert key.id in shown
        for text in (token[12:], secret.partition("=")[2], KeyFile(path).read().stored[0].secret_sha256):
            assert text not in shown


def test_what_a_key_may_do(turnout: Run, path: Path) -> None:
    found = made(
        turnout,
        "team a",
        *("--model", "global.anthropic.claude-haiku-5-5", "--model", "bedrock/global.anthropic.claude-sonnet-5-5"),
        *("--route", "economy", "--budget-day", "2.50", "--budget-month", "40", "--requests-per-minute", "60"),
        *("--tokens-per-minute", "100000", "--concurrent-requests", "8"),
    )
    assert re.fullmatch(r"tk-[0-9a-f]{8}-.{43}", found.pop("key"))
    assert (found.pop("aws_access_key_id"), found.pop("aws_secret_access_key")) == (None, None)
    code, out, _ = turnout("keys", "show", "team a", "--json")
    assert code == 0
    shown = json.loads(out)
    assert shown.pop("aws_access_key_id") is None
    assert shown == found
    assert {name: found[name] for name in found if name not in ("id", "name", "created", "revoked")} == {
        "models": ["bedrock/global.anthropic.claude-haiku-5-5", "bedrock/global.anthropic.claude-sonnet-5-5"],
        "route": "economy",
        "budget_day_usd": "2.50",
        "budget_month_usd": "40",
        "requests_per_minute": 60,
        "tokens_per_minute": 100_000,
        "concurrent_requests": 8,
        "spent_day_usd": "0.000000000000",
        "spent_month_usd": "0.000000000000",
    }
    _, out, _ = turnout("keys", "list")
    listed = " ".join(out.replace("│", " ").split())
    assert "team a" in listed
    assert "works" in listed
    [key] = KeyFile(path).read().keys
    assert key.rules.models == tuple(found["models"])


def test_what_a_key_has_spent_is_read_from_the_ledger(turnout: Run, path: Path, tmp_path: Path) -> None:
    found = made(turnout, "ci")
    now_ms = time.time_ns() // 1_000_000
    cost = Cost(input_pico=1_500_000_000)
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        ledger.append([samples.call(key_id=found["id"], started_ms=now_ms, cost=cost, cost_high_pico=2_500_000_000)])
    _, out, _ = turnout("keys", "list", "--json")
    assert json.loads(out)[0]["spent_month_usd"] == "0.002500000000"
    _, out, _ = turnout("keys", "show", "ci")
    assert "0.002500000000" in out
    _, out, _ = turnout("keys", "list")
    assert "0.002500" in out


def test_a_key_is_revoked_for_good_and_its_name_is_free(turnout: Run, path: Path) -> None:
    first = made(turnout, "ci", "--aws")
    assert f"there is a key 'ci' already ({first['id']})" in wrong(turnout, "create", "ci")
    code, out, err = turnout("keys", "revoke", "ci")
    assert (code, out, err) == (0, f"key {first['id']} 'ci' revoked\n", "")
    ring = KeyFile(path).read()
    assert not isinstance(ring.check(first["key"]), Key)
    assert not ring.holds_secrets  # what it signed with is gone
    assert "was revoked before" in wrong(turnout, "revoke", "ci")
    second = made(turnout, "ci")
    _, out, _ = turnout("keys", "show", "ci", "--json")
    assert json.loads(out)["id"] == second["id"]
    _, out, _ = turnout("keys", "show", first["id"], "--json")
    assert json.loads(out)["revoked"] is not None
    _, out, _ = turnout("keys", "list")
    assert "revoked" in out
    turnout("keys", "revoke", "ci")
    assert KeyFile(path).read().active == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("create", "../x"), "a key's name has 1 to 64 letters"),
        (("create", "a", "--budget-day", "much"), "--budget-day: 'much' is no amount in USD, such as 2.50"),
        (("create", "a", "--budget-month", "-1"), "budget_month_usd must be above 0"),
        (("create", "a", "--budget-day", "nan"), "budget_day_usd must be above 0"),
        (("create", "a", "--requests-per-minute", "0"), "requests_per_minute must be between 1"),
        (("create", "a", "--route", "econmy"), "unknown preset 'econmy'; the nearest known one is 'economy'"),
        (("create", "a", "--model", "gpt-5-mino"), "unknown model 'gpt-5-mino'"),
        (("show", "nobody"), "unknown key 'nobody'; the nearest known one is 'somebody'"),
        (("revoke", "nobody"), "unknown key 'nobody'; the nearest known one is 'somebody'"),
        (("list", "--keys", "."), "is no file of keys"),
    ],
)
def test_mistakes_are_told_in_one_line_and_change_nothing(
    turnout: Run, path: Path, arguments: tuple[str, ...], told: str
) -> None:
    made(turnout, "somebody")
    before = path.read_bytes()
    if arguments[-1] == ".":
        bad = path.with_name("bad.json")
        bad.write_text("{")
        bad.chmod(0o600)
        arguments = (*arguments[:-1], str(bad))
    assert told in wrong(turnout, *arguments)
    assert path.read_bytes() == before


def test_a_file_of_ones_own_choice(turnout: Run, path: Path, tmp_path: Path) -> None:
    made(turnout, "a", "--keys", str(tmp_path / "mine.json"))
    assert not path.exists()
    code, out, _ = turnout("keys", "list", "--keys", str(tmp_path / "mine.json"), "--json")
    assert (code, len(json.loads(out))) == (0, 1)
    code, out, _ = turnout("keys", "list", "--json")
    assert (code, json.loads(out)) == (0, [])


def test_without_a_command_the_help_is_shown(turnout: Run) -> None:
    code, out, _ = turnout("keys")
    assert code == 2
    assert "revoke" in out


def test_the_file_is_that_of_the_gateway_with_these_settings(turnout: Run, path: Path, tmp_path: Path) -> None:
    """Who names the file in his settings need not name it again for every command."""
    (tmp_path / "turnout.toml").write_text(f'[gateway]\nkeys = "{tmp_path / "own.json"}"\n')
    key = made(turnout, "ci")
    assert [one.id for one in KeyFile(tmp_path / "own.json").read().keys] == [key["id"]]
    assert not path.exists()
    assert key["id"] in turnout("keys", "list")[1]
    assert key["id"] in turnout("keys", "show", "ci")[1]
    assert turnout("keys", "revoke", "ci")[0] == 0
    assert KeyFile(tmp_path / "own.json").read().active == 0
    assert "unknown key" in wrong(turnout, "revoke", "ci", "--keys", str(tmp_path / "other.json"))
