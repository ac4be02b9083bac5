from __future__ import annotations

import inspect

import pytest

from turnout.classify.llm_local import LocalClassifierModel
from turnout.classify.llm_openai import OpenAIClassifierModel
from turnout.classify.llm_strands import StrandsClassifierModel
from turnout.classify.model import ClassifierModel, Completion, CompletionError
from turnout.core.usage import NO_USAGE, Usage


@pytest.mark.parametrize("kind", [LocalClassifierModel, OpenAIClassifierModel, StrandsClassifierModel])
def test_every_model_takes_what_the_protocol_says(kind: type[ClassifierModel]) -> None:
    wanted, given = inspect.signature(ClassifierModel.complete), inspect.signature(kind.complete)
    assert list(given.parameters.values()) == list(wanted.parameters.values())
    assert inspect.iscoroutinefunction(kind.complete)
    assert isinstance(inspect.getattr_static(kind, "model_id"), property)


def test_a_completion_without_a_report_says_that_its_usage_is_not_known() -> None:
    completion = Completion(text="simple")
    assert (completion.usage, completion.usage_source, completion.logprobs) == (NO_USAGE, "none", {})
    with pytest.raises(AttributeError, match="immutable"):
        completion.text = "complex"  # type: ignore[misc]  # what must not be possible


def test_a_call_that_broke_off_tells_its_name_and_what_it_is_billed_for() -> None:
    usage = Usage(input_tokens=400, output_tokens=2)
    error = CompletionError("ModelStreamErrorException", usage, "partial")
    assert str(error) == error.error == "ModelStreamErrorException"
    assert (error.usage, error.usage_source) == (usage, "partial")
