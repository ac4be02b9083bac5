"""A gateway in front of doubles, for programs of others to be tried with."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from turnout.config import load_catalog, load_settings
from turnout.doors.gateway.server import server_of
from turnout.doors.gateway.serving import gateway_of
from turnout.doors.listening import listen
from turnout.testing.bedrock import BedrockDouble
from turnout.testing.completions import AnthropicDouble, OpenAIDouble, Said, ToolCall
from turnout.testing.completions.saying import respond
from turnout.trace.records import ListRecorder

_CANDIDATES = (
    "openai/gpt-5-mini",
    "anthropic/claude-haiku-4-5-20251001",
    "bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0",
    "openai/gpt-5",
    "anthropic/claude-sonnet-4-6",
    "bedrock/global.anthropic.claude-sonnet-4-6",
)
RAN = "the tool has run"
"""What the command prints that the simulated models have coding agents run."""

COMMAND = f"echo {RAN}"

HEARD = "The simulated model heard what the command said."

SHELLS = {"Bash": "command", "exec_command": "cmd"}
"""Names of the tool by which coding agents run commands, with its parameter."""


class Tried:
    """A running gateway, and what it recorded.

    Attributes:
        url: Where it listens.
        events: What it recorded.
        doubles: The providers, by name.
    """

    def __init__(self, url: str, events: ListRecorder, doubles: Mapping[str, Any]) -> None:
        self.url, self.events, self.doubles = url, events, doubles

    def clear(self) -> None:
        """Forget what was recorded."""
        self.events.events.clear()
        for double in self.doubles.values():
            double.calls.clear()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Tried]:
    """A gateway in front of three doubles; simulated models call a tool once, and then answer."""
    with OpenAIDouble(_says) as one, AnthropicDouble(_says) as two, BedrockDouble(_bedrock_says) as three:
        listed = "".join(f'[[policy.candidates]]\nmodel = "{m}"\nrank = {rank}\n' for rank, m in enumerate(_CANDIDATES))
        file = folder / "turnout.toml"
        file.write_text(f"""{listed}
[upstreams.openai]
base_url = "{one.url}/v1"
key_env = "KEY"
[upstreams.anthropic]
base_url = "{two.url}"
auth = "api_key"
key_env = "KEY"
[upstreams.bedrock]
base_url = "{three.url}"
auth = "bearer"
key_env = "KEY"
region = "eu-west-1"
""")
        events = ListRecorder()
        gateway = gateway_of(
            load_settings(file), load_catalog(), records=events, simulated=True, environment={"KEY": "simulated"}
        )
        listening = listen("127.0.0.1", 0)
        server = server_of(gateway, drain_s=2)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            yield Tried(url, events, {"openai": one, "anthropic": two, "bedrock": three})
        finally:
            server.should_exit = True
            thread.join(10)
            listening.close()


def _says(request: Mapping[str, Any]) -> Said:
    """As the doubles do, but that coding agents, whose tools are many, are given a command to run."""
    for tool in request.get("tools") or ():
        name = str((tool.get("function") or tool).get("name"))
        if name in SHELLS:
            newest = json.dumps((request.get("messages") or request.get("input") or [{}])[-1])
            if any(mark in newest for mark in ("tool_result", '"role": "tool"', "function_call_output")):
                return Said(text=HEARD if RAN in newest else "The command did not run.")
            return Said(tools=(ToolCall(name, {SHELLS[name]: COMMAND}),))
    return respond(request)


def _bedrock_says(model_id: str, request: Mapping[str, Any]) -> list[dict[str, Any]]:
    tools = [
        tool["toolSpec"]["name"] for tool in (request.get("toolConfig") or {}).get("tools", ()) if "toolSpec" in tool
    ]
    newest = json.dumps(request["messages"][-1], default=str)
    if tools and "toolResult" not in newest:
        shell = next((name for name in tools if name in SHELLS), None)
        name, value = (shell, {SHELLS[shell]: COMMAND}) if shell else (tools[0], {"place": "Berlin 0"})
        return [{"toolUse": {"toolUseId": "tooluse_0", "name": name, "input": value}}]
    return [{"text": HEARD if RAN in newest else "The simulated model heard you and answers in a few words."}]
