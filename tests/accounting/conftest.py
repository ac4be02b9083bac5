"""A Bedrock double for the whole folder, and the clients that talk to it: botocore takes a while to make one."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest

from tests.accounting.wire import Wire


@pytest.fixture(scope="package")
def running() -> Iterator[Wire]:
    with Wire() as wire:
        yield wire


@pytest.fixture
def wire(running: Wire) -> Iterator[Wire]:
    running.reset()
    yield running
    # botocore leaves the connection of a stream that broke or was left to the garbage collector: here, and not in the
    # middle of a later test, which would be blamed for it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
