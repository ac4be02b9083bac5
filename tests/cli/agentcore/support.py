"""Parts that the tests of ``turnout agentcore app`` share: the command as a process, and an agent of one's own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

CLONE = Path(__file__).parents[3]

SESSION = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"

OWN = """
import time
from botocore.config import Config
from strands import Agent, tool
from strands.models import BedrockModel
from turnout.classify.keyword import KeywordClassifier
from turnout.config import DEFAULT_PAIR, load_catalog
from turnout.core.policy import Policy
from turnout.doors.strands import RoutedModel
from turnout.upstream.local.strands_model import LocalModel

once = Config(retries={"total_max_attempts": 1})
model = RoutedModel(
    {
        model_id: BedrockModel(model_id=model_id.removeprefix("bedrock/"), boto_client_config=once)
        for model_id in DEFAULT_PAIR
    },
    policy=Policy(candidates=DEFAULT_PAIR.candidates),
    catalog=load_catalog(),
    classifier=KeywordClassifier(),
)
agent = Agent(model=model, name="own", callback_handler=None)
elsewhere = Agent(model=LocalModel(), name="elsewhere", callback_handler=None)

def new_agent(session_id):
    return Agent(model=model, name="own", callback_handler=None)
"""


class Server(NamedTuple):
    """The command while it runs.

    Attributes:
        process: The process.
        url: Where it serves.
        said: What it printed until it served.
    """

    process: subprocess.Popen[str]
    url: str
    said: list[str]

    def post(self, payload: object, **headers: str) -> tuple[int, str]:
        """Status and body of an answer to ``POST /invocations``."""
        data = json.dumps(payload).encode()
        asked = urllib.request.Request(f"{self.url}/invocations", data, headers)
        try:
            with urllib.request.urlopen(asked, timeout=60) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def ask(self, prompt: str, session: str) -> dict[str, Any]:
        status, body = self.post({"prompt": prompt}, **{SESSION: session})
        assert status == 200, body
        answer: dict[str, Any] = json.loads(body)
        return answer

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Exit code and standard error."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors


@contextmanager
def started(folder: Path, ledger: Path, *arguments: str, **environment: str) -> Iterator[Server]:
    """``turnout agentcore app --port 0`` in that folder."""
    command = "from turnout.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", command, "agentcore", "app", "--port", "0", *arguments],
        cwd=folder,
        env={**os.environ, "TURNOUT_LEDGER": str(ledger), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = []
        while line := process.stdout.readline():
            said.append(line.rstrip("\n"))
            if found := re.search(r"POST (http://\S+)/invocations", line):
                break
        else:
            raise AssertionError(f"it did not start: {process.stderr.read()}")
        try:
            yield Server(process, found[1], said)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
