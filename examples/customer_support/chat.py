"""Talk to the agent in a terminal: ``turnout chat``. After each answer it says which model, why, and the cost."""

from __future__ import annotations

import asyncio
import os
import sys

from rich.console import Console

from examples.customer_support import backends
from examples.customer_support.backends import Backend
from examples.customer_support.build import SupportAgent, build
from examples.customer_support.options import AgentOptions
from examples.customer_support.tools import NoTools, SupportTools
from examples.customer_support.tools.web import WebSearch
from turnout.classify.configured import configured_classifier
from turnout.config import load_catalog, load_settings
from turnout.core.catalog import unknown
from turnout.core.cost import pico_to_usd
from turnout.doors.agentcore import PayloadError, read_prompt
from turnout.router import RefusedError
from turnout.trace.events import CallEvent, DecisionEvent, Event, Records, new_id
from turnout.trace.exports import configure_exports
from turnout.trace.langfuse import Labels
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.recorder import Recorder
from turnout.trace.views.exactness import cost_range, exactness_of
from turnout.trace.views.figures import usd_range
from turnout.upstream.errors import error_name

HELP = """\
/why          what each model would have cost, and why this one was chosen
/pin MODEL    insist on a candidate, by the name or a part of it; /pin off lets Turnout choose again
/new          start a new conversation
/quit         leave (so do Ctrl-D and Ctrl-C)"""


class Heard:
    """Hands events on, and keeps those of the newest turn."""

    def __init__(self, following: Records) -> None:
        self._following = following
        self.events: list[Event] = []

    def record(self, event: Event) -> None:
        """Take one event."""
        self.events.append(event)
        self._following.record(event)

    @property
    def decisions(self) -> list[DecisionEvent]:
        """The decisions of the newest turn."""
        return [event for event in self.events if isinstance(event, DecisionEvent)]

    @property
    def cost_text(self) -> str:
        """What the newest turn cost, the classifier included, as far as it is known."""
        calls = [event for event in self.events if isinstance(event, CallEvent)]
        cost = cost_range(sum(call.cost.total_pico for call in calls), exactness_of(calls))
        return f"${usd_range(cost)}" if cost.settled else f"{usd_range(cost)} $"


def chat(options: AgentOptions, version: int, out: Console) -> None:
    """Talk until the person leaves.

    Raises:
        ConfigError: Settings or catalog cannot be loaded.
        LedgerError: The ledger cannot be opened or written.
    """
    settings = load_settings()
    catalog = load_catalog(settings.overrides)
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_unredacted_attributes=")
    configure_exports(settings, labels=Labels(trace_name=f"customer-support-v{version}", version=f"v{version}"))
    classifier = configured_classifier(settings, catalog) if version == 4 else None
    with (
        backends.opened(options, options.pairs[0], catalog, options.region or settings.region) as backend,
        Ledger(options.ledger or settings.ledger) as ledger,
        Recorder(ledger) as recorder,
    ):
        heard = Heard(recorder)
        agent = build(
            version,
            backend.models,
            backend.policy,
            tools=SupportTools(web=WebSearch(enabled=not backend.simulated)) if backend.uses_tools else NoTools(),
            classifier=classifier,
            recorder=heard,
            run=f"chat-v{version}-{backend.name}",
            simulated=backend.simulated,
            # Tags are pinned to the candidates of the settings, and these are the pair's.
            routing={**settings.routing, "pinned_tags": {}},
        )
        greeting = f"{agent.name} – {backend.label}. /help for commands."
        out.print(greeting, highlight=False, markup=False, soft_wrap=True)
        asyncio.run(_Talk(agent, backend, heard, settings.max_prompt_chars, out).until_left())


class _Talk:
    """One person at one terminal."""

    def __init__(self, agent: SupportAgent, backend: Backend, heard: Heard, most_chars: int, out: Console) -> None:
        self._agent = agent
        self._backend = backend
        self._heard = heard
        self._most_chars = most_chars
        self._out = out
        self._pin: str | None = None
        self._begin()

    async def until_left(self) -> None:
        """Read a line, answer it, and so on."""
        while True:
            try:
                line = await asyncio.to_thread(_read_line)
            except (EOFError, asyncio.CancelledError):
                self._say("")
                return
            except UnicodeDecodeError:
                self._say("That was not text in this terminal's encoding.")
                continue
            line = line.strip()
            if line == "/quit":
                return
            if line.startswith("/"):
                self._command(line)
            elif line:
                await self._answer(line)

    def _begin(self) -> None:
        self._conversation = self._agent.new_conversation()
        self._session_id = new_id()

    def _command(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        match word:
            case "/why":
                self._explain()
            case "/new":
                self._begin()
                self._say("A new conversation.")
            case "/pin":
                self._set_pin(rest.strip())
            case _:
                self._say(HELP)

    def _set_pin(self, name: str) -> None:
        ids = [candidate.model for candidate in self._backend.policy.candidates]
        if name in ("", "off"):
            self._pin = None
            self._say("Turnout chooses.")
            return
        found = [model_id for model_id in ids if name.lower() in model_id.lower()]
        if len(found) != 1:
            self._say(unknown("candidate", name, ids))
            return
        self._pin = found[0]
        self._say(f"Pinned to {self._pin}.")

    async def _answer(self, line: str) -> None:
        try:
            prompt = read_prompt({"prompt": line}, self._most_chars)
        except PayloadError as error:
            self._say(str(error))
            return
        self._heard.events.clear()
        names = {"session_id": self._session_id} | ({"pin": self._pin} if self._pin else {})
        before = len(self._conversation.messages)
        try:
            async for event in self._conversation.stream_async(prompt, invocation_state={"turnout": names}):
                if "data" in event:
                    self._out.print(event["data"], end="", highlight=False, markup=False, soft_wrap=True)
        except Exception as error:
            # The question is taken out of the history, so that the conversation can go on.
            del self._conversation.messages[before:]
            self._say("")
            self._say(str(error) if isinstance(error, RefusedError) else f"Not answered: {error_name(error)}.")
            return
        self._say("")
        decision = self._heard.decisions[0].decision
        served = self._heard.decisions[-1].decision.model
        self._say(f"[{served}; {decision.reason}; {self._heard.cost_text}]")

    def _explain(self) -> None:
        if not self._heard.decisions:
            self._say("Nothing was decided yet.")
            return
        event = self._heard.decisions[0]
        verdict, decision = event.given.verdict, event.decision
        if verdict is not None and verdict.p_simple is not None:
            self._say(f"{verdict.classifier}: {verdict.label}, P(simple) {verdict.p_simple:.2f}, bar {decision.bar}")
        for estimate in decision.estimates:
            if estimate.expected is None:
                self._say(f"{estimate.model}: not eligible ({', '.join(estimate.ineligible)})")
            else:
                cost = pico_to_usd(estimate.expected.cost_pico)
                warm = f"{estimate.expected.read_tokens:,} of {estimate.expected.prompt_tokens:,} tokens warm"
                self._say(f"{estimate.model}: ${cost:.6f} expected, {warm}")
        self._say(f"chosen: {decision.model} ({decision.reason})")

    def _say(self, text: str) -> None:
        self._out.print(text, highlight=False, markup=False, soft_wrap=True)


def _read_line() -> str:
    if sys.stdin.isatty():
        # A prompt on standard error leaves standard output to the answers.
        print("> ", end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line
