"""What a decision needs to know of one call for a completion: counts, hashes, needs. No text."""

from __future__ import annotations

import itertools
from typing import Literal

import msgspec

from turnout.core.cache import NO_PLAN, CachePlan, Marker, Prompt, Ttl


class Segment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One block of a prompt, in the order that caches see: tools, then system, then messages.

    Attributes:
        kind: Which part of the prompt the block belongs to.
        tokens: Its length in reference tokens (those of the counter in use); a model's own are a ratio of them.
        prefix_hash: Keyed hash of everything up to and including this block.
        marker: The TTL of the cache point that stands after it, or none.
    """

    kind: Literal["tools", "system", "message"]
    tokens: int
    prefix_hash: str
    marker: Ttl | None = None


class Needs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What a model must be able to do to serve a request; the names are those of `Capabilities`."""

    tools: bool = False
    forced_tool_choice: bool = False
    vision: bool = False
    documents: bool = False
    structured_output: bool = False
    streaming: bool = False


class HardStay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The model that must go on serving, and why.

    ``tool_loop``: the turn is in its tool loop. ``bound_state``: the history holds state that only this model
    accepts, such as signed thinking; every other candidate is then ineligible.
    """

    model: str
    cause: Literal["tool_loop", "bound_state"]


class HistoryFit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """How the history of a conversation reaches a candidate that did not write its newest answer.

    Attributes:
        model: The candidate's catalog id.
        edits: The kinds of changes that carry it over, as of `turnout.messages.portability.Carried.edit_names`.
        refusals: What keeps it from that candidate, each ``name:detail``; empty where nothing does.
    """

    model: str
    edits: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()


class Request(msgspec.Struct, frozen=True, kw_only=True, dict=True, forbid_unknown_fields=True):
    """One call for a completion, without its text.

    Attributes:
        session_id: Groups the calls of one conversation.
        segments: The prompt, block by block.
        max_output_tokens: The caller's limit on output, thinking included; none if it set none.
        parameters: Names of the sampling parameters that the caller set, such as ``temperature``.
        needs: What the model must be able to do.
        pin: The model that the caller insists on.
        allowed_models: The models that the caller's key may use; none: all.
        hard_stay: Set where leaving the current model is not allowed.
        history: The candidates that the history has to be changed for, or that cannot be sent it.
    """

    session_id: str
    segments: tuple[Segment, ...]
    max_output_tokens: int | None = None
    parameters: tuple[str, ...] = ()
    needs: Needs = Needs()
    pin: str | None = None
    allowed_models: tuple[str, ...] | None = None
    hard_stay: HardStay | None = None
    history: tuple[HistoryFit, ...] = ()

    @property
    def tokens(self) -> int:
        """The whole prompt in reference tokens."""
        found: int | None = self.__dict__.get("_tokens")
        if found is None:
            found = self.__dict__["_tokens"] = sum([segment.tokens for segment in self.segments])
        return found

    @property
    def user_plan(self) -> CachePlan:
        """The markers that the request brought."""
        markers = [
            Marker(index, segment.marker) for index, segment in enumerate(self.segments) if segment.marker is not None
        ]
        return CachePlan(tuple(markers), "user") if markers else NO_PLAN

    def prompt_for(self, tokenizer_ratio: float) -> Prompt:
        """The prompt in the tokens of a model that needs ``tokenizer_ratio`` tokens for one reference token."""
        # By hand: until Python 3.12 `cached_property` takes a lock, which costs more than the look-up.
        prompts: dict[float, Prompt] | None = self.__dict__.get("_prompts")
        if prompts is None:
            prompts = self.__dict__["_prompts"] = {}
        prompt = prompts.get(tokenizer_ratio)
        if prompt is None:
            ends = itertools.accumulate([segment.tokens for segment in self.segments])
            prompt = prompts[tokenizer_ratio] = Prompt(
                offsets=tuple([round(end * tokenizer_ratio) for end in ends]),
                prefix_hashes=tuple([segment.prefix_hash for segment in self.segments]),
            )
        return prompt
