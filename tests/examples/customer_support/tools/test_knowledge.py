from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from examples.customer_support.tools.knowledge import LOWEST_SCORE, LocalKnowledge, load_passages
from turnout.classify.minilm import MOST_TOKENS
from turnout.upstream.local.weights import MINILM_TOKENIZER, verified


@pytest.mark.parametrize(
    ("issue", "article"),
    [
        ("pressing the power button of my notebook does nothing at all", "laptop-no-power"),
        ("the notebook is on, I hear the fan, but the display shows nothing", "laptop-black-screen"),
        ("my computer takes ten minutes to start and everything hangs", "laptop-slow"),
        ("the underside burns my legs and the fan roars", "laptop-overheating"),
        ("plugged in but the laptop battery stays at 40 percent", "laptop-battery"),
        ("I can't get my tablet onto the wifi, it says wrong password", "wifi-connect"),
        ("video calls freeze in the bedroom because the signal is weak", "wifi-slow"),
        ("the bluetooth keyboard does not pair with my tablet", "bluetooth"),
        ("only my right earbud plays music", "headphones-sound"),
        ("my phone is empty by lunch since last week", "phone-battery"),
        ("my phone shows the logo, restarts, shows the logo, restarts", "phone-frozen"),
        ("I spilled orange juice over the keyboard", "water-damage"),
        ("external display says no signal through the dock", "monitor-no-signal"),
        ("there is a bright dot in the middle of my new screen", "monitor-picture"),
        ("the camera says that it cannot read the card", "camera-card"),
        ("since we have a new router the bulbs are offline", "smart-home-setup"),
        ("printer prints white stripes on every page", "printer"),
        ("the six-digit code never comes when I sign in", "account-login"),
        ("how do I get my contacts and photos onto the new phone", "data-transfer"),
        ("the update stops with an error number", "software-update"),
        ("cannot take photos, no space left", "storage-full"),
        ("a page says I have a virus and must call a number", "malware"),
    ],
)
def test_the_right_article_is_found(knowledge: LocalKnowledge, issue: str, article: str) -> None:
    hits = knowledge.search(issue, 3)
    ranked = list(dict.fromkeys(hit.article for hit in hits))
    assert article in ranked[:2]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(LOWEST_SCORE <= hit.score <= 1.0001 for hit in hits)


@pytest.mark.parametrize("issue", ["what is the weather in Paris", "tell me a joke about cats", "asdf qwer zxcv"])
def test_other_matters_find_nothing(knowledge: LocalKnowledge, issue: str) -> None:
    assert knowledge.search(issue, 3) == []


def test_at_most_so_many_passages_come_back(knowledge: LocalKnowledge) -> None:
    assert len(knowledge.search("printer offline", 1)) == 1
    assert len(knowledge.search("printer offline", 4)) == 4


def test_the_articles_are_whole_and_no_passage_is_cut_by_the_embedding() -> None:
    passages = load_passages()
    assert 20 <= len({passage.article for passage in passages}) <= 40
    tokenizer = Tokenizer.from_file(str(verified(MINILM_TOKENIZER)))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    for passage in passages:
        assert passage.title
        assert len(passage.symptoms) >= 3
        assert len(passage.text) > 80
        assert len(tokenizer.encode(passage.indexed).ids) <= MOST_TOKENS, passage


def test_an_article_without_head_or_sections_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.md").write_text("# A title\nand text", encoding="utf-8")
    with pytest.raises(ValueError, match=r"bad\.md needs a TOML head"):
        load_passages(tmp_path)
