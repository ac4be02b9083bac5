"""From a model's words to a label."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.classify.parse import WORDS, parse_label
from turnout.core.verdict import Complexity


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        # one word, however it is dressed
        ("simple", "simple"),
        ("complex", "complex"),
        ("Simple", "simple"),
        ("COMPLEX.", "complex"),
        ("  complex\n", "complex"),
        ("**Simple**", "simple"),
        ("`complex`", "complex"),
        ('"simple"', "simple"),
        ("“complex”", "complex"),
        ("«simple»", "simple"),
        ("(simple)", "simple"),
        ("[complex]", "complex"),
        ("- simple", "simple"),
        ("### Complex", "complex"),
        ("complex!", "complex"),
        ('{"label": "complex"}', "complex"),
        # a label and a sentence
        ("Simple - no diagnosis required", "simple"),
        ("simple\n\nIt asks for one fact.", "simple"),
        ("This is a complex query.", "complex"),
        ("The answer is simple", "simple"),
        ("Complexity: simple", "simple"),
        ("label = complex", "complex"),
        ("Answer:\ncomplex", "complex"),
        # reasoning first
        ("The user asks for a price. No tools are needed, so this is simple.", "simple"),
        ("<think>Is it simple? It is complex?</think>\nsimple", "simple"),
        ("It is not simple.\nIt is complex.", "complex"),
        ("Two causes are possible and it is not a simple lookup.\nAnswer: complex", "complex"),
        ("Options:\nsimple\ncomplex\nAnswer: complex", "complex"),
        ("Final answer: **simple**", "simple"),
        # both words, one of them denied
        ("Complex, not simple.", "complex"),
        ("simple rather than complex", "simple"),
        ("simple; it isn't complex", "simple"),
        # other languages
        ("einfach", "simple"),
        ("Komplex.", "complex"),
        ("Antwort: komplex", "complex"),
        ("complexe", "complex"),
        ("C'est simple.", "simple"),
        ("sencillo", "simple"),
        ("complejo", "complex"),
        ("semplice", "simple"),
        ("complesso", "complex"),
        ("simples", "simple"),
        ("complexa", "complex"),
        ("eenvoudig", "simple"),
        ("简单", "simple"),
        ("复杂。", "complex"),
        ("単純", "simple"),
        ("複雑", "complex"),
    ],
)
def test_a_label(answer: str, label: Complexity) -> None:
    assert parse_label(answer) == label


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "  \n ",
        ".",
        # denied
        "not simple",
        "Not simple.",
        "not a very simple one",
        "It isn't simple",
        "It isn’t simple",
        "I would not call this simple",
        "never simple",
        "far from simple",
        "anything but simple",
        "simple it is not",
        "Simple? No.",
        "simple?",
        "Answer: not simple",
        "nicht einfach",
        "Das ist kein einfach",
        "Ce n'est pas simple",
        "no es simple",
        "non è semplice",
        "niet eenvoudig",
        "不简单",
        # both, or neither
        "simple or complex",
        "simple/complex",
        "simple\ncomplex",
        "Answer: simple\nAnswer: complex",
        "neither simple nor complex",
        "I can't say whether it's simple or complex",
        "It is simple. No wait, it is complex.",
        "It is simple, but it is not simple.",
        # no whole word
        "simpler",
        "simplex",
        "complexity",
        "oversimple",
        "non-simple",
        "simple-minded",
        # refusals, and answers to the query itself
        "I'm sorry, but I can't help with that.",
        "Laptops can be returned within 30 days.",
        "Please tell me more about your problem.",
        # thinking that was cut off
        "<think>this looks simple",
        "easy",
    ],
)
def test_no_label(answer: str) -> None:
    assert parse_label(answer) is None


@given(st.sampled_from([(word, label) for label, words in WORDS.items() for word in words]))
def test_every_word_of_the_list_is_a_label(case: tuple[str, Complexity]) -> None:
    word, label = case
    assert parse_label(word) == label
    assert parse_label(f" **{word.upper()}**. ") == label


@given(st.text(max_size=200))
def test_any_text_is_parsed(text: str) -> None:
    assert parse_label(text) in ("simple", "complex", None)


@given(st.text(alphabet="abc xyz.,!\n", max_size=60), st.text(alphabet="abc xyz.,!\n", max_size=60))
def test_a_denied_label_is_never_that_label(before: str, after: str) -> None:
    assert parse_label(f"{before}\nit is not simple\n{after}") != "simple"


def test_only_the_end_of_an_endless_answer_is_read() -> None:
    assert parse_label("simple " * 10 + "blah " * 100_000 + "\ncomplex") == "complex"
