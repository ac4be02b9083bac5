from __future__ import annotations

from examples.customer_support.queries import TEST_PROMPTS
from turnout.classify.examples import load_queries


def test_the_five_prompts_have_titles_and_labels() -> None:
    assert [asked.label for asked in TEST_PROMPTS] == ["simple", "simple", "complex", "complex", "simple"]
    assert len({asked.title for asked in TEST_PROMPTS}) == 5


def test_none_of_them_is_an_example_of_the_packaged_set() -> None:
    texts = {query.text.casefold() for query in load_queries()}
    assert not texts & {asked.prompt.casefold() for asked in TEST_PROMPTS}
