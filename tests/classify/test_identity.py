from __future__ import annotations

from pathlib import Path

import pytest

from tests.classify.learned.models import model_of
from turnout.classify.identity import artefact_hash, difference, identity_of
from turnout.classify.learned.artefact import ArtefactError, save
from turnout.config import ConfigError, Settings, load_settings


def settings(tmp_path: Path, text: str = "") -> Settings:
    file = tmp_path / "turnout.toml"
    file.write_text(text)
    return load_settings(file)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("keyword", {"kind", "simple_share", "rules"}),
        ("embedding", {"kind", "simple_share", "examples"}),
        ("learned", {"kind", "simple_share", "artefact"}),
        ("llm", {"kind", "simple_share", "model", "prompt"}),
        ("cascade", {"kind", "simple_share", "examples", "model", "prompt", "doubt"}),
    ],
)
def test_what_verdicts_depend_on(kind: str, names: set[str], tmp_path: Path) -> None:
    given = settings(tmp_path)
    assert set(identity_of(given, kind)) == names
    assert identity_of(given, kind) == identity_of(settings(tmp_path), kind)


def test_each_of_it_makes_another_classifier(tmp_path: Path) -> None:
    before = identity_of(settings(tmp_path))
    assert before["kind"] == "keyword"
    assert difference(before, before) is None
    share = identity_of(settings(tmp_path, "[policy]\nsimple_share = 0.5\n"))
    assert difference(before, share) == (
        "was found for another state of the classifier keyword: simple_share 0.65, now 0.5"
    )
    (tmp_path / "rules.toml").write_text("base = 1.0\n[[rules]]\n")
    rules = identity_of(settings(tmp_path, '[classifier]\nrules = "rules.toml"\n'))
    assert rules["rules"] != before["rules"]
    other = identity_of(settings(tmp_path), "embedding")
    assert difference(before, other) == "was found for the classifier keyword, it is embedding now"


def test_an_artefact_is_its_model_and_its_numbers(tmp_path: Path) -> None:
    save(model_of(), tmp_path / "a", trained={}, card="")
    save(model_of(costs=False), tmp_path / "b", trained={}, card="")
    given = settings(tmp_path, '[classifier]\nkind = "learned"\nartefact = "a"\n')
    assert identity_of(given) == {"kind": "learned", "artefact": artefact_hash(tmp_path / "a")}
    assert artefact_hash(tmp_path / "a") != artefact_hash(tmp_path / "b")


def test_what_cannot_be_identified(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no classifier is configured"):
        identity_of(settings(tmp_path), "none")
    with pytest.raises(ConfigError, match="cannot be read: no such file"):
        identity_of(settings(tmp_path, '[classifier]\nrules = "gone.toml"\n'))
    with pytest.raises(ArtefactError, match=r"holds no model\.json that can be read"):
        artefact_hash(tmp_path)
