from __future__ import annotations

from turnout.testing.bedrock.errors import BedrockError, invalid, refused_by_model


def test_what_bedrock_says_and_what_it_passes_on_from_the_model() -> None:
    assert invalid("No.").code == "ValidationException"
    assert refused_by_model("No.").message == "The model returned the following errors: No."
    assert str(BedrockError("ThrottlingException", "Slow down.")) == "ThrottlingException: Slow down."
    assert BedrockError("ThrottlingException", "Slow down.").status is None
