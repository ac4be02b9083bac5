"""The folder that holds what was learned: ``model.json``, ``numbers.safetensors``, ``MODEL_CARD.md``.

No file of it can run code: JSON is decoded into a fixed structure, safetensors holds arrays only. The same training
writes the same bytes: nothing of a clock, a path or a machine is in it.

- ``model.json``: format, candidates, layout, head, calibrations, the SHA-256 of the numbers, and what the card says.
- ``numbers.safetensors``: means, scales, frequencies, directions, centres, weights and trees.
- ``MODEL_CARD.md``: for people: on what it was trained, what it can do, how it is made again.
- ``trained_on.safetensors``: hashes of what it was trained on; see `turnout.classify.learned.trained_on`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from turnout.classify.learned.features import Embed, FeatureMap, Layout
from turnout.classify.learned.likeness import Likeness
from turnout.classify.learned.model import Calibration, Head, LearnedModel, Price
from turnout.classify.learned.ngrams import BUCKETS
from turnout.classify.learned.trees import Trees
from turnout.config.extras import require
from turnout.core.verdict import Basis

FORMAT = 3
"""Raised whenever features or files change their meaning."""

MODEL = "model.json"
NUMBERS = "numbers.safetensors"
CARD = "MODEL_CARD.md"

_MOST_BYTES = 512_000_000


class ArtefactError(ValueError):
    """A folder holds no artefact, a damaged one, or one of another format."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``model.json`` says.

    Attributes:
        format: The format's number.
        turnout: The version that trained it; ``packaged`` for what comes with every version.
        candidates: The models, the least capable first.
        layout: What features there are.
        head: What predicts the scores.
        calibrations: From gains to probabilities, one a candidate but for the most capable one.
        price: How costs count in the ranking by USD.
        likeness: How like each other the prompts of training are.
        basis: What the scores of training were: grades of answers, or labels of queries. Of labels there are two
            candidates, and the first one's P is P(label is simple), where a half of the queries are simple.
        caution: By so much the log-odds of ``simple`` are lowered, for labels: see `turnout.classify.learned.packaged`.
        numbers_sha256: Of ``numbers.safetensors``.
        trained: On what, how, and how well: facts for people and tools.
    """

    format: int
    turnout: str
    candidates: tuple[str, ...]
    layout: Layout
    head: Head
    calibrations: tuple[Calibration, ...]
    price: Price
    likeness: Likeness
    basis: Basis = "outcome"
    caution: float = 0.0
    numbers_sha256: str
    trained: dict[str, Any]


def save(
    model: LearnedModel,
    folder: Path,
    *,
    trained: dict[str, Any],
    card: str,
    basis: Basis = "outcome",
    caution: float = 0.0,
    version: str = "",
) -> None:
    """Write a model; what stood in the folder under these names is replaced.

    Args:
        model: The model.
        folder: Where to; made if it is not there.
        trained: Facts of the training, as JSON can hold them.
        card: The model card, Markdown.
        basis: What the scores were.
        caution: By so much the log-odds of ``simple`` are lowered.
        version: Of Turnout; default: this one.
    """
    import turnout

    np = require("numpy", extra="embedding")
    numbers = {f"features.{name}": values for name, values in model.features.numbers.items() if name != "idf"}
    numbers |= _packed_idf(np, model.features.numbers["idf"])
    numbers |= {"ridge.weights": model.weights, "ridge.intercepts": model.intercepts}
    if model.centres is not None:
        numbers["likeness.centres"] = model.centres
    if model.trees is not None:
        numbers |= {f"trees.{name}": values for name, values in model.trees._asdict().items()}
    packed = require("safetensors.numpy", extra="embedding").save(
        {name: np.ascontiguousarray(values) for name, values in sorted(numbers.items())}
    )
    manifest = Manifest(
        format=FORMAT,
        turnout=version or turnout.__version__,
        candidates=model.candidates,
        layout=model.features.layout,
        head=model.head,
        calibrations=model.calibrations,
        price=model.price,
        likeness=model.likeness,
        basis=basis,
        caution=caution,
        numbers_sha256=hashlib.sha256(packed).hexdigest(),
        trained=trained,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NUMBERS).write_bytes(packed)
    (folder / MODEL).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    (folder / CARD).write_text(card, encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """What ``model.json`` says.

    Raises:
        ArtefactError: There is none, it is damaged, or of another format.
    """
    path = folder / MODEL
    if not path.is_file():
        raise ArtefactError(f"{folder} holds no {MODEL}; make one with: turnout train")
    data = path.read_bytes()
    try:
        found = msgspec.json.decode(data, type=dict[str, Any]).get("format")
        if found != FORMAT:
            raise ArtefactError(f"{path} is of format {found}, this version reads {FORMAT}; train it again")
        return msgspec.json.decode(data, type=Manifest)
    except msgspec.MsgspecError as error:
        raise ArtefactError(f"{path} is damaged: {error}") from error


def load(folder: Path, *, embed: Embed | None = None) -> tuple[LearnedModel, Manifest]:
    """Read a model.

    Args:
        folder: The folder.
        embed: Gives vectors instead of MiniLM.

    Raises:
        ArtefactError: There is none, its files do not belong together, or a number is missing or not finite.
        MissingExtraError: numpy or safetensors is not installed.
    """
    np = require("numpy", extra="embedding")
    manifest = read_manifest(folder)
    path = folder / NUMBERS
    if not path.is_file():
        raise ArtefactError(f"{folder} holds no {NUMBERS}")
    if path.stat().st_size > _MOST_BYTES:
        raise ArtefactError(f"{path} is larger than any artefact: {path.stat().st_size} bytes")
    packed = path.read_bytes()
    if hashlib.sha256(packed).hexdigest() != manifest.numbers_sha256:
        raise ArtefactError(f"{path} is not the file that {MODEL} was written with")
    numbers = require("safetensors.numpy", extra="embedding").load(packed)
    for name, values in numbers.items():
        if not np.isfinite(values).all():
            raise ArtefactError(f"{path}: {name} is not finite")
    features = {name.removeprefix("features."): one for name, one in numbers.items() if name.startswith("features.")}
    trees = {name.removeprefix("trees."): one for name, one in numbers.items() if name.startswith("trees.")}
    try:
        features["idf"] = _unpacked_idf(np, features)
        model = LearnedModel(
            candidates=manifest.candidates,
            features=FeatureMap(manifest.layout, features),
            head=manifest.head,
            weights=numbers["ridge.weights"],
            intercepts=numbers["ridge.intercepts"],
            calibrations=manifest.calibrations,
            price=manifest.price,
            likeness=manifest.likeness,
            centres=numbers.get("likeness.centres"),
            trees=Trees(**trees) if trees else None,
            embed=embed,
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ArtefactError(f"{path} does not fit {MODEL}: {error}") from error
    return model, manifest


def _packed_idf(np: Any, idf: Any) -> dict[str, Any]:
    """Frequencies with their buckets: most buckets have none where prompts are few."""
    known = np.flatnonzero(idf)
    return {"features.idf": idf[known], "features.idf_buckets": known.astype(np.int32)}


def _unpacked_idf(np: Any, features: dict[str, Any]) -> Any:
    idf = np.zeros(BUCKETS, np.float32)
    idf[features.pop("idf_buckets")] = features["idf"]
    return idf
