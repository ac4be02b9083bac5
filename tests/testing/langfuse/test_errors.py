from __future__ import annotations

from turnout.testing.langfuse.errors import ApiError, invalid


def test_an_error_says_status_and_message() -> None:
    error = ApiError(429, "slow down", retry_after_s=2)
    assert (str(error), error.status, error.retry_after_s) == ("429: slow down", 429, 2)
    assert (invalid("no").status, invalid("no").message, invalid("no").retry_after_s) == (400, "no", None)
