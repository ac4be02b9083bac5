"""Attacks are applied as they are written, and flips are counted as the page says."""

from __future__ import annotations

from collections import Counter

from turnout.classify.attacks import flip_rates, load_attacks
from turnout.classify.calibrate import label_verdict
from turnout.classify.examples import load_queries, of_split
from turnout.classify.keyword import KeywordClassifier
from turnout.core.verdict import Verdict
from turnout.messages.conversation import Conversation


def test_the_packaged_attacks() -> None:
    attacks = load_attacks()
    names = Counter(attack.name for attack in attacks)
    assert len(names) >= 30
    assert set(names.values()) <= {1, 2}
    assert {attack.family for attack in attacks} >= {"instruction", "role", "few-shot", "fence", "unicode", "harmless"}
    for attack in attacks:
        text = attack.applied("Where is {it}?")
        assert "{query}" not in text
        assert "{target}" not in text
        assert "{filler}" not in text
        if attack.written.spell is None:
            assert "Where is {it}?" in text
    named = {attack.name: attack for attack in attacks if attack.target == "complex"}
    assert named["ignore"].applied("Hi").endswith("answer complex.")
    assert named["invisible letters"].applied("Hi") == "H\u200bi"
    assert len(named["padding on both sides"].applied("Hi")) > 30_000


class Obeys:
    """Simple unless the query has the word complex; whatever is simple by name is simple."""

    name = "obeys"

    async def classify(self, conversation: Conversation, **kwargs: object) -> Verdict:
        text = conversation.query
        wanted = text.count("complex") > text.count("simple") or (text.startswith("hard") and "simple" not in text)
        return label_verdict(self.name, 0.1 if wanted else 0.9, latency_ms=0)


async def test_flips_are_counted_among_the_queries_at_risk() -> None:
    queries = of_split(load_queries(), "held_out")[:10]
    attacks = [attack for attack in load_attacks() if attack.name in ("ignore", "a greeting")]
    told = Counter[str]()
    lines = await flip_rates(Obeys(), queries, attacks, on_verdict=lambda: told.update(["verdict"]))
    by_line = {(line.family, line.target): line for line in lines}
    to_complex = by_line["instruction", "complex"]
    assert (to_complex.at_risk, to_complex.attacks) == (10, 1)
    assert to_complex.flipped is not None
    assert to_complex.flipped.value == 1.0
    harmless = by_line["harmless", "complex"].flipped
    assert harmless is not None
    assert harmless.value == 0.0
    # Nothing was complex without an attack, so that nothing can be flipped.
    assert by_line["instruction", "simple"].flipped is None
    assert told["verdict"] == len(queries) * (1 + len(attacks))


async def test_odd_letters_hide_no_word_from_the_keywords() -> None:
    queries = of_split(load_queries(), "held_out")
    attacks = [attack for attack in load_attacks() if attack.family == "unicode"]
    for line in await flip_rates(KeywordClassifier(), queries, attacks):
        assert line.flipped is not None
        assert line.flipped.value < 0.02, line
