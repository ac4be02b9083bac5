"""From a model's words to a label: whole words only, and nothing where there is doubt.

In this order: (1) thinking between ``<think>`` tags is left out, and an answer that never left it has no label; (2)
what follows a marker at the beginning of a line ("Answer: complex"); (3) a line that is nothing but a label; (4) the
label words anywhere. A label word with a negation just before or after it speaks against that label ("not simple" is
not simple, and is not taken for complex either); pairs such as "simple or complex" say nothing. A label is given only
where all that speaks for a label speaks for the same one, and nothing speaks against it.

Languages: English, German, French, Spanish, Italian, Portuguese, Dutch, Chinese and Japanese, as `WORDS` lists them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from turnout.core.verdict import Complexity

WORDS: dict[Complexity, tuple[str, ...]] = {
    "simple": (
        *("simple", "einfach", "sencillo", "sencilla", "semplice", "simples", "eenvoudig"),
        *("简单", "簡單", "簡単", "単純"),
    ),
    "complex": (
        *("complex", "komplex", "complexe", "complejo", "compleja", "complesso", "complessa", "complexo", "complexa"),
        *("复杂", "複雜", "複雑"),
    ),
}
"""The words for each label. "Simple" is English, French and Spanish, "complex" English and Dutch."""

NEGATIONS = (
    *("not", "no", "never", "neither", "nor", "cannot", "without", "hardly", "isnt", "cant", "dont", "wouldnt"),
    *("nicht", "kein", "keine", "keinesfalls", "nie", "weder"),
    *("pas", "non", "jamais", "ni", "nunca", "tampoco", "mai", "né", "nem", "não", "niet", "geen", "nooit"),
)
"""Words that turn the label words near them; so does every word that ends in ``n't``."""

MARKERS = (
    *("answer", "final answer", "label", "classification", "category", "complexity", "verdict", "result", "output"),
    *("antwort", "ergebnis", "réponse", "respuesta", "risposta", "resposta", "antwoord", "答案", "回答"),
)
"""Words that, at the beginning of a line and before a colon, announce the answer."""

_REACH_BEFORE = 4
_REACH_AFTER = 3
_MOST_CHARS = 20_000

_LABELS: dict[str, Complexity] = {word: label for label, words in WORDS.items() for word in words}
_ANY_LABEL = "|".join(sorted(map(re.escape, _LABELS), key=lambda word: (-len(word), word)))
# A word is not cut out of "non-simple", "simple-minded" or "un_simple".
_LABEL = re.compile(rf"(?<![\w\-])({_ANY_LABEL})(?![\w\-])")
_AND_OR = r"(?:or|and|nor|oder|und|ou|et|o|y|e|of|en)"
_PAIR = re.compile(
    rf"(?<![\w\-])(?:{_ANY_LABEL})(?:\s*[/|]\s*|\s*,\s*(?:{_AND_OR}\s+)?|\s+{_AND_OR}\s+)(?:{_ANY_LABEL})(?![\w\-])"
)
# "No, it is complex" and "no wait" deny what was said before, not the label that follows.
_EXCLAIMED = re.compile(r"\b(?:no|non|nein|nee)(?:\s*,|,?\s+(?:wait|actually)\b)")
_NOT_AT_ALL = re.compile(r"\b(?:far from|anything but|opposite of|rather than|instead of|less than)\b")
_MARKED = re.compile(rf"^(?:the\s+)?(?:{'|'.join(map(re.escape, MARKERS))})\s*(?:is\s*)?[:=：]\s*(.*)$")
_THINKING = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL)
_THINKS_ON = re.compile(r"<(?:think|thinking|reasoning)>")
_ORNAMENT = re.compile(r"[*_`\"“”„«»‹›「」『』#>\[\](){}]+")
_WORD = re.compile(r"[\w']+")
_SENTENCE_END = re.compile(r"[.!?;:\n。！？；：]")
_STOPS_AFTER = re.compile(r"[.!;:,\n()–—。！；：，、]|\s-\s")


def parse_label(text: str) -> Complexity | None:
    """The label that a model's answer gives, or none where it gives none for certain.

    Args:
        text: What the model wrote. Beyond 20,000 characters only the end is read.
    """
    plain = text[-_MOST_CHARS:].replace("’", "'").lower()
    plain = _THINKING.sub("\n", plain)
    if _THINKS_ON.search(plain):
        return None
    lines = [line for line in (_ORNAMENT.sub(" ", line).strip(" \t-•.!,;。！") for line in plain.splitlines()) if line]
    marked = [match.group(1) for line in lines if (match := _MARKED.match(line)) and match.group(1)]
    if marked:
        return _agreed(_said(part) for part in marked)
    alone = {_LABELS[line] for line in lines if line in _LABELS}
    if alone:
        return alone.pop() if len(alone) == 1 else None
    return _said(_ORNAMENT.sub(" ", plain))


def _said(text: str) -> Complexity | None:
    """The label that all that is said speaks for, if there is one that nothing speaks against."""
    text = _NOT_AT_ALL.sub(", not", _PAIR.sub(" ", _EXCLAIMED.sub(". ", text)))
    spoken_for: set[Complexity] = set()
    against: set[Complexity] = set()
    for match in _LABEL.finditer(text):
        label = _LABELS[match.group(1)]
        (against if _is_negated(text, match) else spoken_for).add(label)
    return spoken_for.pop() if len(spoken_for) == 1 and not spoken_for & against else None


def _agreed(labels: Iterator[Complexity | None]) -> Complexity | None:
    distinct = set(labels)
    return distinct.pop() if len(distinct) == 1 else None


def _is_negated(text: str, match: re.Match[str]) -> bool:
    before = _SENTENCE_END.split(text[: match.start()])[-1]
    after = text[match.end() :]
    if after.lstrip().startswith(("?", "？")):  # "simple?" asks, it does not answer
        return True
    clause = _STOPS_AFTER.split(after, maxsplit=1)[0]
    near = _WORD.findall(before)[-_REACH_BEFORE:] + _WORD.findall(clause)[:_REACH_AFTER]
    return any(word in NEGATIONS or word.endswith("n't") or word.startswith("n'") for word in near)
