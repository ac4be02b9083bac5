"""From a conversation to a request: what a decision may know of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from turnout.core.catalog import Model
from turnout.core.request import HardStay, Needs, Request
from turnout.messages.conversation import Block, Conversation
from turnout.messages.portability.safety import Switches, has_bound_reasoning
from turnout.messages.portability.turns import open_turn
from turnout.messages.prefix import PrefixHasher


def request_of(
    conversation: Conversation,
    hasher: PrefixHasher,
    *,
    session_id: str | None = None,
    max_output_tokens: int | None = None,
    parameters: Sequence[str] = (),
    forced_tool_choice: bool = False,
    structured_output: bool = False,
    streaming: bool = True,
    pin: str | None = None,
    allowed_models: Sequence[str] | None = None,
    hard_stay: HardStay | None = None,
) -> Request:
    """The request of a conversation: its segments, and what it needs of a model.

    Args:
        conversation: What is asked.
        hasher: Hashes prefixes with this deployment's key.
        session_id: The id that the door was given; else it is derived from the conversation's opening.
        max_output_tokens: The caller's limit on output.
        parameters: Names of the sampling parameters that the caller set.
        forced_tool_choice: Whether a tool must be called.
        structured_output: Whether the answer must follow a schema.
        streaming: Whether the answer is streamed.
        pin: The catalog id of the model that the caller insists on.
        allowed_models: Catalog ids that the caller's key may use.
        hard_stay: The model that must go on serving.
    """
    tools, images, documents = bool(conversation.tools), False, False
    for message in conversation.messages:
        for block in message["content"]:
            if len(block) == 1 and "text" in block:
                continue
            parts: Iterable[Block] = (block,)
            if (result := block.get("toolResult")) is not None:
                # What tools found counts as much as what was said: a screenshot is an image too.
                parts = (block, *result.get("content", ()))
            tools = tools or "toolUse" in block or "toolResult" in block
            images = images or any("image" in part for part in parts)
            documents = documents or any("document" in part for part in parts)
    return Request(
        session_id=session_id or hasher.opening(conversation),
        segments=hasher.segments(conversation),
        max_output_tokens=max_output_tokens,
        parameters=tuple(parameters),
        needs=Needs(
            tools=tools,
            forced_tool_choice=forced_tool_choice,
            vision=images,
            documents=documents,
            structured_output=structured_output,
            streaming=streaming,
        ),
        pin=pin,
        allowed_models=None if allowed_models is None else tuple(allowed_models),
        hard_stay=hard_stay,
    )


def has_bound_state(conversation: Conversation) -> bool:
    """Whether the history holds signed or encrypted thinking, which not every model accepts.

    Whether that forbids a certain switch is for `turnout.messages.portability.safe_to_switch` to say.
    """
    return has_bound_reasoning(conversation)


def in_tool_loop(conversation: Conversation) -> bool:
    """Whether the newest message brings tool results: the turn goes on."""
    return open_turn(conversation.messages) is not None


def hard_stay(
    conversation: Conversation,
    current: Model,
    others: Iterable[Model],
    *,
    turn_goes_on: bool = False,
    leave_thinking: bool = False,
    switches: Switches | None = None,
) -> HardStay | None:
    """The stay that a history imposes: every switch that `safe_to_switch` finds unsafe makes one.

    It is ``bound_state``, which nothing but the current model may serve, where no other candidate could take the
    history. Where only some of them could not, those alone are kept from it (`turnout.core.request.HistoryFit`).

    Args:
        conversation: What is asked.
        current: The model that wrote the history.
        others: The models that it might go to.
        turn_goes_on: Whether the turn goes on although the newest message brings no tool results.
        leave_thinking: As of `safe_to_switch`.
        switches: Those of the conversation and the current model, where others ask them too.
    """
    switches = switches or Switches(conversation, current, leave_thinking=leave_thinking)
    causes = {switches.safety(other).cause for other in others}
    if causes == {"bound_state"}:
        return HardStay(current.id, "bound_state")
    return HardStay(current.id, "tool_loop") if turn_goes_on or in_tool_loop(conversation) else None
