"""The two reference pairs: a cheap and a capable model of one generation on Bedrock, under the global profile."""

from __future__ import annotations

from typing import NamedTuple

from turnout.core.policy import Candidate


class Pair(NamedTuple):
    """Two models by catalog id: the cheap one and the capable one."""

    cheap: str
    capable: str

    @property
    def candidates(self) -> tuple[Candidate, Candidate]:
        """Both as candidates: rank 0 and 1."""
        return Candidate(self.cheap, 0), Candidate(self.capable, 1)


PAIR_4 = Pair(
    "bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0",
    "bedrock/global.anthropic.claude-sonnet-4-6",
)
"""Haiku 4.5 and Sonnet 4.6: the pair of the reference system."""

PAIR_5_5 = Pair("bedrock/global.anthropic.claude-haiku-5-5", "bedrock/global.anthropic.claude-sonnet-5-5")
"""Haiku 5.5 and Sonnet 5.5: the newer pair."""

DEFAULT_PAIR = PAIR_4
"""The candidates where no settings name any."""
