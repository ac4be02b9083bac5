"""`carry`: the history of a conversation as the model that answers next takes it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from turnout.core.cache import CachePlan
from turnout.core.catalog import Model
from turnout.messages.conversation import Conversation
from turnout.messages.portability.blocks import BlockCarrier
from turnout.messages.portability.draft import Draft
from turnout.messages.portability.markers import MarkersMode, place_points
from turnout.messages.portability.protocols import RULES, Protocol, Rules, protocol_of
from turnout.messages.portability.turns import ToolCalls, open_turn, put_results_first, settle_messages


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """A history as a target takes it, or why it does not.

    Attributes:
        history: What the target is sent; where nothing had to change, the very object that came in. None if refused.
        edits: What was changed, each ``name:path``; paths are those of the history that came in, such as
            ``messages.3.content.0``. The names:
            ``drop_thinking``, ``drop_unsigned_reasoning``, ``drop_blank_text``, ``drop_message``, ``drop_marker`` leave
            something out; ``tool_id``, ``tool_result_status``, ``tool_json_as_text``, ``tool_error_as_text``,
            ``citations_as_text``, ``image_format``, ``document_name``, ``document_source``, ``marker_ttl`` write it
            differently; ``merge_messages``, ``tool_results_first``, ``move_marker`` move it; ``add_marker`` adds one.
        refusals: What the target cannot be sent, each ``name:detail``: ``untranslatable:<path>``,
            ``unanswered_call:<path>`` and ``orphan_result:<path>`` (a tool call without its result, and the reverse),
            ``prefill:<path>`` (an answer to be gone on with), ``server_state:<name>``, ``cache_markers:<n>><most>``,
            ``cache_ttl:<ttl>``, ``cache_ttl_order:<path>``.
        lost: Paths of thinking that the source still reads and the target does not, sent to it or not.
    """

    history: Conversation | None
    edits: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    @property
    def refusal(self) -> str | None:
        """The first reason of a refusal, or none."""
        return self.refusals[0] if self.refusals else None

    @property
    def edit_names(self) -> tuple[str, ...]:
        """The kinds of edits, each once: what an event can hold however long the history is."""
        return tuple(dict.fromkeys(edit.partition(":")[0] for edit in self.edits))


def carry(
    history: Conversation,
    source: Model | None,
    target: Model,
    markers_mode: MarkersMode = "user",
    *,
    plan: CachePlan | None = None,
    server_state: Sequence[str] = (),
    form: Protocol | None = None,
) -> Carried:
    """Carry a history from the model that wrote it to the one that answers next.

    Pure and deterministic. Carrying what was carried changes nothing; carrying to the model that wrote the history
    changes only what that model would refuse; and as a history grows, what was carried of its earlier messages stays
    the same, so that prompt caches and signatures over them hold. The history that came in is never changed: send the
    stored one through here on every call, and keep storing it as it was.

    Nothing is dropped in silence: what cannot be represented refuses the whole.

    Args:
        history: System, tools and messages.
        source: The model that wrote the newest answer; none where that is not known.
        target: The model that answers next.
        markers_mode: Whose the cache points are: ``user``, ``fill`` or ``manage``.
        plan: Where cache points stand, for ``manage``, and for ``fill`` where the history brought none; its segments
            count blocks as `turnout.messages.prefix.PrefixHasher.segments` does.
        server_state: Names of what the source's provider keeps for this conversation and the target's cannot have,
            such as ``previous_response_id`` or ``container``.
        form: How the target's endpoint is asked, where that is known better than its catalog entry tells: a server that
            speaks OpenAI's protocol, or a model on Bedrock that is no Claude.

    Known limitations: all thinking is judged as the source's, although earlier turns may be another model's; whether
    the target runs with thinking switched on is not known here (with a fixed thinking budget Claude wants a turn in its
    tool loop to begin with thinking); sizes and numbers of media are not checked.
    """
    draft = drafted(history, source, target, markers_mode, plan=plan, server_state=server_state, form=form)
    if draft is None:
        return Carried(history=history)
    refused = bool(draft.refusals)
    return Carried(
        history=None if refused else draft.build(),
        edits=tuple(draft.edits),
        refusals=tuple(draft.refusals),
        lost=tuple(draft.lost),
    )


def drafted(
    history: Conversation,
    source: Model | None,
    target: Model,
    markers_mode: MarkersMode = "user",
    *,
    plan: CachePlan | None = None,
    server_state: Sequence[str] = (),
    form: Protocol | None = None,
) -> Draft | None:
    """`carry`, but for building the history: what was done to it and what cannot be; none where nothing has to be."""
    protocol = protocol_of(target)
    rules = RULES.get(protocol if form is None else form)
    if form is not None and (protocol.claude or not form.claude):
        protocol = form
    moved = source is None or source.id != target.id
    if rules is None:
        return None
    draft = Draft.of(history)
    if moved:
        for name in server_state:
            draft.refuse(name, "server_state")
    _carry_blocks(draft, BlockCarrier(draft, rules, source, target, protocol), history)
    settle_messages(draft, rules)
    ToolCalls(draft, rules).settle()
    if rules.merged:
        put_results_first(draft)
    _check_messages(draft, rules, target, protocol)
    place_points(draft, target, markers_mode, plan)
    return draft


def _carry_blocks(draft: Draft, carrier: BlockCarrier, history: Conversation) -> None:
    for item in draft.system:
        carrier.system(item)
    opened = open_turn(history.messages)
    for message in draft.messages:
        if message.role not in ("user", "assistant"):
            draft.refuse(f"messages.{message.index}.role")
            continue
        for item in message.items:
            carrier.block(item, message.role, open_turn=opened is not None and message.index >= opened)


def _check_messages(draft: Draft, rules: Rules, target: Model, protocol: Protocol) -> None:
    """What cannot be mended: who speaks first and last, and a document that stands alone."""
    if not draft.messages:
        return
    first, last = draft.messages[0], draft.messages[-1]
    if rules.user_first and first.role == "assistant":
        draft.refuse(f"messages.{first.index}")
    if last.role == "assistant" and not target.capabilities.prefill:
        draft.refuse(f"messages.{last.index}", "prefill")
    if not rules.document_with_text:
        return
    for message in draft.messages:
        kinds = [next(iter(block)) for _, block in message.left()]
        if "document" in kinds and "text" not in kinds:
            draft.refuse(f"messages.{message.index}.content.{kinds.index('document')}")
