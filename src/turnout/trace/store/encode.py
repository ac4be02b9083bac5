"""Events as rows of the ledger and as JSON, and back: what is read equals what was recorded.

Known limitation: JSON knows no infinity and no not-a-number; a decision that holds one cannot be read back.
"""

from __future__ import annotations

from typing import Any

import msgspec

from turnout.core.catalog import Catalog
from turnout.core.cost import Cost
from turnout.core.decision import Decision, DecisionInput
from turnout.core.policy import Policy
from turnout.core.usage import Usage
from turnout.trace.events import CallEvent, DecisionEvent, Event
from turnout.trace.store.pack import unpacked, unpacked_pair

Row = tuple[Any, ...]
"""One row of a table, in the order of the columns named beside it."""

_USAGE = Usage.__struct_fields__
_COST = Cost.__struct_fields__

CALL_COLUMNS = (
    "event_id",
    "run",
    "session_id",
    "turn_id",
    "query_id",
    "trace_id",
    "span_id",
    "role",
    "model",
    "classifier",
    "attempt",
    "started_ms",
    "latency_ms",
    "first_content_ms",
    *_USAGE,
    "usage_source",
    *_COST,
    "cost_high_pico",
    "status",
    "error",
    "finish_reason",
    "streamed",
    "simulated",
    "parent_span_id",
    "key_id",
)
"""The columns of table ``calls``: the fields of a `CallEvent`, with usage and cost a column a kind."""

_PLAIN = (
    "event_id",
    "run",
    "session_id",
    "turn_id",
    "query_id",
    "trace_id",
    "span_id",
    "started_ms",
    "latency_ms",
    "classifier_ms",
    "simulated",
)

DECISION_COLUMNS = (
    *_PLAIN,
    "model",
    "reason",
    "runner_up",
    "expected_pico",
    "classifier",
    "label",
    "p_simple",
    "failure",
    "policy_hash",
    "catalog_hash",
    "given",
    "decision",
    "parent_span_id",
    "place",
    "pack",
)
"""The columns of table ``decisions``. Those between ``simulated`` and ``policy_hash`` repeat what queries need.

The JSON of input and decision stands at ``place`` of the pack whose number is ``pack``, beside that of others
(`turnout.trace.store.pack`); without a number ``given`` holds it, packed by itself. ``decision`` has no bytes. In rows
that older versions wrote ``given`` and ``decision`` each hold their own JSON, packed or as text.
"""

JsonPair = tuple[bytes, bytes]
"""The JSON of a decision's input, with hashes in the place of policy and catalog, and that of the decision."""

_HASHED = ("policy", "catalog")
_BESIDE = b""
"""Stands in the place of what is packed with something else."""

_GIVEN = DECISION_COLUMNS.index("given")


def _stored_input() -> type[msgspec.Struct]:
    """`DecisionInput` with a hash in the place of policy and catalog; it follows the core's fields by itself."""
    fields: list[tuple[str, Any, Any]] = []
    for field in msgspec.structs.fields(DecisionInput):
        default = msgspec.field(default=field.default)
        if field.default_factory is not msgspec.NODEFAULT:
            default = msgspec.field(default_factory=field.default_factory)
        fields.append((field.name, str if field.name in _HASHED else field.type, default))
    return msgspec.defstruct("StoredInput", fields, frozen=True, kw_only=True, forbid_unknown_fields=True)


_StoredInput = _stored_input()
_encoder = msgspec.json.Encoder(order="deterministic")
_given_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_StoredInput)
_decision_decoder = msgspec.json.Decoder(Decision)
_event_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(CallEvent | DecisionEvent)


def call_row(event: CallEvent) -> Row:
    """The row of a call."""
    usage, cost = event.usage, event.cost
    return (
        event.event_id,
        event.run,
        event.session_id,
        event.turn_id,
        event.query_id,
        event.trace_id,
        event.span_id,
        event.role,
        event.model,
        event.classifier,
        event.attempt,
        event.started_ms,
        event.latency_ms,
        event.first_content_ms,
        *(getattr(usage, name) for name in _USAGE),
        event.usage_source,
        *(getattr(cost, name) for name in _COST),
        event.cost_high_pico,
        event.status,
        event.error,
        event.finish_reason,
        event.streamed,
        event.simulated,
        event.parent_span_id,
        event.key_id,
    )


