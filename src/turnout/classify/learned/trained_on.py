"""On what a model was trained: hashes of groups and of texts, beside the model in ``trained_on.safetensors``.

A calibration needs prompts that the model was not trained on, and this is how it knows them. The hashes are those of
`turnout.evaluate.outcomes.content`: 64 bits of a group's name, and of the exact prompt or conversation. Who has a
prompt can find out whether it was trained on; where that may not be known, delete the file: calibration then takes your
word for it (``--disjoint``).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from turnout.classify.learned.artefact import ArtefactError, Manifest
from turnout.config.extras import require

TRAINED_ON = "trained_on.safetensors"
"""The file's name."""

FACT = "trained_on_sha256"
"""Under which name ``model.json`` says the file's hash."""


def packed(keys: Any) -> bytes:
    """The file's bytes.

    Args:
        keys: The hashes, in any order, some perhaps twice: uint64.
    """
    np = require("numpy", extra="embedding")
    found: bytes = require("safetensors.numpy", extra="embedding").save({"keys": np.unique(keys)})
    return found


def trained_on(folder: Path, manifest: Manifest) -> Any | None:
    """The hashes, ascending; none where the file is not there.

    Raises:
        ArtefactError: The file is not the one that the model was written with.
    """
    path = folder / TRAINED_ON
    if not path.is_file():
        return None
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != manifest.trained.get(FACT):
        raise ArtefactError(f"{path} is not the file that the model was written with")
    return require("safetensors.numpy", extra="embedding").load(data)["keys"]
