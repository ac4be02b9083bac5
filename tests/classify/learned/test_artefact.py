from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.classify.learned.models import model_of
from turnout.classify.learned.artefact import CARD, FORMAT, MODEL, NUMBERS, ArtefactError, load, read_manifest, save
from turnout.classify.learned.rows import Row

ROWS = [Row("word " * 4), Row("What is 3 + 4?", (), "sums")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(model_of(trees=True), tmp_path / "router", trained={"prompts": 3}, card="# Card\n")
    return tmp_path / "router"


def test_what_is_read_says_the_same(folder: Path) -> None:
    model, manifest = load(folder)
    before, after = model_of(trees=True).predict(ROWS), model.predict(ROWS)
    for one, other in zip(before[:3], after[:3], strict=True):
        assert np.allclose(one, other, atol=1e-6)
    assert manifest.trained == {"prompts": 3}
    assert (folder / CARD).read_text(encoding="utf-8") == "# Card\n"


def test_the_same_model_is_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    save(model_of(trees=True), tmp_path / "again", trained={"prompts": 3}, card="# Card\n")
    for name in (MODEL, NUMBERS, CARD):
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"holds no model\.json; make one with: turnout train"):
        read_manifest(tmp_path)


def test_another_format(folder: Path) -> None:
    said = json.loads((folder / MODEL).read_text())
    (folder / MODEL).write_text(json.dumps(said | {"format": 99}))
    with pytest.raises(ArtefactError, match=f"is of format 99, this version reads {FORMAT}; train it again"):
        load(folder)


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"format": FORMAT})])
def test_a_damaged_manifest(folder: Path, text: str) -> None:
    (folder / MODEL).write_text(text)
    with pytest.raises(ArtefactError, match="is damaged"):
        load(folder)


def test_numbers_of_another_model(folder: Path, tmp_path: Path) -> None:
    save(model_of(), tmp_path / "other", trained={}, card="")
    (folder / NUMBERS).write_bytes((tmp_path / "other" / NUMBERS).read_bytes())
    with pytest.raises(ArtefactError, match=r"is not the file that model\.json was written with"):
        load(folder)


def test_numbers_that_are_missing(folder: Path) -> None:
    (folder / NUMBERS).unlink()
    with pytest.raises(ArtefactError, match=r"holds no numbers\.safetensors"):
        load(folder)


def test_a_number_that_is_missing_is_told_when_the_model_is_read(folder: Path) -> None:
    said = json.loads((folder / MODEL).read_text())
    said["layout"]["categories"] = ["a", "b"]
    (folder / MODEL).write_text(json.dumps(said))
    with pytest.raises(ArtefactError, match=r"does not fit model\.json: 'category_shares'"):
        load(folder)


def test_numbers_that_are_none(tmp_path: Path) -> None:
    model = model_of()
    model.weights[0, 0] = np.nan
    save(model, tmp_path / "router", trained={}, card="")
    with pytest.raises(ArtefactError, match=r"ridge\.weights is not finite"):
        load(tmp_path / "router")