def call_of(row: Row) -> CallEvent:
    """The call of a row."""
    values = dict(zip(CALL_COLUMNS, row, strict=True))
    usage = Usage(**{name: values.pop(name) for name in _USAGE})
    cost = Cost(**{name: values.pop(name) for name in _COST})
    for name in ("streamed", "simulated"):
        values[name] = bool(values[name])
    return CallEvent(usage=usage, cost=cost, **values)


def decision_json(event: DecisionEvent, policy_hash: str, catalog_hash: str) -> JsonPair:
    """What a ledger keeps of a decision beside its row; its policy and catalog are kept under these hashes."""
    given = {**msgspec.structs.asdict(event.given), "policy": policy_hash, "catalog": catalog_hash}
    return canonical(_StoredInput(**given)), canonical(event.decision)


def decision_row(
    event: DecisionEvent, policy_hash: str, catalog_hash: str, *, given: bytes = _BESIDE, place: int = 0
) -> Row:
    """The row of a decision but for its last value, the number of its pack.

    Args:
        event: The decision.
        policy_hash: What its policy is kept under.
        catalog_hash: What its catalog is kept under.
        given: Its `decision_json` packed by itself; no bytes where it stands in a pack.
        place: Its place in the pack.
    """
    decision, verdict = event.decision, event.given.verdict
    expected = None if decision.model is None else decision.estimate(decision.model).expected
    return (
        event.event_id,
        event.run,
        event.session_id,
        event.turn_id,
        event.query_id,
        event.trace_id,
        event.span_id,
        event.started_ms,
        event.latency_ms,
        event.classifier_ms,
        event.simulated,
        decision.model,
        decision.reason.value,
        decision.runner_up,
        None if expected is None else expected.cost_pico,
        None if verdict is None else verdict.classifier,
        None if verdict is None else verdict.label,
        None if verdict is None else verdict.p_simple,
        None if verdict is None or verdict.failure is None else verdict.failure.kind,
        policy_hash,
        catalog_hash,
        given,
        _BESIDE,
        event.parent_span_id,
        place,
    )


def own_json(row: Row) -> JsonPair:
    """The JSON of a decision whose row holds it.

    Raises:
        msgspec.DecodeError: It was not written by this or an older version.
    """
    given, decision = row[_GIVEN], row[_GIVEN + 1]
    return unpacked_pair(given) if decision == _BESIDE else (unpacked(given), unpacked(decision))


def decision_of(row: Row, json: JsonPair, policy: Policy, catalog: Catalog) -> DecisionEvent:
    """The decision of a row, of its JSON and of its two snapshots.

    Raises:
        msgspec.DecodeError: The JSON is not that of `decision_json`.
    """
    values = dict(zip(DECISION_COLUMNS, row, strict=True))
    stored = msgspec.structs.asdict(_given_decoder.decode(json[0]))
    plain = {name: values[name] for name in _PLAIN}
    plain["simulated"] = bool(plain["simulated"])
    return DecisionEvent(
        given=DecisionInput(**{**stored, "policy": policy, "catalog": catalog}),
        decision=_decision_decoder.decode(json[1]),
        parent_span_id=values["parent_span_id"],
        **plain,
    )


def encode_event(event: Event) -> bytes:
    """One event as one line of JSON that stands for itself: policy and catalog included, money as integers."""
    return _encoder.encode(event)


def decode_event(line: bytes) -> Event:
    """The event of a line that `encode_event` wrote.

    Raises:
        msgspec.DecodeError: It did not.
    """
    return _event_decoder.decode(line)


def canonical(value: msgspec.Struct) -> bytes:
    """A value as JSON in which equal values give equal bytes: what decisions are compared by when they are replayed."""
    return _encoder.encode(value)
