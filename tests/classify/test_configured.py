from pathlib import Path
from typing import Any

import pytest

from tests.classify.learned.models import model_of
from tests.classify.says import Says
from turnout.classify.configured import KINDS, configured_classifier, model_behind
from turnout.classify.learned.artefact import ArtefactError, save
from turnout.classify.llm_local import LocalClassifierModel
from turnout.classify.llm_strands import StrandsClassifierModel
from turnout.config import ConfigError, Settings, load_catalog, load_settings
from turnout.messages.conversation import conversation_of

CATALOG = load_catalog()


def settings(tmp_path: Path, text: str = "") -> Settings:
    file = tmp_path / "turnout.toml"
    file.write_text(text)
    return load_settings(file)


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_is_built_and_gives_a_verdict(kind: str, tmp_path: Path) -> None:
    save(model_of(), tmp_path / "router", trained={}, card="")
    given = settings(tmp_path, '[classifier]\nartefact = "router"\n')
    built = configured_classifier(given, CATALOG, kind=kind, model_for=Says)
    assert built is not None
    verdict = await built.classify(conversation_of("When does my parcel come?"))
    assert verdict.failure is None
    assert verdict.classifier.split("/")[0] == kind


async def test_the_settings_kind_is_the_default_and_its_options_count(tmp_path: Path) -> None:
    text = '[policy]\nsimple_share = 0.2\n[classifier]\nkind = "keyword"\n'
    few = configured_classifier(settings(tmp_path, text), CATALOG)
    many = configured_classifier(settings(tmp_path, text.replace("0.2", "0.9")), CATALOG)
    assert few is not None
    assert many is not None
    query = conversation_of("zzz")
    low, high = await few.classify(query), await many.classify(query)
    assert low.p_simple is not None
    assert high.p_simple is not None
    assert low.p_simple < high.p_simple


def test_none_is_none(tmp_path: Path) -> None:
    assert configured_classifier(settings(tmp_path, '[classifier]\nkind = "none"\n'), CATALOG) is None


def test_an_unknown_kind_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="keyword, embedding, learned, llm, cascade and none"):
        configured_classifier(settings(tmp_path), CATALOG, kind="oracle")


async def test_without_an_artefact_the_learned_classifier_is_the_packaged_one(tmp_path: Path) -> None:
    text = '[policy]\nsimple_share = 0.2\n[classifier]\nkind = "learned"\n'
    query = conversation_of("How long is the warranty on a toaster?")
    few = configured_classifier(settings(tmp_path, text), CATALOG)
    half = configured_classifier(settings(tmp_path, text.replace("0.2", "0.5")), CATALOG)
    assert few is not None
    assert half is not None
    low, high = await few.classify(query), await half.classify(query)
    assert (low.basis, low.p_suffices) == ("label", {})
    assert low.p_simple is not None
    assert high.p_simple is not None
    assert 0.0 < low.p_simple < high.p_simple


def test_a_folder_without_an_artefact_is_an_error(tmp_path: Path) -> None:
    given = settings(tmp_path, '[classifier]\nkind = "learned"\nartefact = "nowhere"\n')
    with pytest.raises(ArtefactError, match=r"nowhere holds no model\.json"):
        configured_classifier(given, CATALOG)


async def test_the_llm_asks_the_cheap_candidate_unless_another_is_named(tmp_path: Path) -> None:
    asked: list[str] = []

    def model_for(model_id: str) -> Any:
        asked.append(model_id)
        return Says(model_id)

    configured_classifier(settings(tmp_path), CATALOG, kind="llm", model_for=model_for)
    named = settings(tmp_path, '[classifier]\nmodel = "local/smollm2-135m-instruct"\n')
    configured_classifier(named, CATALOG, kind="llm", model_for=model_for)
    assert asked == [settings(tmp_path).rules.candidates[0].model, "local/smollm2-135m-instruct"]


def test_a_model_is_built_by_its_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    haiku = "bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0"
    assert isinstance(model_behind(haiku, CATALOG), StrandsClassifierModel)
    assert isinstance(model_behind("local/smollm2-135m-instruct", CATALOG), LocalClassifierModel)
    with pytest.raises(ConfigError, match="no classifier can be built from settings on openai models"):
        model_behind("openai/gpt-5-mini", CATALOG)
