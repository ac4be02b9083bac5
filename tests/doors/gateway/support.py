"""A gateway over real sockets, between the providers' own clients and the shipped doubles."""

from __future__ import annotations

import contextlib
import contextvars
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import boto3
import httpx
import openai
from botocore.config import Config

from turnout.classify.protocol import Classifier
from turnout.config import load_catalog, load_settings
from turnout.doors.gateway.access.gate import Gate
from turnout.doors.gateway.access.keys import KeyRing, NewKey
from turnout.doors.gateway.access.limits import Limits
from turnout.doors.gateway.access.listening import Tls, listening
from turnout.doors.gateway.admission import Admission, steady_clock
from turnout.doors.gateway.app import Gateway
from turnout.doors.gateway.server import server_of
from turnout.doors.gateway.serving import gateway_of
from turnout.doors.listening import listen
from turnout.testing.bedrock import BedrockDouble
from turnout.testing.completions import AnthropicDouble, OpenAIDouble
from turnout.trace.fanout import Fanout
from turnout.trace.records import ListRecorder

OPENAI = ("openai/gpt-5-mini", "openai/gpt-5")
ANTHROPIC = ("anthropic/claude-haiku-4-5-20251001", "anthropic/claude-sonnet-4-6")
BEDROCK = (
    "bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0",
    "bedrock/global.anthropic.claude-sonnet-4-6",
)
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class Upstreams:
    """The three doubles, running."""

    def __init__(self, openai: OpenAIDouble, anthropic: AnthropicDouble, bedrock: BedrockDouble) -> None:
        self.openai, self.anthropic, self.bedrock = openai, anthropic, bedrock

    def clear(self) -> None:
        """Forget calls and faults."""
        for double in (self.openai, self.anthropic, self.bedrock):
            double.calls.clear()
        self.clear_faults()

    def clear_faults(self) -> None:
        """Forget faults."""
        for double in (self.openai, self.anthropic, self.bedrock):
            double.faults.clear()


@contextlib.contextmanager
def upstreams() -> Iterator[Upstreams]:
    """The three doubles."""
    with OpenAIDouble() as one, AnthropicDouble() as two, BedrockDouble() as three:
        yield Upstreams(one, two, three)


PROFILE = "abc123"
"""An application profile of the least capable model on Bedrock."""


def settings_text(found: Upstreams, *candidates: str, extra: str = "") -> str:
    """A file of settings for these doubles; candidates from the least to the most capable."""
    listed = "".join(
        f'[[policy.candidates]]\nmodel = "{model}"\nrank = {rank}\n' for rank, model in enumerate(candidates)
    )
    return f"""
{listed}
[application_profiles]
{PROFILE} = "{BEDROCK[0].removeprefix("bedrock/")}"
[calls]
stall_seconds = 5
deadline_seconds = 10
base_backoff_seconds = 0.001
max_backoff_seconds = 0.002
[calls.breaker]
consecutive_failures = 1000
minimum_calls = 100000
{extra}
[upstreams.openai]
base_url = "{found.openai.url}/v1"
key_env = "MY_OPENAI_KEY"
[upstreams.anthropic]
base_url = "{found.anthropic.url}"
key_env = "MY_ANTHROPIC_KEY"
auth = "api_key"
[upstreams.bedrock]
base_url = "{found.bedrock.url}"
auth = "bearer"
key_env = "MY_BEDROCK_KEY"
region = "eu-west-1"
"""


KEYS = {"MY_OPENAI_KEY": "sk-up-openai", "MY_ANTHROPIC_KEY": "sk-up-anthropic", "MY_BEDROCK_KEY": "up-bedrock"}


class Served:
    """A running gateway.

    Attributes:
        url: Where it listens.
        events: What it recorded.
        gateway: The application.
    """

    def __init__(self, gateway: Gateway, events: ListRecorder, url: str) -> None:
        self.gateway, self.events, self.url = gateway, events, url

    def openai(self, **options: Any) -> openai.OpenAI:
        """OpenAI's client, pointed here."""
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key="client-key", max_retries=0, **options)

    def anthropic(self, **options: Any) -> anthropic.Anthropic:
        """Anthropic's client, pointed here."""
        return anthropic.Anthropic(base_url=self.url, api_key="client-key", max_retries=0, **options)

    @contextlib.contextmanager
    def bedrock(self, **options: Any) -> Iterator[Any]:
        """boto3's client, pointed here."""
        session = boto3.Session(
            aws_access_key_id="client-id", aws_secret_access_key="client-secret", region_name="eu-west-1"
        )
        config = Config(retries={"total_max_attempts": 1}, signature_version="v4", proxies={}, **options)
        client = session.client("bedrock-runtime", endpoint_url=self.url, config=config)
        try:
            yield client
        finally:
            client.close()

    def http(self) -> httpx.Client:
        """A plain client."""
        return httpx.Client(base_url=self.url, trust_env=False, timeout=10)

    def wait_for_calls(self, count: int, seconds: float = 5.0) -> None:
        """Wait until so many calls are on record."""
        wait_for(lambda: len(self.events.calls) >= count, seconds)


def wait_for(done: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until something holds; fail where it does not in time."""
    ends = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < ends, "it did not come to hold in time"
        time.sleep(0.005)


def admission_of(*keys: NewKey, tls: Tls = "none", clock: Callable[[], float] | None = None) -> Admission:
    """Lets the holders of these keys in."""
    ring = KeyRing([one.stored for one in keys])
    clock = clock or steady_clock()
    asks = listening("127.0.0.1", tls=tls, issued=len(ring), active=ring.active)
    return Admission(Gate(lambda: ring, asks), Limits(now_ms=int(clock() * 1000)), clock)


@contextlib.contextmanager
def served(
    folder: Path,
    text: str,
    *,
    classifier: Classifier | None = None,
    admission: Admission | None = None,
    tls: tuple[Path, Path] | None = None,
    prepare: Callable[[Gateway], None] = lambda gateway: None,
    drain_s: float = 2,
) -> Iterator[Served]:
    """A gateway with those settings."""
    file = folder / "turnout.toml"
    file.write_text(text)
    settings = load_settings(file)
    events = ListRecorder()
    gateway = gateway_of(
        settings,
        load_catalog(),
        classifier=classifier,
        records=events if admission is None else Fanout(events, admission.limits),
        admission=admission,
        simulated=True,
        environment=KEYS,
        chance=random.Random(7),
    )
    socket = listen("127.0.0.1", 0)
    port = socket.getsockname()[1]
    prepare(gateway)
    server = server_of(gateway, drain_s=drain_s, tls=tls)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    # Strands has threads inherit the current span, and one of another test may still be current here.
    contextvars.Context().run(thread.start)
    try:
        wait_for(lambda: bool(server.started))
        yield Served(gateway, events, f"http{'s' if tls else ''}://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        thread.join(10)
        socket.close()
        assert not thread.is_alive(), "the server did not stop"
