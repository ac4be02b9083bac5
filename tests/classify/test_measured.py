"""Measured calibrations of models that classify."""

from __future__ import annotations

from turnout.classify.measured import measured_calibrations
from turnout.classify.prompt import load_prompt
from turnout.config import load_catalog
from turnout.upstream.local.smollm import SMOLLM2_ID


def test_smollm2_was_measured_with_the_prompt_that_is_shipped() -> None:
    measured = measured_calibrations(SMOLLM2_ID, load_prompt().sha256)
    assert measured is not None
    assert measured.logprobs is not None
    assert measured.logprobs.set_share == 0.5
    assert measured.model in load_catalog()


def test_another_wording_or_model_has_no_measurement() -> None:
    assert measured_calibrations(SMOLLM2_ID, "0" * 64) is None
    assert measured_calibrations("bedrock/none", load_prompt().sha256) is None
