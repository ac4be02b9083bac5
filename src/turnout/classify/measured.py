"""What was measured of models that classify: how their log-probabilities or answers become P(label is simple).

A calibration holds for one model and one wording of the prompt; for any other there is none here, and the classifier
goes by what it states as default. Measure your own with `turnout.classify.assess.calibration_of`.
"""

from __future__ import annotations

import functools
import importlib.resources
import tomllib

import msgspec

from turnout.classify.calibrate import Calibration


class Measured(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model's calibrations.

    Attributes:
        model: Its id in the catalog.
        prompt_sha256: The wording that it was measured with, as `turnout.classify.prompt.Prompt.sha256`.
        measured_on: For people: on what, when and by what.
        logprobs: Of its log-probabilities.
        answers: Of its text answers.
    """

    model: str
    prompt_sha256: str
    measured_on: str
    logprobs: Calibration | None = None
    answers: Calibration | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    measured: tuple[Measured, ...] = ()


def measured_calibrations(model_id: str, prompt_sha256: str) -> Measured | None:
    """What was measured of a model with that prompt, or none."""
    return next(
        (entry for entry in _packaged() if (entry.model, entry.prompt_sha256) == (model_id, prompt_sha256)), None
    )


@functools.cache
def _packaged() -> tuple[Measured, ...]:
    text = importlib.resources.files("turnout.classify").joinpath("data", "llm_measured.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), _File).measured
