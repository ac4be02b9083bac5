"""One call of a trace: what every loader gives and every policy is shown."""

from __future__ import annotations

from typing import Literal

import msgspec

from turnout.core.request import HardStay, Needs, Request, Segment
from turnout.core.verdict import Verdict
from turnout.messages.conversation import Conversation

Grain = Literal["blocks", "entries"]
"""What a provider's cache holds: every block of what was written, or only the prefixes at cache points.

Traces of prefix-block hashes tell of blocks alone, so there any block that was written can be read again. Real
requests have content blocks, and an explicit cache makes an entry only where a cache point stands.
"""


class ReplayRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a trace.

    Attributes:
        session: Groups the calls of one conversation.
        turn: Groups the calls of one query: it has one verdict.
        at_ms: When it came, in milliseconds; only differences count.
        segments: Its prompt, block by block, with the hash of the prompt up to each. Tokens are the trace's own.
        whole: The index of the last segment that can come back; -1 where none can. In a trace of blocks the last,
            partly filled block never comes back as it is.
        output_tokens: The recorded length of the answer.
        in_tool_loop: Whether it brings the results of tools, so that the model must not change.
        needs: What it needs of a model.
        max_output_tokens: The caller's limit on output, or none.
        parameters: Names of the sampling parameters that the caller set.
        hard_stay: That of the recorded request; replayed only by a policy that knows hard stays.
        verdict: The recorded verdict, or none.
        conversation: Its text, where the trace has it: what a classifier reads and portability is judged by.
    """

    session: str
    turn: str
    at_ms: int
    segments: tuple[Segment, ...]
    whole: int
    output_tokens: int
    in_tool_loop: bool = False
    needs: Needs = Needs()
    max_output_tokens: int | None = None
    parameters: tuple[str, ...] = ()
    hard_stay: HardStay | None = None
    verdict: Verdict | None = None
    conversation: Conversation | None = None

    @property
    def tokens(self) -> int:
        """The whole prompt."""
        return sum([segment.tokens for segment in self.segments])

    def request(self, segments: tuple[Segment, ...], *, pin: str | None, stay: HardStay | None) -> Request:
        """What a decision is made from: with these segments, which may join several of its own."""
        return Request(
            session_id=self.session,
            segments=segments,
            max_output_tokens=self.max_output_tokens,
            parameters=self.parameters,
            needs=self.needs,
            pin=pin,
            hard_stay=stay,
        )


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of a trace in the order in which they came, and how they are to be read.

    Attributes:
        name: What tables call it.
        grain: What a provider's cache is taken to hold.
        requests: The calls, ascending in time.
        notes: What was assumed in reading it, one sentence each: shown with every figure.
        content: A hash over the calls, by which results of the same trace are known again.
    """

    name: str
    grain: Grain
    requests: tuple[ReplayRequest, ...]
    notes: tuple[str, ...] = ()
    content: str = ""
