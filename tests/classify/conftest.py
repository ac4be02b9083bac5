"""Models for classifiers, loaded once."""

from __future__ import annotations

import pytest

from turnout.upstream.local.smollm import SmolLM, shared_smollm


@pytest.fixture(scope="session")
def smollm() -> SmolLM:
    return shared_smollm()
