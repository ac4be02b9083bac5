from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from tests.classify.learned.models import model_of
from turnout.classify.learned.artefact import ArtefactError, read_manifest, save
from turnout.classify.learned.trained_on import FACT, TRAINED_ON, packed, trained_on


def written(folder: Path, keys: list[int]) -> None:
    data = packed(np.array(keys, np.uint64))
    save(model_of(), folder, trained={FACT: hashlib.sha256(data).hexdigest()}, card="")
    (folder / TRAINED_ON).write_bytes(data)


def test_each_hash_once_ascending(tmp_path: Path) -> None:
    written(tmp_path, [2**64 - 1, 5, 5, 1])
    found = trained_on(tmp_path, read_manifest(tmp_path))
    assert found is not None
    assert found.tolist() == [1, 5, 2**64 - 1]
    assert packed(np.array([1, 5, 2**64 - 1], np.uint64)) == (tmp_path / TRAINED_ON).read_bytes()


def test_who_deletes_the_file_says_nothing_and_another_one_is_refused(tmp_path: Path) -> None:
    written(tmp_path, [1, 2])
    manifest = read_manifest(tmp_path)
    (tmp_path / TRAINED_ON).write_bytes(packed(np.array([3], np.uint64)))
    with pytest.raises(ArtefactError, match="is not the file that the model was written with"):
        trained_on(tmp_path, manifest)
    (tmp_path / TRAINED_ON).unlink()
    assert trained_on(tmp_path, manifest) is None
