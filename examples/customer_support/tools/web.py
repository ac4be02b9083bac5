"""Search on the web by DuckDuckGo, within a hard time limit, and never with an exception.

Known limitation: a search that is given up at the limit goes on in a daemon thread until the library's own time-out
ends it.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

logger = logging.getLogger(__name__)

Search = Callable[[str, str, int], Sequence[Mapping[str, Any]]]
"""Keywords, region and number of results to results with ``title``, ``href`` and ``body``."""

MOST_RESULTS = 10
OFFLINE = "Web search is switched off here. Answer from the other tools, or say that you cannot look it up now."
NO_ANSWER = "Web search gave no answer ({why}). Answer from the other tools, or say that you cannot look it up now."


class WebSearch:
    """The search behind the tool ``web_search``.

    Args:
        enabled: False answers every search with a sentence that says so, and never opens a connection.
        limit_s: The most seconds that a search may take, name resolution included.
        search: Searches; DuckDuckGo by default.
    """

    def __init__(self, *, enabled: bool = True, limit_s: float = 3.0, search: Search | None = None) -> None:
        self._enabled = enabled
        self._limit_s = limit_s
        self._search = search or self._duckduckgo

    def __call__(self, keywords: str, region: str, max_results: int) -> str:
        """Results as text, or one sentence that says why there are none."""
        if not self._enabled:
            return OFFLINE
        if not keywords.strip():
            return NO_ANSWER.format(why="no keywords were given")
        outcome = self._within_limit(
            keywords.strip(), region.strip() or "us-en", min(max(max_results, 1), MOST_RESULTS)
        )
        if isinstance(outcome, str):
            logger.warning("why=<%s> | web search gave no answer", outcome)
            return NO_ANSWER.format(why=outcome)
        if not outcome:
            return f"No results on the web for {keywords.strip()!r}."
        return "\n".join(f"- {hit.get('title')} ({hit.get('href')}): {hit.get('body')}" for hit in outcome)

    def _within_limit(self, keywords: str, region: str, max_results: int) -> Sequence[Mapping[str, Any]] | str:
        """The results, or why there are none. A stalled resolver cannot hold the caller: it waits on a queue only."""
        answer: queue.SimpleQueue[Sequence[Mapping[str, Any]] | str] = queue.SimpleQueue()

        def work() -> None:
            try:
                answer.put(self._search(keywords, region, max_results))
            except Exception as error:  # the library raises many kinds; each becomes a sentence for the model
                answer.put(_why(error))

        threading.Thread(target=work, name="web-search", daemon=True).start()
        try:
            return answer.get(timeout=self._limit_s)
        except queue.Empty:
            return f"no reply within {self._limit_s:g} seconds"

    def _duckduckgo(self, keywords: str, region: str, max_results: int) -> Sequence[Mapping[str, Any]]:
        from ddgs import DDGS  # only here: most sessions never search

        found: list[dict[str, Any]] = DDGS(timeout=max(1, int(self._limit_s))).text(
            keywords, region=region, max_results=max_results, backend="duckduckgo"
        )
        return found


def _why(error: Exception) -> str:
    """A short reason without addresses: the library puts whole URLs into its messages."""
    text = str(error)
    if isinstance(error, ImportError):
        return "the package ddgs is not installed"
    if "No results found" in text:
        return "nothing was found"
    if "timed out" in text.lower() or "timeout" in type(error).__name__.lower():
        return "the search timed out"
    if "DNSError" in text or "ConnectError" in text:
        return "no network connection"
    return type(error).__name__
