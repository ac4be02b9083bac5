from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.evaluate.outcomes.tables import answers, file_of
from turnout.evaluate.outcomes.inspecting import Inspection, ModelRow, PairRow, inspect
from turnout.evaluate.outcomes.show import MOST_MODELS, answers_table, enough, facts, sentences

PAIR = PairRow(
    cheap="small", capable="large", dataset="", prompts=500, groups=400, only_cheap=1, only_capable=2,
    cheap_score=0.5, capable_score=1.0, least=158, usual=953,
)  # fmt: skip


@pytest.fixture
def found(tmp_path: Path) -> Inspection:
    return inspect(file_of(tmp_path / "t.jsonl", *answers("a", 0, 1), *answers("b", 0, 1)))


@pytest.mark.parametrize(
    ("groups", "verdict"),
    [(157, "NOT ENOUGH."), (158, "enough for a router that errs little, NOT SURE for others."), (953, ": enough.")],
)
def test_whether_it_is_enough(groups: int, verdict: str) -> None:
    said = enough(msgspec.structs.replace(PAIR, groups=groups))
    assert said.startswith(
        f"small -> large: 500 prompts, {groups} different, score 0.500 -> 1.000; missing answers: 2 of"
    )
    assert said.endswith(verdict)


def test_a_capable_model_without_quality_has_none_to_keep() -> None:
    said = enough(msgspec.structs.replace(PAIR, dataset="d", capable_score=0.0, least=None, usual=None))
    assert said.startswith("small -> large on d: ")
    assert said.endswith(
        "No number of prompts is enough to guarantee 98 % of the capable model's quality: it has none."
    )


def test_only_what_is_there_is_told(found: Inspection) -> None:
    assert [what for what, _ in facts(found)] == [
        "rows",
        "prompts",
        "different texts",
        "models",
        "rows of splits",
        "repeated answers",
    ]
    more = msgspec.structs.replace(
        found, names_with_several_texts=1, texts_with_several_names=2, sampled=3, categories=4, categories_missing=5,
        texts_in_several_files=6, other_columns=["mood"],
    )  # fmt: skip
    said = dict(facts(more))
    assert said["one id, several texts"].startswith("1: ")
    assert said["one text, several ids"].startswith("2: ")
    assert said["categories"] == "4; 5 rows have none"
    assert said["one text, several files"].startswith("6: LEAKAGE")
    assert said["columns read over"] == "mood"


def test_many_models_are_cut_short_and_a_pair_is_asked_for(found: Inspection) -> None:
    row = ModelRow(dataset="d", model="m", answers=1, score=1.0, costs_missing=0, tokens_missing=0)
    many = msgspec.structs.replace(found, per_model=[row] * (MOST_MODELS + 2))
    assert answers_table(many).row_count == MOST_MODELS
    assert answers_table(many, all_models=True).row_count == MOST_MODELS + 2
    assert list(sentences(many)) == [
        "2 more; --all lists them",
        "whether they are enough for two models: --pair CHEAP,CAPABLE",
    ]
    assert list(sentences(msgspec.structs.replace(many, pairs=[PAIR]), all_models=True)) == [enough(PAIR)]
