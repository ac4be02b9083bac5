"""The calibration file: a bar that was found on graded answers, what is said of it, and for what it was found.

``turnout calibrate`` writes it and ``[policy] calibration`` names it. The bar then holds instead of the policy's own,
and only for the candidates, models and classifier that it was found with: a file that does not fit is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from turnout.config.errors import ConfigError
from turnout.core.catalog import Catalog, Model
from turnout.core.policy import NOTHING_CLEARS, Policy

FORMAT = 1
"""Raised whenever the file changes its meaning."""

DIGITS = 6
"""Digits of what verdicts said, in the file and of what is held against it: ties must stay ties."""

AGAIN = "run turnout calibrate again, or take policy.calibration out"
"""What helps where a file does not fit."""

Kind = Literal["quality", "capable_share", "budget_usd", "cost_ratio"]
"""What a target bounds."""


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was asked for, and the bar that came of it.

    Attributes:
        kind: What is bounded.
        value: By how much: a share of quality, a share of requests, USD, a share of cost.
        delta: The probability with which the statement may be wrong; 0 where there is no statement.
        bar: The bar; none: only the most capable candidate clears it.
        statement: What is guaranteed, in words; empty: nothing is.
    """

    kind: Kind
    value: float
    delta: float = 0.0
    bar: float | None = None
    statement: str = ""


class Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The graded answers.

    Attributes:
        files: Their names.
        sha256: Of their rows.
        prompts: Prompts that all candidates answered.
        units: Different ones among them, on which the statement was tested.
        set_aside: Different ones that were not tested on: what is unlike them was learned from them.
    """

    files: tuple[str, ...]
    sha256: str
    prompts: int
    units: int
    set_aside: int


class References(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What tells requests that are unlike those of the calibration; see `turnout.classify.likeness`.

    Attributes:
        space: Whose vectors: those of MiniLM, or n-grams and structure.
        share: The share of requests like those of the calibration that is beyond the cut, at the most.
        cut: The distance from which on a request is unlike.
        width: Numbers of a vector.
        mean: What is taken from each of the plain numbers; empty in MiniLM's space.
        scale: What they are then divided by.
        vectors: The references' vectors, one behind the other: float16, little-endian.
    """

    space: Literal["minilm", "ngrams"]
    share: float
    cut: float
    width: int
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    vectors: bytes


class CalibrationFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A calibration.

    Attributes:
        format: The format's number.
        turnout: The version that wrote it.
        created: When, in UTC, ISO 8601.
        basis: Of which verdicts: on labels, on outcomes, or ``score``: of a router that settings cannot name.
        bar: What verdicts are held against; none: only the most capable candidate clears it.
        target: The place of the target in ``targets`` that the bar is of.
        targets: All that was asked for.
        served: Whom quality was counted for: the ``cheapest`` that clears the bar, or the worst of ``any`` that do.
        candidates: The models, the least capable first: ids of the catalog, or as the table names them.
        table_names: As the table names them.
        verdict_names: As the classifier's verdicts on outcomes name them; empty: as the catalog.
        models: Of those that the catalog knew a hash of what makes them what they are, and of their prices.
        classifier: What the classifier is: its kind, and hashes of all that its verdicts depend on.
        scorer: Who graded, in the user's words.
        parameters: With which parameters the models answered, in the user's words.
        data: The graded answers.
        shares: For each candidate the share of the calibration's requests that it served.
        usd: What a request cost, in USD; none: costs are not known.
        capable_usd: What it would cost on the most capable candidate alone; none: likewise.
        kept: The share of the most capable candidate's mean score that was kept on the calibration's requests.
        probabilities: For each cheaper candidate what the verdicts on a sample of the calibration's requests said, in
            one order for all; for verdicts on labels one entry named ``simple``.
        references: What tells unlike requests; none: nobody looks.
        unlikenesses: How unlike a sample of the calibration's requests is, 1 being the cut; empty: nobody looked.
    """

    format: int
    turnout: str
    created: str
    basis: Literal["label", "outcome", "score"]
    bar: float | None
    target: int
    targets: tuple[Target, ...]
    served: Literal["cheapest", "any"]
    candidates: tuple[str, ...]
    table_names: tuple[str, ...]
    verdict_names: tuple[str, ...]
    models: Mapping[str, tuple[str, str]]
    classifier: Mapping[str, str]
    scorer: str
    parameters: str
    data: Data
    shares: tuple[Range, ...]
    usd: Range | None
    capable_usd: Range | None
    kept: Range | None
    probabilities: Mapping[str, tuple[float, ...]]
    references: References | None
    unlikenesses: tuple[float, ...] = ()

    @property
    def guaranteed(self) -> bool:
        """Whether the bar comes with a statement about quality."""
        return bool(self.targets[self.target].statement)

    @property
    def bars(self) -> dict[str, float]:
        """The bar as a keyword of `Policy`."""
        bar = NOTHING_CLEARS if self.bar is None else self.bar
        return {"simple_bar" if self.basis == "label" else "quality_bar": bar}


def read_calibration(path: Path) -> CalibrationFile:
    """Read a calibration file.

    Raises:
        ConfigError: It cannot be read, is damaged, or of another format.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {(error.strerror or '').lower()}") from None
    try:
        found = msgspec.json.decode(data, type=dict[str, msgspec.Raw]).get("format")
        if found is None or bytes(found) != str(FORMAT).encode():
            raise ConfigError(f"{path}: is no calibration of format {FORMAT}: run turnout calibrate again")
        return msgspec.json.decode(data, type=CalibrationFile)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is no calibration: {error}") from None


def write_calibration(calibration: CalibrationFile, path: Path) -> None:
    """Write a calibration file; it appears under its name only when it is whole.

    Raises:
        OSError: It cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(calibration), indent=1) + b"\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def model_facts(model: Model) -> tuple[str, str]:
    """A hash of what makes a model what it is, and one of its prices."""
    import hashlib

    def hashed(value: object) -> str:
        return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()[:16]

    return hashed((model.provider, model.model_id)), hashed(model.price)


def problem(calibration: CalibrationFile, policy: Policy, catalog: Catalog) -> str | None:
    """What of a calibration does not fit the policy's candidates and their models, or none."""
    names = [candidate.model for candidate in reversed(policy.ranked)]
    if calibration.basis == "score":
        return f"was found for {calibration.classifier.get('router', 'a router')}, which is no classifier of settings"
    if list(calibration.candidates) != names:
        return (
            f"was found for {' -> '.join(calibration.candidates)}, the candidates are {' -> '.join(names)}; "
            "--as says which models of the catalog a table means"
        )
    for name, (identity, _) in calibration.models.items():
        if name in catalog and model_facts(catalog[name])[0] != identity:
            return f"was found for another model than {name} is now"
    return None


def changed_prices(calibration: CalibrationFile, catalog: Catalog) -> list[str]:
    """The models whose prices are not those that expected costs were found with."""
    return [
        name
        for name, (_, price) in calibration.models.items()
        if name in catalog and model_facts(catalog[name])[1] != price
    ]
