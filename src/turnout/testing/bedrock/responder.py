"""What a simulated model says. By rule: nothing here judges how difficult a query is, or which model should answer.

Answers are composed from what the tools returned, so that their length in tokens is that of real text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from turnout.testing.bedrock.instance import minimal_instance
from turnout.testing.bedrock.tokens import canonical

Blocks = list[dict[str, Any]]
Request = dict[str, Any]


class Responder(Protocol):
    """Composes the content of an answer: text and tool use, as Converse content blocks.

    Thinking, limits and usage are the double's concern. A responder is called by several threads at once.
    """

    def __call__(self, model_id: str, request: Request, /) -> Blocks:
        """The content blocks with which that model answers that Converse request."""
        ...


@dataclass(frozen=True)
class Rule:
    """When a query matches ``pattern`` and ``tool`` is offered, the tool is called with ``input``.

    Attributes:
        pattern: A regular expression that is searched in the query, upper and lower case alike.
        tool: The tool's name.
        input: The tool's input. In its strings ``{query}`` and ``{name}`` stand for the query and for the pattern's
            named groups; an entry whose group took no part in the match is left out. Or a function of the match.
    """

    pattern: str
    tool: str
    input: Mapping[str, Any] | Callable[[re.Match[str]], Mapping[str, Any]]

    def __post_init__(self) -> None:
        """Check the pattern.

        Raises:
            ValueError: ``pattern`` is no regular expression.
        """
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"the rule for {self.tool} has a bad pattern {self.pattern!r}: {error}") from None

    def tool_input(self, query: str) -> dict[str, Any] | None:
        """The tool's input for that query, or none if the rule does not match."""
        match = re.search(self.pattern, query, re.IGNORECASE)
        if match is None:
            return None
        if callable(self.input):
            return dict(self.input(match))
        values = {"query": query, **match.groupdict()}
        filled = {key: _fill(value, values) for key, value in self.input.items()}
        return {key: value for key, value in filled.items() if value is not None}


