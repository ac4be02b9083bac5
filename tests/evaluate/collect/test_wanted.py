from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluate.collect.support import CAPABLE, CATALOG, CHEAP, JUDGE, settings_at, wanted_at
from turnout.config import Settings, load_settings
from turnout.core.catalog import UnknownModelError
from turnout.evaluate.collect.errors import CollectError
from turnout.evaluate.collect.judges.exact import ExactJudge
from turnout.evaluate.collect.wanted import Models, models_of, plain_judge, rubric_of, source_of


def test_the_pair_of_the_settings(settings: Settings) -> None:
    assert models_of(None, "exact", settings, CATALOG) == Models(CHEAP, CAPABLE, None)


def test_a_pair_and_a_judge_by_name(settings: Settings) -> None:
    pair = f"{JUDGE.id}, {CAPABLE.id}"
    assert models_of(pair, f"llm:{CHEAP.id}", settings, CATALOG) == Models(JUDGE, CAPABLE, CHEAP)


@pytest.mark.parametrize(
    ("pair", "judge", "message"),
    [
        ("a", "exact", "--pair must be CHEAP,CAPABLE, got 'a'"),
        ("a,", "exact", "--pair must be CHEAP,CAPABLE, got 'a,'"),
        (f"{CHEAP.id},{CHEAP.id}", "exact", f"--pair names one model twice: {CHEAP.id}"),
        (None, "", "--judge is needed: one of exact, exact-loose, agreement, llm:MODEL, module:function"),
        (None, "exakt", "unknown judge 'exakt'; the nearest known one is 'exact'"),
    ],
)
def test_what_is_wrong(settings: Settings, pair: str | None, judge: str, message: str) -> None:
    with pytest.raises(CollectError) as raised:
        models_of(pair, judge, settings, CATALOG)
    assert message in str(raised.value)


def test_a_model_that_nobody_knows(settings: Settings) -> None:
    with pytest.raises(UnknownModelError, match=r"unknown model 'openai/gpt-4\.1-larg'; the nearest known one is"):
        models_of(f"{CHEAP.id},openai/gpt-4.1-larg", "exact", settings, CATALOG)


def test_one_candidate_is_no_pair(tmp_path: Path) -> None:
    path = tmp_path / "turnout.toml"
    path.write_text(f'[[policy.candidates]]\nmodel = "{CHEAP.id}"\nrank = 1\n')
    with pytest.raises(CollectError, match="one candidate only: --pair CHEAP,CAPABLE says who is compared"):
        models_of(None, "exact", load_settings(path), CATALOG)


def test_identity_and_spellings(settings: Settings, tmp_path: Path) -> None:
    wanted = wanted_at(tmp_path, settings, [])
    assert wanted.identity().judge.startswith(f"llm:{JUDGE.id}:")
    assert wanted._replace(rubric="r").identity() != wanted.identity()
    assert wanted.resolved(CHEAP.model_id) == wanted.resolved(CHEAP.id) == CHEAP.id
    assert wanted.resolved("nobody's") == "nobody's"
    exact = wanted_at(tmp_path, settings, [], judge="exact-loose")
    assert exact.identity().judge == "exact-loose"
    assert isinstance(plain_judge("exact"), ExactJudge)


def test_a_rubric(tmp_path: Path) -> None:
    path = tmp_path / "rubric.txt"
    assert rubric_of(None, None) == ""
    path.write_text("Short is better.\n")
    assert rubric_of(path, JUDGE) == "Short is better.\n"
    with pytest.raises(CollectError, match="--rubric is for an LLM judge"):
        rubric_of(path, None)
    path.write_text(" \n")
    with pytest.raises(CollectError, match="is empty"):
        rubric_of(path, JUDGE)
    path.write_bytes(b"\xff\xff")
    with pytest.raises(CollectError, match="this is not UTF-8 text"):
        rubric_of(path, JUDGE)
    with pytest.raises(CollectError, match="No such file"):
        rubric_of(tmp_path / "no", JUDGE)


def test_where_requests_come_from(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CollectError, match=r"the ledger keeps no prompts .* record_text = true and texts ="):
        source_of(None, settings)
    with pytest.raises(CollectError, match=r"there is no file asked\.jsonl$"):
        source_of(Path("asked.jsonl"), settings)
    kept = settings_at(tmp_path, "http://127.0.0.1:1", monkeypatch, 'record_text = true\ntexts = "texts.jsonl"')
    with pytest.raises(CollectError, match=r"texts\.jsonl: nothing was recorded there yet"):
        source_of(None, kept)
    off = settings_at(tmp_path, "http://127.0.0.1:1", monkeypatch, 'texts = "texts.jsonl"')
    with pytest.raises(CollectError, match=r"texts\.jsonl: record_text is off, so nothing is recorded"):
        source_of(None, off)
    (tmp_path / "texts.jsonl").touch()
    assert source_of(None, kept) == tmp_path / "texts.jsonl"
