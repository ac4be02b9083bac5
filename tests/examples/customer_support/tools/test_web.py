from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from examples.customer_support.tools.web import OFFLINE, WebSearch

Asked = list[tuple[str, str, int]]


def searching(asked: Asked, results: Sequence[Mapping[str, Any]]) -> WebSearch:
    def search(keywords: str, region: str, max_results: int) -> Sequence[Mapping[str, Any]]:
        asked.append((keywords, region, max_results))
        return results

    return WebSearch(search=search)


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def closed_port() -> str:
    # Not one that was free a moment ago: a server of another process may have it by now.
    return "http://127.0.0.1:9"


def test_results_are_lines_with_title_address_and_text() -> None:
    asked: Asked = []
    web = searching(asked, [{"title": "Dock", "href": "https://example.com/d", "body": "Works with it."}])
    assert web(" dock kestrel ", "", 5) == "- Dock (https://example.com/d): Works with it."
    assert asked == [("dock kestrel", "us-en", 5)]


@pytest.mark.parametrize(("wanted", "sent"), [(-3, 1), (0, 1), (10, 10), (1_000_000, 10)])
def test_the_number_of_results_is_kept_in_bounds(wanted: int, sent: int) -> None:
    asked: Asked = []
    assert "No results" in searching(asked, [])("x", "uk-en", wanted)
    assert asked == [("x", "uk-en", sent)]


def test_switched_off_it_never_searches() -> None:
    web = WebSearch(enabled=False, search=lambda *_: pytest.fail("it searched"))
    assert web("news", "us-en", 5) == OFFLINE


def test_without_keywords_it_never_searches() -> None:
    web = WebSearch(search=lambda *_: pytest.fail("it searched"))
    assert "no keywords" in web("  ", "us-en", 5)


def test_no_network_is_a_sentence(closed_port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDGS_PROXY", closed_port)
    answer = WebSearch()("laptop dock", "us-en", 3)
    assert answer.startswith("Web search gave no answer (no network connection).")
    assert "duckduckgo.com" not in answer


def test_a_server_that_never_answers_is_given_up_at_the_limit(
    silent_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DDGS_PROXY", silent_server)
    assert "no reply within 0.2 seconds" in WebSearch(limit_s=0.2)("laptop dock", "us-en", 3)


def test_a_stall_that_ignores_every_time_out_cannot_hold_the_caller() -> None:
    release = threading.Event()

    def stalled(*_: object) -> Sequence[Mapping[str, Any]]:
        release.wait()
        return []

    assert "no reply within" in WebSearch(limit_s=0.05, search=stalled)("x", "us-en", 1)
    release.set()


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ImportError("No module named 'ddgs'"), "not installed"),
        (RuntimeError("No results found."), "nothing was found"),
        (RuntimeError("https://secret.example/?q=x timed out"), "the search timed out"),
        (ValueError("https://secret.example/?q=x"), "ValueError"),
    ],
)
def test_any_error_is_a_sentence_without_addresses(error: Exception, why: str) -> None:
    def failing(*_: object) -> Sequence[Mapping[str, Any]]:
        raise error

    answer = WebSearch(search=failing)("x", "us-en", 1)
    assert why in answer
    assert "secret.example" not in answer
