"""A classifier by keywords: rules of a data file, compiled into one pattern; no model, no dependency.

Known limitations: it knows the words of its file only, in one language; it looks at the query alone, so a follow-up
("and for the other one?") is judged without its history; words say little of how hard a query is, as its figures on
held-out pairs of look-alikes show. The user's patterns are run as they are: one that backtracks without bound is slow.
"""

from __future__ import annotations

import importlib.resources
import os
import re
import time
import tomllib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from turnout.classify.calibrate import (
    DEFAULT_SIMPLE_SHARE,
    NO_QUERY,
    Calibration,
    failed_verdict,
    label_verdict,
)
from turnout.classify.phrases import Phrases
from turnout.classify.query import readable
from turnout.core.verdict import Verdict
from turnout.messages.conversation import Conversation

_MOST_CHARS = 20_000


class KeywordRulesError(ValueError):
    """Keyword rules that cannot be used; the message names file and key."""


class KeywordRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Words and patterns that speak for one label.

    Attributes:
        name: Unique in the file, for messages.
        weight: Added to the score for each hit: above 0 towards simple, below 0 towards complex.
        most_hits: Hits beyond this many count no more.
        words: Whole words or phrases, found in any case and with any white space between their words.
        patterns: Regular expressions, without capturing groups, found in any case.
    """

    name: str
    weight: float
    most_hits: int = 1
    words: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()


class KeywordRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of rules: score = base + the sum of the rules' weights; the calibration makes it P(label is simple).

    ``fitted_on`` says, for people, where the calibration's figures come from.
    """

    rules: tuple[KeywordRule, ...]
    base: float = 0.0
    calibration: Calibration = Calibration()
    fitted_on: str = ""


class KeywordClassifier:
    """Labels a query by the words in it.

    Args:
        rules: Default: those of the packaged ``keywords.toml``.
        simple_share: The share of simple queries that is expected, as in the policy.
        name: The name in verdicts.

    Raises:
        KeywordRulesError: The rules cannot be compiled.
    """

    def __init__(
        self,
        rules: KeywordRules | None = None,
        *,
        simple_share: float = DEFAULT_SIMPLE_SHARE,
        name: str = "keyword",
    ) -> None:
        self._name = name
        self._rules = load_rules() if rules is None else rules
        self._simple_share = simple_share
        self._pattern, self._by_word, self._by_group = _compile(self._rules)
        self._phrases = Phrases(_longest_first(self._by_word), _whole_words)
        self._patterns = [
            re.compile(pattern if _has_no_case(pattern) else f"(?i:{pattern})")
            for rule in self._rules.rules
            for pattern in rule.patterns
        ]
        self._rules.calibration.p_simple(0.0, simple_share)  # a share out of range is told now

    @property
    def name(self) -> str:
        """The name in verdicts, events and tables."""
        return self._name

    def score(self, text: str) -> float:
        """The weighted sum of a text's hits; higher means simpler. Not yet a probability."""
        hits: dict[int, int] = {}
        for index in self._hits(_lower(readable(text, _MOST_CHARS))):
            hits[index] = hits.get(index, 0) + 1
        rules = self._rules.rules
        return self._rules.base + sum(
            [rules[index].weight * min(count, rules[index].most_hits) for index, count in sorted(hits.items())]
        )

    def _hits(self, text: str) -> list[int]:
        """The rule of each hit, from left to right."""
        if text.isascii() and self._phrases.all_found and not any(one.search(text) for one in self._patterns):
            # Without a pattern's hit the words are all there is to find, and they are found faster by themselves.
            by_word = self._by_word
            return [by_word[one if one in by_word else _plain(one)] for one in self._phrases.find(text)]
        return [
            self._by_word[_plain(match.group())] if match.lastgroup is None else self._by_group[match.lastgroup]
            for match in self._pattern.finditer(text)
        ]

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        """Give a verdict on the conversation's query; takes microseconds, so it runs where it is called."""
        started = time.perf_counter()
        query = conversation.query
        if not query:
            return failed_verdict(self.name, "error", NO_QUERY)
        p_simple = self._rules.calibration.p_simple(self.score(query), self._simple_share)
        return label_verdict(self.name, p_simple, latency_ms=(time.perf_counter() - started) * 1000)


