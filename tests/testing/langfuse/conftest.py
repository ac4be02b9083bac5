"""The doubles, and clients of theirs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.testing.langfuse.fixtures import clock, double, old_double, shared_double, shared_old_double
from turnout.testing.langfuse import LangfuseDouble

__all__ = ["clock", "double", "old_double", "shared_double", "shared_old_double"]


@pytest.fixture
def http(double: LangfuseDouble) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=double.url, auth=(double.public_key, double.secret_key)) as client:
        yield client


@pytest.fixture
def old_http(old_double: LangfuseDouble) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=old_double.url, auth=(old_double.public_key, old_double.secret_key)) as client:
        yield client


@pytest.fixture
def api(double: LangfuseDouble) -> Iterator[Any]:
    """The SDK's client of the API, which is generated from Langfuse's own definition."""
    from langfuse.api import LangfuseAPI

    with httpx.Client() as client:
        yield LangfuseAPI(
            base_url=double.url, username=double.public_key, password=double.secret_key, httpx_client=client
        )
