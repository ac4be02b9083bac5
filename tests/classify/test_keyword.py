"""The classifier by keywords."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.classify.assess import calibration_of, judge
from turnout.classify.calibrate import Calibration
from turnout.classify.examples import load_queries
from turnout.classify.keyword import (
    KeywordClassifier,
    KeywordRule,
    KeywordRules,
    KeywordRulesError,
    _alternatives,
    load_rules,
)
from turnout.classify.protocol import Classifier
from turnout.messages.conversation import Conversation, conversation_of

RULES = KeywordRules(
    rules=(
        KeywordRule(name="fact", weight=1.0, words=("price", "opening hours")),
        KeywordRule(name="fault", weight=-2.0, most_hits=2, words=("won't", "charged", "CRASHES")),
        KeywordRule(name="dispute", weight=-5.0, words=("charged twice",)),
        KeywordRule(name="two questions", weight=-0.5, patterns=(r"\?[^?]+\?",)),
    ),
    base=0.25,
)


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("nothing known", 0.25),
        ("What is the PRICE?", 1.25),
        ("prices and overpriced", 0.25),  # whole words only
        ("opening \n hours", 1.25),
        ("it won’t start and it won't stop", -3.75),
        ("it won't, won't, won't", -3.75),  # no more than two hits count
        ("price price", 1.25),
        ("I was charged twice", -4.75),  # the longer word, not "charged" as well
        ("charged once", -1.75),
        ("Why? Why not?", -0.25),
        ("it crasheſ", -1.75),  # the word as people read it
    ],
)
def test_scores(text: str, score: float) -> None:
    assert KeywordClassifier(RULES).score(text) == pytest.approx(score)


@given(st.text())
def test_any_text_has_a_score(text: str) -> None:
    assert -10.0 < KeywordClassifier(RULES).score(text) < 3.0


async def test_a_verdict_is_calibrated_and_corrected() -> None:
    rules = KeywordRules(rules=RULES.rules, calibration=Calibration(slope=1.0, intercept=0.0, set_share=0.5))
    classifier = KeywordClassifier(rules, simple_share=0.5)
    assert isinstance(classifier, Classifier)
    verdict = await classifier.classify(conversation_of("the price"))
    assert verdict.p_simple == pytest.approx(0.7310585786300049)  # 1 / (1 + 1/e)
    assert (verdict.classifier, verdict.label, verdict.basis, verdict.calls) == ("keyword", "simple", "label", ())
    shifted = await KeywordClassifier(rules, simple_share=0.9).classify(conversation_of("the price"))
    # odds e * 9
    assert shifted.p_simple == pytest.approx(0.9607301031)


async def test_a_conversation_without_user_text_has_no_label() -> None:
    verdict = await KeywordClassifier().classify(Conversation(messages=[]))
    assert verdict.failure is not None
    assert verdict.failure.kind == "error"


async def test_the_newest_query_counts() -> None:
    messages = [
        {"role": "user", "content": [{"text": "it crashes, charged twice"}]},
        {"role": "assistant", "content": [{"text": "sorry"}]},
        {"role": "user", "content": [{"text": "the price"}]},
    ]
    verdict = await KeywordClassifier(RULES).classify(Conversation(messages=messages))
    assert verdict.label == "simple"


async def test_a_very_long_query_is_judged_by_head_and_tail() -> None:
    padding = "x " * 500_000
    scored = KeywordClassifier(RULES).score(f"price {padding} charged twice")
    assert scored == pytest.approx(0.25 + 1.0 - 5.0)
    assert KeywordClassifier(RULES).score(f"{padding} price {padding}") == pytest.approx(0.25)


async def test_the_packaged_calibration_is_what_its_queries_give() -> None:
    rules = load_rules()
    plain = KeywordClassifier(msgspec.structs.replace(rules, calibration=Calibration()), simple_share=0.5)
    not_held_out = [query for query in load_queries() if query.split != "held_out"]
    fitted = calibration_of(await judge(plain, not_held_out))
    assert fitted.slope == pytest.approx(rules.calibration.slope, abs=5e-4)
    assert fitted.intercept == pytest.approx(rules.calibration.intercept, abs=5e-4)
    assert fitted.set_share == rules.calibration.set_share


def test_the_packaged_rules_work() -> None:
    classifier = KeywordClassifier()
    assert classifier.score("Hi, what is the price of the blue kettle?") > 0.0
    assert classifier.score("Why does it keep crashing after the update, although I already reset it?") < 0.0


ONE_RULE = "[[rules]]\nname = 'a'\nweight = 1\nwords = ['x']\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules = 7", r"rules.toml: .*rules"),
        ("[[rules]]\nname = 'a'\nweight = 'much'\nwords = ['x']", "rules.toml: .*weight"),
        ("[[rules]]\nname = 'a'\nwords = ['x']", "rules.toml: .*weight"),
        ("[[rules]]\nname = 'a'\nweight = 1\nwrods = ['x']", "rules.toml: .*wrods"),
        ("[[rules]]\nname = 'a'\nweight = 1", r"rules\[0\] \('a'\): needs words or patterns"),
        ("[[rules]]\nname = 'a'\nweight = 1\nwords = ['x', ' ']", r"rules\[0\] \('a'\).words\[1\] is empty"),
        ("[[rules]]\nname = 'a'\nweight = 1\nmost_hits = 0\nwords = ['x']", r"most_hits must be at least 1, got 0"),
        ("[[rules]]\nname = 'a'\nweight = 1\npatterns = ['(']", r"patterns\[0\] is no regular expression"),
        ("[[rules]]\nname = 'a'\nweight = 1\npatterns = ['(a)']", r"patterns\[0\] has a capturing group"),
        ("[[rules]]\nname = 'a'\nweight = 1\npatterns = ['a*']", r"patterns\[0\] matches the empty text"),
        (ONE_RULE + ONE_RULE, "the name is there twice"),
        (ONE_RULE + "[[rules]]\nname = 'b'\nweight = 1\nwords = ['X']", r"'X' already stands in 'a'"),
        ("rules = []", "rules is empty"),
        ("base = [", "rules.toml: "),
        ("rules = []\n[calibration]\nslope = -1", "slope must be"),
        ("", "rules"),
    ],
)
def test_a_bad_file_names_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(text)
    with pytest.raises(KeywordRulesError, match=message) as error:
        load_rules(file)
    assert "rules.toml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(KeywordRulesError, match=r"cannot read the keyword rules .*gone.toml': No such file"):
        load_rules(tmp_path / "gone.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(KeywordRulesError, match=r"binary.toml: "):
        load_rules(binary)


async def test_the_users_file(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text("[[rules]]\nname = 'fault'\nweight = -3\nwords = ['kaputt']\n[calibration]\nslope = 2.0\n")
    verdict = await KeywordClassifier(load_rules(file)).classify(conversation_of("Alles kaputt"))
    assert verdict.label == "complex"


def test_a_share_out_of_range_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="simple_share"):
        KeywordClassifier(simple_share=1.0)


def test_importing_it_loads_no_numeric_library() -> None:
    code = (
        "import sys, turnout.classify.keyword, turnout.classify.embedding, turnout.classify.llm;"
        "import turnout.classify.assess, turnout.classify.configured, turnout.classify.cascade;"
        "print(sorted({'numpy', 'tokenizers', 'safetensors', 'strands', 'xllamacpp', 'openai'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@given(
    st.lists(st.text(alphabet="ab '-", min_size=1, max_size=6).filter(str.strip), min_size=1, max_size=8, unique=True),
    st.text(alphabet="ab '- x", max_size=40),
)
def test_words_that_share_beginnings_are_found_as_if_each_were_tried(words: list[str], text: str) -> None:
    plain = sorted({" ".join(word.split()) for word in words}, key=lambda word: (-len(word), word))
    flat = "|".join(r"\s+".join(map(re.escape, word.split())) for word in plain)
    shared = _alternatives([(*word,) for word in plain])
    for before, after in (("", ""), (r"(?<!\w)", r"(?!\w)")):
        expected = re.finditer(f"{before}(?:{flat}){after}", text)
        found = re.finditer(f"{before}(?:{shared}){after}", text)
        assert [match.span() for match in found] == [match.span() for match in expected]


WORDS = [
    "what",
    "is",
    "the",
    "price",
    "won't",
    "wont",
    "charged",
    "twice",
    "x",
    "and",
    "then",
    "which",
    "opening",
    "hours",
    "A",
    "Crashes",
    "é",
    "ſ",
    "’",
    "?",
    "_",
    "-",
    ".",
]
TEXTS = st.lists(st.sampled_from([*WORDS, " ", "  ", "\n", "? "]), max_size=30).map("".join)


@given(TEXTS)
def test_the_short_way_finds_what_the_pattern_of_all_finds(text: str) -> None:
    for rules in (RULES, load_rules()):
        classifier = KeywordClassifier(rules)
        lower = text.replace("’", "'").lower()
        found = [
            classifier._by_word[" ".join(match[0].split())] if (group := match.lastgroup) is None else by_group[group]
            for by_group in [classifier._by_group]
            for match in classifier._pattern.finditer(lower)
        ]
        assert classifier._hits(lower) == found


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("[?-_]", "a"), (r"\x41", "a"), ("B", "b"), (r"\D", "b"), ("(?s:a.)", "a\n"), (r"a\.b", "a.b"), ("k", "k")],
)
def test_patterns_are_found_in_any_case_however_they_are_written(pattern: str, text: str) -> None:
    rules = KeywordRules(rules=(KeywordRule(name="one", weight=1.0, patterns=(pattern,)),))
    assert KeywordClassifier(rules).score(text) == 1.0
    assert KeywordClassifier(rules).score(text.upper()) == 1.0