def load_rules(path: str | os.PathLike[str] | None = None) -> KeywordRules:
    """Read a file of rules; without a path the packaged one, which is for customer support in English.

    Raises:
        KeywordRulesError: The file cannot be read, is no TOML, or has a key or value that does not fit.
    """
    if path is None:
        where = "keywords.toml"
        data = importlib.resources.files("turnout.classify").joinpath("data", where).read_bytes()
    else:
        where = os.fspath(path)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            raise KeywordRulesError(f"cannot read the keyword rules {where!r}: {error.strerror}") from error
    try:
        rules = msgspec.convert(tomllib.loads(data.decode()), KeywordRules)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise KeywordRulesError(f"{where}: {error}") from error
    try:
        _compile(rules)
    except KeywordRulesError as error:
        raise KeywordRulesError(f"{where}: {error}") from error
    return rules


def _compile(rules: KeywordRules) -> tuple[re.Pattern[str], dict[str, int], dict[str, int]]:
    """One pattern for all rules, the rule of each word, and the rule of each pattern's group."""
    by_word: dict[str, int] = {}
    by_group: dict[str, int] = {}
    groups: list[str] = []
    names: set[str] = set()
    for index, rule in enumerate(rules.rules):
        key = f"rules[{index}] ({rule.name!r})"
        if rule.name in names:
            raise KeywordRulesError(f"{key}: the name is there twice")
        names.add(rule.name)
        if not rule.words and not rule.patterns:
            raise KeywordRulesError(f"{key}: needs words or patterns")
        if rule.most_hits < 1:
            raise KeywordRulesError(f"{key}.most_hits must be at least 1, got {rule.most_hits}")
        for number, word in enumerate(rule.words):
            plain = _plain(word)
            if not plain:
                raise KeywordRulesError(f"{key}.words[{number}] is empty")
            other = by_word.setdefault(plain, index)
            if other != index:
                raise KeywordRulesError(f"{key}.words[{number}] {word!r} already stands in {rules.rules[other].name!r}")
        for number, pattern in enumerate(rule.patterns):
            group = f"p{index}_{number}"
            groups.append(f"(?P<{group}>{_in_any_case(pattern, f'{key}.patterns[{number}]')})")
            by_group[group] = index
    if by_word:
        groups.append(_whole_words(_longest_first(by_word)))
    if not groups:
        raise KeywordRulesError("rules is empty: at least one rule is needed")
    return re.compile("|".join(groups)), by_word, by_group


def _longest_first(words: Iterable[str]) -> list[str]:
    """Of "charged" and "charged twice" the more specific one is to be found."""
    return sorted(words, key=lambda word: (-len(word), word))


def _whole_words(words: Iterable[str]) -> str:
    return rf"(?<!\w){_alternatives([(*word,) for word in words])}(?!\w)"


def _has_no_case(pattern: str) -> bool:
    """Whether a pattern finds the same in small ASCII letters when it minds case, which takes a fraction of the time.

    It does where it names no letters but small ones: no capitals, no ranges, no codes of letters, no flags.
    """
    left = re.sub(r"\\[bBdDsSwW.?!*+(){}|^$/]", "", pattern)
    return left.isascii() and re.search(r"[A-Z\\-]|\(\?[a-z]", left) is None


def _alternatives(words: Sequence[tuple[str, ...]]) -> str:
    """A pattern that finds what ``a|b|c`` would find, for words that follow longer ones they begin.

    Words that begin alike share their beginning, so that a place in a text is compared with each beginning once.
    """
    by_first: dict[str, list[tuple[str, ...]]] = {}
    for word in words:
        if word:
            by_first.setdefault(word[0], []).append(word[1:])
    found = [(r"\s+" if first == " " else re.escape(first)) + _alternatives(rest) for first, rest in by_first.items()]
    if () in words:
        if not found:
            return ""
        found.append("")
    return found[0] if len(found) == 1 else f"(?:{'|'.join(found)})"


def _in_any_case(pattern: str, key: str) -> str:
    wrapped = f"(?i:{pattern})"
    try:
        compiled = re.compile(wrapped)
    except re.error as error:
        raise KeywordRulesError(f"{key} is no regular expression: {error}") from error
    if compiled.groups:
        raise KeywordRulesError(f"{key} has a capturing group; write (?:...) instead of (...)")
    if compiled.match(""):
        raise KeywordRulesError(f"{key} matches the empty text, so it would be found everywhere")
    return wrapped


def _lower(text: str) -> str:
    # Words are compared in lower case, not by re.IGNORECASE, which finds "ſ" for "s": a hit must be a known word.
    return text.replace("’", "'").lower()


def _plain(word: str) -> str:
    return " ".join(_lower(word).split())