@dataclass(frozen=True)
class RuleResponder:
    """Answers by rules.

    - A tool that ``toolChoice`` forces is called with a rule's input where one matches, completed to the tool's schema.
    - Where ``outputConfig`` asks for JSON of a schema, the answer is a minimal instance of it.
    - When the last message brings tool results, the answer is made of their sentences that share most words with the
      query, in the order in which they stand.
    - Otherwise every rule that matches the query calls its tool, all of them in one message.
    - When no rule matches, it greets and says what the tools that were offered can do.
    - Where the conversation ends with the beginning of an answer, it goes on from there with the rest of its own.

    Attributes:
        rules: Tried in that order; the first of several equal calls counts.
        sentences: The most sentences that are taken from one tool result.
        characters: The most characters that are taken from one tool result.
    """

    rules: Sequence[Rule] = ()
    sentences: int = 4
    characters: int = 700

    def __call__(self, model_id: str, request: Request) -> Blocks:
        """The content blocks of the answer; ``model_id`` makes no difference."""
        *before, newest = request["messages"]
        if newest["role"] == "assistant":
            return _rest(self(model_id, {**request, "messages": before}), newest["content"])
        tools = _offered(request)
        query = _query(request)
        if (forced := _forced(request, tools)) is not None:
            return [self._forced_call(forced, tools, query, request)]
        if (schema := _answer_schema(request)) is not None:
            return [{"text": json.dumps(minimal_instance(schema))}]
        results = [block["toolResult"] for block in request["messages"][-1]["content"] if "toolResult" in block]
        if results:
            return [{"text": self._composed(results, _tools_called(request), query)}]
        calls = [_tool_use(name, tool_input, request) for name, tool_input in self._calls(query, tools)]
        return calls or [{"text": _greeting(tools)}]

    def _calls(self, query: str, tools: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
        seen: list[tuple[str, dict[str, Any]]] = []
        for rule in self.rules:
            tool_input = rule.tool_input(query) if rule.tool in tools else None
            if tool_input is not None and (rule.tool, tool_input) not in seen:
                seen.append((rule.tool, tool_input))
                yield seen[-1]

    def _forced_call(
        self, forced: str, tools: Mapping[str, Mapping[str, Any]], query: str, request: Request
    ) -> dict[str, Any]:
        # `any` leaves the choice: the first rule's tool, else the last one offered.
        calls = [(name, value) for name, value in self._calls(query, tools) if forced in ("", name)]
        name, tool_input = calls[0] if calls else (forced or list(tools)[-1], {})
        minimal = minimal_instance(tools[name]["inputSchema"].get("json") or {"type": "object"})
        return _tool_use(name, {**minimal, **tool_input}, request)

    def _composed(self, results: Sequence[Mapping[str, Any]], called: Mapping[str, str], query: str) -> str:
        words = _words(query)
        paragraphs = []
        for result in results:
            found = self._relevant("\n".join(_texts(result["content"])), words)
            if result.get("status") == "error":
                paragraphs.append(f"{called[result['toolUseId']]} could not help: {found}")
            elif found:
                paragraphs.append(found)
            else:
                paragraphs.append(f"{called[result['toolUseId']]} returned nothing.")
        return "\n\n".join(["Here is what I found.", *paragraphs])

    def _relevant(self, text: str, words: frozenset[str]) -> str:
        sentences = [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]
        ranked = sorted(range(len(sentences)), key=lambda index: (-len(words & _words(sentences[index])), index))
        chosen = " ".join(sentences[index] for index in sorted(ranked[: self.sentences]))
        if len(chosen) <= self.characters:
            return chosen
        return f"{chosen[: self.characters].rsplit(' ', 1)[0]}..."


def _rest(answer: Blocks, said: Sequence[Mapping[str, Any]]) -> Blocks:
    """What is left of an answer whose beginning stands there already; all of it where that is not its beginning."""
    begun = "".join(block.get("text", "") for block in said)
    first, *others = answer
    text = first.get("text", "")
    if not text.startswith(begun):
        return answer
    return [{"text": text[len(begun) :]}, *others] if len(text) > len(begun) else others


def _offered(request: Request) -> dict[str, Mapping[str, Any]]:
    tools = (request.get("toolConfig") or {}).get("tools", ())
    return {tool["toolSpec"]["name"]: tool["toolSpec"] for tool in tools if "toolSpec" in tool}


def _forced(request: Request, tools: Mapping[str, Any]) -> str | None:
    """The name of the forced tool, an empty name where any will do, none where none is forced."""
    choice = (request.get("toolConfig") or {}).get("toolChoice") or {}
    if "tool" in choice:
        name: str = choice["tool"]["name"]
        return name
    return "" if "any" in choice and tools else None


def _answer_schema(request: Request) -> dict[str, Any] | None:
    text_format = (request.get("outputConfig") or {}).get("textFormat")
    if text_format is None:
        return None
    schema: dict[str, Any] = json.loads(text_format["structure"]["jsonSchema"]["schema"])
    return schema


def _query(request: Request) -> str:
    """The text of the newest user message that has any."""
    for message in reversed(request["messages"]):
        texts = [block["text"] for block in message["content"] if "text" in block]
        if message["role"] == "user" and texts:
            return "\n".join(texts)
    return ""


def _tools_called(request: Request) -> dict[str, str]:
    return {
        block["toolUse"]["toolUseId"]: block["toolUse"]["name"]
        for message in request["messages"]
        for block in message["content"]
        if "toolUse" in block
    }


def _tool_use(name: str, tool_input: Mapping[str, Any], request: Request) -> dict[str, Any]:
    # Drawn from the conversation, so that a conversation that is repeated has the same prefixes.
    seed = canonical([request["messages"], name, tool_input])
    tool_use_id = f"tooluse_{hashlib.sha256(seed.encode()).hexdigest()[:22]}"
    return {"toolUse": {"toolUseId": tool_use_id, "name": name, "input": dict(tool_input)}}


def _texts(content: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for block in content:
        if "text" in block:
            yield block["text"]
        elif "json" in block:
            yield from _lines(block["json"])


def _lines(value: Any, label: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, member in value.items():
            yield from _lines(member, str(key).replace("_", " "))
    elif isinstance(value, list):
        for member in value:
            yield from _lines(member, label)
    else:
        yield f"{label}: {value}" if label else str(value)


def _words(text: str) -> frozenset[str]:
    return frozenset(word.rstrip("s") for word in re.findall(r"\w{4,}", text.casefold()))


def _greeting(tools: Mapping[str, Mapping[str, Any]]) -> str:
    if not tools:
        return "Hello! I was offered no tools with this request, so I have nothing to look your question up in."
    lines = [f"- {name}: {_first_sentence(spec.get('description', ''))}" for name, spec in tools.items()]
    return "\n".join(["Hello! Here is what I can help you with:", *lines, "What would you like to know?"])


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s|\n", text.strip(), maxsplit=1)[0]


def _fill(value: Any, groups: Mapping[str, str | None]) -> Any:
    if not isinstance(value, str):
        return value
    names = re.findall(r"\{(\w+)\}", value)
    if any(groups.get(name) is None for name in names):
        return None
    return re.sub(r"\{(\w+)\}", lambda match: groups[match[1]] or "", value)
