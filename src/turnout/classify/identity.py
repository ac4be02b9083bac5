"""What a configured classifier is: its kind, and hashes of all that its verdicts depend on.

A calibration holds for verdicts of one classifier. So it keeps this, and a classifier that is another one now is told
from it, with what has changed.
"""

from __future__ import annotations

import hashlib
import importlib.resources
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from turnout.classify.examples import PACKAGED
from turnout.classify.learned.artefact import MODEL, ArtefactError, read_manifest
from turnout.classify.learned.packaged import packaged_artefact
from turnout.classify.prompt import load_prompt
from turnout.config.errors import ConfigError

if TYPE_CHECKING:
    from turnout.config import Settings

_DIGITS = 16


def identity_of(settings: Settings, kind: str | None = None) -> dict[str, str]:
    """What the classifier of settings is, or one of another kind with the same options.

    Raises:
        ConfigError: A file that it is made of cannot be read, or settings name none.
        ArtefactError: The learned classifier's folder holds no artefact.
    """
    options = settings.classifier
    kind = kind or options.kind
    if kind == "none":
        raise ConfigError("no classifier is configured")
    found = {"kind": kind}
    if kind == "learned":
        folder = options.artefact or packaged_artefact()
        found["artefact"] = artefact_hash(folder)
        if read_manifest(folder).basis == "outcome":
            return found
    # The prior share moves every P(simple).
    found["simple_share"] = f"{settings.rules.simple_share:g}"
    if kind == "keyword":
        found["rules"] = _hash_of(options.rules, "keywords.toml")
    if kind in ("embedding", "cascade"):
        found["examples"] = _hash_of(options.examples, PACKAGED)
    if kind in ("llm", "cascade"):
        found["model"] = options.model
        found["prompt"] = load_prompt().sha256[:_DIGITS]
    if kind == "cascade":
        found["doubt"] = " to ".join(f"{end:g}" for end in options.doubt)
    return found


def artefact_hash(folder: Path) -> str:
    """The hash of a learned artefact: of its ``model.json``, which holds that of its numbers.

    Raises:
        ArtefactError: There is none.
    """
    try:
        return hashlib.sha256((folder / MODEL).read_bytes()).hexdigest()[:_DIGITS]
    except OSError as error:
        raise ArtefactError(f"{folder} holds no {MODEL} that can be read: {error.strerror}") from error


def difference(calibrated: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """What is not as it was when the calibration was made, in words; none where all is."""
    if calibrated.get("kind") != now.get("kind"):
        return f"was found for the classifier {calibrated.get('kind')}, it is {now.get('kind')} now"
    changed = [name for name in {**calibrated, **now} if calibrated.get(name) != now.get(name)]
    if not changed:
        return None
    shown = ", ".join(f"{name} {calibrated.get(name, 'none')}, now {now.get(name, 'none')}" for name in changed)
    return f"was found for another state of the classifier {now.get('kind')}: {shown}"


def _hash_of(path: Path | None, packaged: str) -> str:
    if path is None:
        data = importlib.resources.files("turnout.classify").joinpath("data", packaged).read_bytes()
    else:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {(error.strerror or '').lower()}") from None
    return hashlib.sha256(data).hexdigest()[:_DIGITS]
