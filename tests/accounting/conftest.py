"""A Bedrock double for the whole folder, and the clients that talk to it: botocore takes a while to make one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.accounting.wire import Wire


@pytest.fixture(scope="package")
def running() -> Iterator[Wire]:
    with Wire() as wire:
        yield wire


@pytest.fixture
def wire(running: Wire) -> Wire:
    running.reset()
    return running
