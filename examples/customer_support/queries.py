"""The five test prompts of the reference system, with the label that its authors expect.

They are for showing, not for proving: five prompts say nothing about how good a classifier is, and a rule on length
gets all five right. No classifier, prompt or tool of this project has seen them as an example.
"""

from __future__ import annotations

from dataclasses import dataclass

from turnout.core.verdict import Complexity


@dataclass(frozen=True)
class TestPrompt:
    """A prompt with its title in tables and the expected label."""

    __test__ = False  # its name begins like a test's

    title: str
    prompt: str
    label: Complexity


TEST_PROMPTS = (
    TestPrompt("Return Policy", "What is your return policy for laptops?", "simple"),
    TestPrompt("Product Info", "Tell me about your smartphone options", "simple"),
    TestPrompt("Technical Support", "My laptop won't turn on, can you help me troubleshoot?", "complex"),
    TestPrompt(
        "Multi-part Question", "I want to buy a laptop. What are the specs and what's the return policy?", "complex"
    ),
    TestPrompt("General Question", "Hello! What can you help me with today?", "simple"),
)
"""In the order of the reference system's table."""
