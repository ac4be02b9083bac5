from __future__ import annotations

import pytest
from strands import Agent
from strands.models.model import _estimate_tokens_with_heuristic
from strands.types.tools import ToolSpec
from tokenizers import Tokenizer

from examples.customer_support.prompts import system_prompt
from examples.customer_support.queries import TEST_PROMPTS
from examples.customer_support.tools import SupportTools
from turnout.messages.count import NAME, canonical_json, count_block
from turnout.upstream.local.strands_model import LocalModel
from turnout.upstream.local.weights import MINILM_TOKENIZER, verified

STRUCTURED = "v2_structured"
LEAST, MOST = 2_500, 3_200
"""Above Sonnet's floor (1,024; 2,048 in some sources) and below Haiku 4.5's (4,096), with room on both sides."""


@pytest.fixture(scope="module")
def specs(tools: SupportTools) -> list[ToolSpec]:
    return Agent(tools=tools.all, model=LocalModel()).tool_registry.get_all_tool_specs()


def head_tokens(prompt: str, specs: list[ToolSpec]) -> int:
    """Tokens of tools and system as they are sent, by the counter that every estimate is made in."""
    return sum(count_block({"toolSpec": spec}) for spec in specs) + count_block({"text": prompt})


def test_the_cached_head_lies_between_the_floors(specs: list[ToolSpec]) -> None:
    tokens = head_tokens(system_prompt(STRUCTURED), specs)
    assert LEAST <= tokens <= MOST, f"{tokens} tokens by {NAME}"


def test_two_other_counters_agree(specs: list[ToolSpec]) -> None:
    prompt = system_prompt(STRUCTURED)
    by_strands = _estimate_tokens_with_heuristic([], specs, prompt)
    tokenizer = Tokenizer.from_file(str(verified(MINILM_TOKENIZER)))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    texts = [prompt, *(canonical_json({"toolSpec": spec}).decode() for spec in specs)]
    by_wordpiece = sum(len(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts)
    counted = f"{by_strands} tokens by Strands' heuristic, {by_wordpiece} by MiniLM's tokenizer"
    assert LEAST <= by_strands <= MOST, counted
    assert LEAST <= by_wordpiece <= MOST, counted


def test_the_baseline_prompt_is_longer(specs: list[ToolSpec]) -> None:
    assert head_tokens(system_prompt("v1_baseline"), specs) > 1.15 * head_tokens(system_prompt(STRUCTURED), specs)


@pytest.mark.parametrize("name", ["v1_baseline", STRUCTURED])
def test_no_test_prompt_stands_in_a_prompt(name: str, specs: list[ToolSpec]) -> None:
    def letters(text: str) -> str:
        return "".join(character for character in text.lower() if character.isalnum())

    head = letters(system_prompt(name) + str(specs))
    for asked in TEST_PROMPTS:
        assert letters(asked.prompt) not in head
        for sentence in asked.prompt.replace("!", "?").split("?"):
            if len(sentence.split()) > 3:
                assert letters(sentence) not in head


def test_an_unknown_prompt_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        system_prompt("v0")
