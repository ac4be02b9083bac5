"""The one exception with which every part of the double refuses a request."""

from __future__ import annotations


class BedrockError(Exception):
    """An error that Bedrock Runtime would answer with.

    Attributes:
        code: The error's name, as in boto3's ``error.response["Error"]["Code"]``.
        message: What the caller reads.
        status: The HTTP status; none for the one that the service model gives that name.
    """

    def __init__(self, code: str, message: str, *, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def invalid(message: str) -> BedrockError:
    """A ``ValidationException`` of Bedrock itself."""
    return BedrockError("ValidationException", message)


def refused_by_model(message: str) -> BedrockError:
    """A ``ValidationException`` that Bedrock passes on from the model, with the words that it puts before those."""
    return invalid(f"The model returned the following errors: {message}")
