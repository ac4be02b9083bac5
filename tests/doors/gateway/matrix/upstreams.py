"""The doubles behind the matrix: one way to script them and to read what they saw, whatever they speak."""

from __future__ import annotations

import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from tests.doors.gateway.matrix.said import ANSWER, NO_GOOD, SEES, shows_picture
from tests.doors.gateway.support import ANTHROPIC, BEDROCK, OPENAI, Upstreams, wait_for
from turnout.core.usage import Usage
from turnout.testing.bedrock import BedrockDouble
from turnout.testing.bedrock.faults import Fault as BedrockFault
from turnout.testing.completions import AnthropicDouble, Fault, OpenAIDouble, Said, Tokens
from turnout.testing.completions.base import CompletionDouble
from turnout.testing.completions.saying import count

_SLOW_S = 0.15
_PAUSE_S = 0.1
"""Before a stream breaks off: what has come is passed on meanwhile, and cannot be taken back and asked for again."""

_AFTER = 6
"""Events that an upstream sends before it stalls or breaks off: some text is among them in each protocol."""

_WAYS = {
    "/v1/chat/completions": "Chat Completions",
    "/v1/responses": "Responses",
    "/v1/messages": "Messages",
    "Converse": "Converse",
    "ConverseStream": "Converse",
    "InvokeModel": "InvokeModel",
    "InvokeModelWithResponseStream": "InvokeModel",
}


class Behind(ABC):
    """An upstream.

    Attributes:
        model: The catalog id by which cells ask for it.
    """

    def __init__(self, model: str) -> None:
        self.model = model

    @property
    @abstractmethod
    def requests(self) -> list[Mapping[str, Any]]:
        """The bodies that it was sent."""

    @property
    @abstractmethod
    def usages(self) -> list[Usage]:
        """What it has reported."""

    @property
    @abstractmethod
    def way(self) -> str:
        """The API by which it was asked last."""

    @abstractmethod
    def fail(self, status: int, *, in_stream: bool = False) -> None:
        """Answer the next call with that status, all of them if it is 429; or break off its stream with it."""

    @abstractmethod
    def stall(self) -> None:
        """Send the beginning of the next stream, and then events slowly: some clients look up only when one comes."""

    @abstractmethod
    def wait_until_left(self) -> None:
        """Wait until a caller has closed its connection before the end of its answer."""

    def saw_picture(self) -> bool:
        """Whether the last request holds the picture."""
        return shows_picture(self.requests[-1])


class BehindCompletions(Behind):
    """OpenAI or Anthropic."""

    def __init__(self, model: str, double: CompletionDouble) -> None:
        super().__init__(model)
        self._double = double

    @property
    def requests(self) -> list[Mapping[str, Any]]:
        return [call.request for call in self._double.calls]

    @property
    def usages(self) -> list[Usage]:
        return [
            Usage(
                input_tokens=tokens.fresh,
                cache_read_tokens=tokens.read,
                cache_write_5m_tokens=tokens.write_5m,
                cache_write_1h_tokens=tokens.write_1h,
                output_tokens=tokens.output,
            )
            for call in self._double.calls
            if (tokens := call.tokens) is not None
        ]

    @property
    def way(self) -> str:
        return _WAYS[self._double.calls[-1].path.partition("?")[0]]

    def fail(self, status: int, *, in_stream: bool = False) -> None:
        after, delay_s = (_AFTER, _PAUSE_S) if in_stream else (None, 0.0)
        fault = Fault(status=status, message=NO_GOOD, after_events=after, delay_s=delay_s)
        self._double.faults.add(fault, times=None if status == 429 else 1)

    def stall(self) -> None:
        self._double.faults.add(Fault(delay_s=_SLOW_S, after_events=_AFTER, slow=True))

    def wait_until_left(self) -> None:
        wait_for(lambda: bool(self._double.calls and self._double.calls[-1].ended.is_set()))
        assert self._double.calls[-1].left


_BEDROCK_ERRORS = {400: "ValidationException", 429: "ThrottlingException", 500: "InternalServerException"}


class BehindBedrock(Behind):
    """Bedrock."""

    def __init__(self, model: str, double: BedrockDouble) -> None:
        super().__init__(model)
        self._double = double
        self._left = 0

    @property
    def requests(self) -> list[Mapping[str, Any]]:
        return [call.request for call in self._double.calls]

    @property
    def usages(self) -> list[Usage]:
        return [Usage.from_bedrock(call.usage) for call in self._double.calls if call.usage is not None]

    @property
    def way(self) -> str:
        return _WAYS[self._double.calls[-1].operation]

    def fail(self, status: int, *, in_stream: bool = False) -> None:
        after, delay_s = (_AFTER, _PAUSE_S) if in_stream else (None, 0.0)
        fault = BedrockFault(error=_BEDROCK_ERRORS[status], message=NO_GOOD, after_events=after, delay_s=delay_s)
        self._double.faults.add(fault, times=None if status == 429 else 1)

    def stall(self) -> None:
        self._left = self._double.left
        self._double.faults.add(BedrockFault(delay_s=_SLOW_S, after_events=2, slow=True))

    def wait_until_left(self) -> None:
        wait_for(lambda: self._double.left > self._left)


def behind(found: Upstreams) -> dict[str, Behind]:
    """The upstreams of the matrix by name."""
    return {
        "openai": BehindCompletions(OPENAI[1], found.openai),
        "anthropic": BehindCompletions(ANTHROPIC[1], found.anthropic),
        "bedrock": BehindBedrock(BEDROCK[1], found.bedrock),
    }


@contextlib.contextmanager
def doubles() -> Iterator[Upstreams]:
    """The three doubles, which say the same, and report cached tokens where their protocol has a place for them."""
    with (
        OpenAIDouble(counter=_counter(read=5)) as one,
        AnthropicDouble(counter=_counter(read=7, write_5m=3, write_1h=2)) as two,
        BedrockDouble(_bedrock_says) as three,
    ):
        yield Upstreams(one, two, three)


def _counter(**cached: int) -> Any:
    def counted(request: Mapping[str, Any], said: Said) -> Tokens:
        plain = count(request, said)
        return Tokens(fresh=plain.fresh, output=plain.output, **cached)

    return counted


def _bedrock_says(model_id: str, request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the other two doubles say by themselves: every tool once, then a sentence; a few more words to stream."""
    tools = [tool["toolSpec"]["name"] for tool in (request.get("toolConfig") or {}).get("tools", ())]
    newest = json.dumps(request["messages"][-1])
    if tools and "toolResult" not in newest:
        return [
            {"toolUse": {"toolUseId": f"tooluse_{index}", "name": name, "input": {"place": f"Berlin {index}"}}}
            for index, name in enumerate(tools)
        ]
    return [{"text": f"{SEES} {ANSWER}" if '"image"' in newest else ANSWER}]
