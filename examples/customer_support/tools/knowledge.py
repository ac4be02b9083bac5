"""Technical support: retrieval over the Markdown articles in ``data/knowledge_base``.

Every section of an article is one passage. It is embedded together with the article's title and symptoms, because
people describe symptoms and the sections hold remedies. With about a hundred passages an exact search is one matrix
product.
"""

from __future__ import annotations

import re
import threading
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from examples.customer_support.tools.shop import DATA

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to an array of shape (texts, dimensions) with rows of length 1."""

LOWEST_SCORE = 0.28
"""Cosine below which a passage is not about the question. Measured on this knowledge base: what has nothing to do with
broken things reaches at most 0.25, the faults of the tests at least 0.39. Other things that break (a car, a dishwasher)
reach 0.36 and are not told apart."""


@dataclass(frozen=True)
class Passage:
    """One section of one article."""

    article: str
    title: str
    symptoms: tuple[str, ...]
    section: str
    text: str

    @property
    def indexed(self) -> str:
        """What is embedded."""
        return f"{self.title}. {'; '.join(self.symptoms)}. {self.section}\n{self.text}"


@dataclass(frozen=True)
class Hit:
    """A passage that was found, with its score: cosine similarity for the local articles."""

    title: str
    text: str
    score: float
    article: str = ""


class Retriever(Protocol):
    """Finds passages for an issue."""

    def search(self, issue: str, top_k: int) -> list[Hit]:
        """The passages that fit best, best first.

        Raises:
            RetrievalError: The knowledge base cannot be reached.
        """


class RetrievalError(RuntimeError):
    """The knowledge base cannot be searched; the message is for the log, and short."""


def load_passages(folder: Path = DATA / "knowledge_base") -> list[Passage]:
    """All passages, in the order of the articles' file names.

    An article is a Markdown file with ``title`` and ``symptoms`` as TOML between two lines of ``+++``, then sections
    that begin with ``## ``.

    Raises:
        ValueError: An article has no such head or no section.
    """
    passages: list[Passage] = []
    for path in sorted(folder.glob("*.md")):
        parts = path.read_text(encoding="utf-8").split("+++\n", 2)
        sections = re.split(r"^## ", parts[-1], flags=re.MULTILINE)[1:]
        if len(parts) != 3 or not sections:
            raise ValueError(
                f"the article {path.name} needs a TOML head between lines of +++ and sections that begin with ##"
            )
        head: dict[str, Any] = tomllib.loads(parts[1])
        for section in sections:
            heading, text = section.split("\n", 1)
            passages.append(Passage(path.stem, head["title"], tuple(head["symptoms"]), heading.strip(), text.strip()))
    return passages


class LocalKnowledge:
    """The local articles, indexed at the first search.

    Args:
        embed: Gives the vectors; it must be safe to call from several threads.
        passages: What is searched.
    """

    def __init__(self, embed: Embed, passages: Sequence[Passage] | None = None) -> None:
        self._embed = embed
        self._passages = list(load_passages() if passages is None else passages)
        self._lock = threading.Lock()
        self._index: NDArray[np.float32] | None = None

    def search(self, issue: str, top_k: int = 3) -> list[Hit]:
        """The passages with the highest cosine similarity, at least `LOWEST_SCORE`, best first."""
        with self._lock:
            if self._index is None:
                self._index = self._embed([passage.indexed for passage in self._passages])
        scores = self._index @ self._embed([issue])[0]
        best = np.argsort(-scores, kind="stable")[:top_k]
        return [
            Hit(f"{passage.title}: {passage.section}", passage.text, float(scores[index]), passage.article)
            for index in best
            if scores[index] >= LOWEST_SCORE
            for passage in [self._passages[index]]
        ]
