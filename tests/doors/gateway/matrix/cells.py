"""The matrix as a list: which client, by which door, to which upstream, in which case, and what is to come of it.

To say that something works which was refused, change one word: its state in `STATES`, or its line in `APART`.
A cell that is listed as refused and works fails its test, and the other way round. The local model's answers are its
own: they are only looked at for being there, and for their usage and record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Case = Literal["plain", "stream", "tools", "tools streamed", "image", "error", "cancel"]
CASES: tuple[Case, ...] = ("plain", "stream", "tools", "tools streamed", "image", "error", "cancel")

Upstream = Literal["openai", "anthropic", "bedrock", "local"]
UPSTREAMS: tuple[Upstream, ...] = ("openai", "anthropic", "bedrock", "local")


@dataclass(frozen=True)
class State:
    """What is to come of a cell.

    Attributes:
        word: For the table.
        status: The HTTP status that the client is to get; none: it works.
        said: What the client is to be told.
        why: The reason, for readers of the table.
    """

    word: str
    status: int | None = None
    said: str = ""
    why: str = ""


WORKS = State("yes")
NO_WAY = State(
    "no",
    400,
    "which is not translated for it",
    "Responses are not translated: they go to providers that speak them, and elsewhere the client gets a 400 that says "
    "so.",
)
NO_TOOLS = State(
    "no", 400, "it takes no tools", "The model's template has no tools: the client gets a 400 that says so."
)
NO_IMAGES = State("no", 400, "it sees no images", "The model sees no images: the client gets a 400 that says so.")
NO_PROVIDER = State("-", why="The model runs in the gateway's process: there is no provider's error to pass on.")


@dataclass(frozen=True)
class Client:
    """A client.

    Attributes:
        name: Short.
        shown: As code writes it.
        package: The package that is not ours, whose version the table names.
        door: The door that it comes by.
    """

    name: str
    shown: str
    package: str
    door: str


CLIENTS = (
    Client("openai", "`OpenAI().chat.completions`", "openai", "/v1/chat/completions"),
    Client("strands-openai", "Strands `OpenAIModel`", "strands-agents", "/v1/chat/completions"),
    Client("openai-responses", "`OpenAI().responses`", "openai", "/v1/responses"),
    Client("strands-responses", "Strands `OpenAIResponsesModel`", "strands-agents", "/v1/responses"),
    Client("anthropic", "`Anthropic().messages`", "anthropic", "/v1/messages"),
    Client("strands-anthropic", "Strands `AnthropicModel`", "strands-agents", "/v1/messages"),
    Client("boto3", "boto3 `converse`, `converse_stream`", "boto3", "/model/{id}/converse"),
    Client("strands-bedrock", "Strands `BedrockModel`", "strands-agents", "/model/{id}/converse"),
    Client("boto3-invoke", "boto3 `invoke_model`, `..._with_response_stream`", "boto3", "/model/{id}/invoke"),
    Client("anthropic-bedrock", "`AnthropicBedrock().messages`", "anthropic", "/model/{id}/invoke"),
)

STATES: dict[str, dict[Upstream, State]] = {
    "/v1/chat/completions": dict.fromkeys(UPSTREAMS, WORKS),
    "/v1/responses": dict.fromkeys(UPSTREAMS, NO_WAY) | {"openai": WORKS},
    "/v1/messages": dict.fromkeys(UPSTREAMS, WORKS),
    "/model/{id}/converse": dict.fromkeys(UPSTREAMS, WORKS),
    "/model/{id}/invoke": dict.fromkeys(UPSTREAMS, WORKS),
}
"""By door and upstream."""

_LOCALLY: tuple[tuple[Case, State], ...] = (
    ("tools", NO_TOOLS),
    ("tools streamed", NO_TOOLS),
    ("image", NO_IMAGES),
    ("error", NO_PROVIDER),
)
APART: dict[tuple[str, Upstream, Case], State] = {
    (client.name, "local", case): state
    for client in CLIENTS
    if client.door != "/v1/responses"
    for case, state in _LOCALLY
}
"""Cells that differ from the state of their door and upstream: ``(client, upstream, case)``."""

NOTES: dict[tuple[str, Case], str] = {
    (
        "openai-responses",
        "error",
    ): "An error in mid-stream comes as the event `response.failed`; the client raises nothing.",
    ("strands-anthropic", "plain"): "The client always streams.",
    ("strands-anthropic", "tools"): "The client always streams.",
    ("strands-anthropic", "image"): "The client always streams.",
    ("strands-responses", "plain"): "The client always streams.",
    ("strands-responses", "tools"): "The client always streams.",
    ("strands-responses", "image"): "The client always streams.",
    ("strands-bedrock", "cancel"): (
        "By `cancel_signal`, which the client looks at when the next event comes; without it, its thread reads on to "
        "the end."
    ),
}
"""What is worth knowing of a cell that works."""


@dataclass(frozen=True)
class Cell:
    """One cell."""

    client: Client
    upstream: Upstream
    case: Case

    def __str__(self) -> str:
        return f"{self.client.name}-{self.upstream}-{self.case.replace(' ', '_')}"

    @property
    def state(self) -> State:
        """What is to come of it."""
        apart = APART.get((self.client.name, self.upstream, self.case))
        return apart or STATES[self.client.door][self.upstream]

    @property
    def note(self) -> str:
        """What is worth knowing of it."""
        return NOTES.get((self.client.name, self.case), "") if self.state is WORKS else self.state.why


CELLS = tuple(Cell(client, upstream, case) for client in CLIENTS for upstream in UPSTREAMS for case in CASES)
