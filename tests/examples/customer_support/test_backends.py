import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from examples.customer_support import backends
from examples.customer_support.build import build
from examples.customer_support.options import AgentOptions
from examples.customer_support.tools import NoTools
from tests.examples.customer_support.support import CATALOG, ByWord, Events


def ask(backend: backends.Backend, events: Events, query: str) -> str:
    agent = build(
        4, backend.models, backend.policy, tools=NoTools(), classifier=ByWord(), recorder=events
    ).new_conversation()
    result: Any = asyncio.run(agent.invoke_async(query))
    return "".join(block.get("text", "") for block in result.message["content"])


class OpenAIServer(BaseHTTPRequestHandler):
    """Speaks chat completions, as Ollama, llama.cpp and vLLM do: streams the name of the model that was asked."""

    asked: list[dict[str, Any]]

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.asked.append(request)
        deltas = [{"role": "assistant", "content": "I am "}, {"content": request["model"]}]
        chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        usage = {"prompt_tokens": 30, "completion_tokens": 4, "total_tokens": 34}
        chunks.append({"choices": [], "usage": usage})
        frame = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": request["model"]}
        body = "".join(f"data: {json.dumps(frame | chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    asked: list[dict[str, Any]] = []
    handler = type("Handler", (OpenAIServer,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/v1", asked
        running.shutdown()
        thread.join()


def test_an_openai_compatible_server_answers_with_either_model(server: tuple[str, list[dict[str, Any]]]) -> None:
    url, asked = server
    options = AgentOptions(mode="openai", pairs=("openai",), base_url=url, cheap="small", capable="large")
    events = Events()
    with backends.opened(options, "openai", CATALOG, None) as backend:
        assert "small as Claude Haiku 4.5, large as Claude Sonnet 4.6" in backend.label
        assert ask(backend, events, "Your hours?") == "I am small"
        assert ask(backend, events, "It crackles.") == "I am large"
    assert [request["model"] for request in asked] == ["small", "large"]
    assert [call.usage.input_tokens for call in events.calls] == [30, 30]
    # 30 and 4 tokens at the prices of Haiku 4.5 ($1, $5) and Sonnet 4.6 ($3, $15).
    assert [call.cost.total_pico for call in events.calls] == [50_000_000, 150_000_000]


def test_models_with_a_known_price_are_counted_at_it() -> None:
    backend = backends.openai_compatible(CATALOG, "http://127.0.0.1:1/v1", "gpt-5-mini", "gpt-5", None)
    assert "prices" not in backend.label
    assert [candidate.model for candidate in backend.policy.candidates] == ["openai/gpt-5-mini", "openai/gpt-5"]


def test_the_packaged_model_stands_for_both_and_has_no_tools() -> None:
    backend = backends.local(CATALOG)
    first, second = (backend.models.catalog[candidate.model] for candidate in backend.policy.candidates)
    assert first.model_id == second.model_id == CATALOG[backends.LOCAL_ID].model_id
    assert first.price != second.price
    assert "counted at the prices of" in backend.label
    assert not backend.uses_tools


def test_live_models_are_those_of_bedrock() -> None:
    backend = backends.live(CATALOG, backends.pair_of("5.5"), "eu-west-1")
    assert not backend.simulated
    assert {candidate.model.split("/")[0] for candidate in backend.policy.candidates} == {"bedrock"}


def test_simulated_models_are_cold_each_time() -> None:
    events = Events()
    for _ in range(2):
        with backends.opened(AgentOptions(), "4.5", CATALOG, None) as backend:
            assert backend.simulated
            ask(backend, events, "It crackles.")
    assert [call.usage.cache_read_tokens for call in events.calls] == [0, 0]
    assert all(call.usage.cache_write_5m_tokens > 1024 for call in events.calls)


def test_an_unknown_pair_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"known are 4\.5, 5\.5"):
        backends.pair_of("6")
