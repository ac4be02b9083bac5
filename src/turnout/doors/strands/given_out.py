"""What of a streamed answer has been passed on, and how another call can go on from there without repeating any of it.

A continuation is asked for by prefill: the history, then an assistant message with the text so far, which the model
takes as the beginning of its own answer. Anthropic's models refuse one that ends in white space, so that is left out
there, and what of it the model writes again is taken off the beginning of its text.

Known limitation: a continuation has the output limit of a whole answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Any


class GivenOut:
    """The answer so far, over all calls of one request.

    Attributes:
        begun: Whether content of it was passed on: then it can only be continued.
    """

    def __init__(self) -> None:
        self.begun = False
        self._held: list[Any] = []
        self._started = False
        self._plain = True
        self._texts: list[str] = []
        self._open = False
        # Of a continuation: how far its blocks are counted on, what of its white space is there already, and what of it
        # is held back until that is sure; none once it has been joined to the answer.
        self._offset = 0
        self._overlap = ""
        self._lead: str | None = None

    @property
    def resumable(self) -> bool:
        """Whether it can be gone on from: it is text alone, with something to read in it; no tool use, no thinking."""
        return self._plain and any(text.strip() for text in self._texts)

    def resume(self) -> dict[str, Any]:
        """The assistant message that the next call goes on from; what is taken from now on is its continuation."""
        blocks = [text for text in self._texts if text.strip()]
        said = blocks[-1].rstrip()
        self._offset = len(self._texts) - 1 if self._open else len(self._texts)
        self._overlap, self._lead = blocks[-1][len(said) :], ""
        return {"role": "assistant", "content": [{"text": text} for text in (*blocks[:-1], said)]}

    def take(self, event: Any) -> Iterator[Any]:
        """What is to be passed on of an event: nothing of what was passed on before.

        The start of the message waits for its first content, so that a call that fails before it leaves no trace.
        """
        match event:
            case {"messageStart": _}:
                self._held = [event]
                return
            case {"contentBlockStart": {"start": {"toolUse": _}}}:
                yield from self._other(event)
                return
            case {"contentBlockStart": _}:
                # The start of a text: of one that broke off it was passed on before.
                if self._started and not (self._open and self._lead is not None):
                    yield self._counted_on(event)
                elif not self._started:
                    self._held.append(event)
                return
            case {"contentBlockDelta": {"delta": {"text": str(text)}}}:
                yield from self._text(event, text)
                return
            case {"contentBlockStop": _}:
                yield from self._stop(event)
                return
            case {"contentBlockDelta": _}:
                yield from self._other(event)
                return
            case {"messageStop": _}:
                yield from self._start()
                yield from self._cut_text()
            case {"redactContent": _}:
                self._plain = False
        yield from self._start()
        yield event

    def _start(self) -> Iterator[Any]:
        if not self._started:
            self._started = True
            yield from self._held

    def _text(self, event: dict[str, Any], text: str) -> Iterator[Any]:
        if self._lead is not None:
            self._lead += text
            if not self._lead.strip():
                return
            text = self._joined()
        yield from self._say(event, text)

    def _say(self, event: dict[str, Any], text: str) -> Iterator[Any]:
        yield from self._start()
        self.begun = True
        if not self._open:
            self._open = True
            self._texts.append("")
        self._texts[-1] += text
        body = event.get("contentBlockDelta") or event.get("contentBlockStop") or {}
        yield self._counted_on({"contentBlockDelta": {**body, "delta": {"text": text}}})

    def _stop(self, event: dict[str, Any]) -> Iterator[Any]:
        yield from self._start()
        if self._lead is not None:
            if text := self._joined():
                yield from self._say(event, text)
            elif not self._open:
                return  # a block that added nothing
        self.begun = True
        self._open = False
        yield self._counted_on(event)

    def _other(self, event: dict[str, Any]) -> Iterator[Any]:
        """A tool use, thinking, or anything else that is not text."""
        yield from self._start()
        yield from self._cut_text(more=True)
        self.begun, self._plain = True, False
        yield self._counted_on(event)

    def _joined(self) -> str:
        """The first text of a continuation, without the white space that the answer so far ends in."""
        lead, self._lead = self._lead or "", None
        white = lead[: len(lead) - len(lead.lstrip())]
        same = takewhile(lambda pair: pair[0] == pair[1], zip(white, self._overlap, strict=False))
        return lead[len(list(same)) :]

    def _cut_text(self, *, more: bool = False) -> Iterator[Any]:
        """The end of a text that broke off, where its continuation does not go on with it."""
        if self._lead is not None and self._open:
            yield self._counted_on({"contentBlockStop": {"contentBlockIndex": 0}})
            self._open = False
            self._offset += more
        self._lead = None

    def _counted_on(self, event: dict[str, Any]) -> dict[str, Any]:
        """The event with the number of its block counted on from the blocks that were passed on before."""
        ((kind, body),) = event.items()
        if not self._offset or not isinstance(body, dict) or "contentBlockIndex" not in body:
            return event
        return {kind: {**body, "contentBlockIndex": body["contentBlockIndex"] + self._offset}}
