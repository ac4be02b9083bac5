"""JSON of decisions made small for the ledger: zlib with a dictionary of what such JSON always says.

The names of the fields are most of a decision's JSON and the same in all, so a dictionary of them leaves about a fifth
of it; without one, zlib leaves half. Both JSON texts of a decision are packed as one, and decisions that are written
together are packed together: beginning costs more than packing does, and what one decision says the next says again.
What is not packed (an older ledger's rows) is text, and is read as it is.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import msgspec

_LEVEL = 3
"""Higher levels save a twentieth of the bytes and take half as long again."""

_WINDOW_BITS = 13
"""A window of 8 KiB: larger ones cost more time to set up than they save."""

_DICTIONARY = (
    b'"edits":["drop_parameter:temperature","clamp_output:"],"ineligible":["lacks:not_allowed","history_bound:'
    b'parameter_rejected:output_limit:context_window:failed:","cache_ttl:1h","role":"classifier","error":"'
    b'ThrottlingException","failed":[{"model":"anthropic/claude-openai/gpt-local/bedrock/us.eu.jp.apac.au.amazon.nova-'
    b'meta.llama","failure":{"kind":"timeout","detail":""},"unparsed","error","hard_stay_ineligible","pin_ineligible",'
    b'"no_eligible_candidate","budget_spent","budget_cheapest","classifier_error","classifier_timeout",'
    b'"classifier_unparsed","no_verdict","pinned","failover","verdict":null,"caches":{},"session":{"current_model":null,'
    b'"spent_pico":0},"statistics":{"models":{}},"failed":[]}'
    b'"calls":[{"model":"local/smollm2-135m-instruct-q4_1","usage":{"input_tokens":0,"cache_read_tokens":0,'
    b'"cache_write_5m_tokens":0,"cache_write_1h_tokens":0,"output_tokens":0,"reasoning_tokens":0},"usage_source":'
    b'"reported","started_ms":17,"latency_ms":0.0,"error":null}],"basis":"outcome","p_suffices":{'
    b'{"request":{"session_id":"","segments":[{"kind":"tools","tokens":1,"prefix_hash":"","marker":null},'
    b'{"kind":"tools","tokens":2,"prefix_hash":"0123456789abcdef","marker":null},{"kind":"system","tokens":3,'
    b'"prefix_hash":"","marker":"5m"},{"kind":"message","tokens":1,"prefix_hash":"","marker":null}],'
    b'"max_output_tokens":null,"max_output_tokens":800,"parameters":["temperature"],"parameters":[],"needs":{"tools":'
    b'false,"forced_tool_choice":false,"vision":false,"documents":false,"structured_output":false,"streaming":false},'
    b'"needs":{"tools":true,"forced_tool_choice":false,"vision":false,"documents":false,"structured_output":false,'
    b'"streaming":true},"pin":null,"allowed_models":null,"hard_stay":{"model":"","cause":"bound_state"},"hard_stay":{'
    b'"model":"bedrock/global.anthropic.claude-","cause":"tool_loop"},"hard_stay":null},"policy":"","catalog":"",'
    b'"now_ms":17,"verdict":{"classifier":"embedding","label":"simple","label":"complex","basis":"label","p_simple":0.'
    b',"p_suffices":{},"failure":null,"calls":[],"latency_ms":},"caches":{"bedrock/global.anthropic.claude-":{'
    b'"entries":[{"prefix_hash":"","ttl":"5m","expires_ms":17,"chance":1.0}]},"session":{"current_model":"bedrock/'
    b'global.anthropic.claude-","spent_pico":},"statistics":{"models":{"bedrock/global.anthropic.claude-sonnet-4-6":{'
    b'"output_tokens":300.0,"calls_per_turn":2.0,"growth_tokens":400.0,"tokenizer_ratio":null,"calls":1},"bedrock/'
    b'global.anthropic.claude-haiku-4-5-20251001-v1:0":{"output_tokens":300.0,"calls_per_turn":2.0,"growth_tokens":'
    b'400.0,"tokenizer_ratio":1.0,"calls":1}}},"failed":[]}'
    b'{"model":"bedrock/global.anthropic.claude-sonnet-5-5","reason":"cheapest_below_bar","reason":'
    b'"cheapest_clears_bar","reason":"verdict_not_needed","reason":"hard_stay","estimates":[{"model":"bedrock/global.'
    b'anthropic.claude-opus-5-5","rank":1,"ineligible":["history_bound:bedrock/global.anthropic.claude-"],'
    b'"clears_bar":true,"p":null,"expected":{"cost_pico":1,"calls":1.0,"prompt_tokens":1,"read_tokens":0,'
    b'"read_chance":1.0,"write_tokens":0,"output_tokens":300.0},"edits":[]},{"model":"bedrock/global.anthropic.claude-'
    b'haiku-5-5","rank":0,"ineligible":[],"clears_bar":false,"clears_bar":null,"p":null,"p":0.,"expected":null,'
    b'"expected":{"cost_pico":,"calls":2.0,"prompt_tokens":,"read_tokens":0,"read_chance":1.0,"write_tokens":0,'
    b'"output_tokens":300.0},"edits":[]}],"runner_up":null,"runner_up":"bedrock/global.anthropic.claude-","cache_plan":'
    b'{"markers":[],"origin":"none"},"cache_plan":{"markers":[{"segment":1,"ttl":"5m"}],"origin":"fill"},'
    b'"origin":"user"},"bar":0.5,"bar":null,"edits":[]}'
)
"""Never to be changed: rows were packed with it. A better one is a new step of the schema beside this one."""


def packed(json: bytes) -> bytes:
    """JSON, packed."""
    packer = _PACKER.copy()  # it has read the dictionary, which takes as long as packing
    return packer.compress(json) + packer.flush()


def packed_pair(first: bytes, second: bytes) -> bytes:
    """Two JSON texts, neither of which is laid out in lines, packed as one."""
    return packed(b"%b\n%b" % (first, second))


def packed_pairs(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Several pairs of JSON texts, none of which is laid out in lines, packed as one."""
    packer = _PACKER_OF_MANY.copy()
    return packer.compress(b"\n".join([text for pair in pairs for text in pair])) + packer.flush()


_MEMORY_LEVEL = 5
"""What is copied for each row then fits a processor's first cache; rows are as small as with the usual 8."""

_PACKER = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL, zdict=_DICTIONARY)

_PACKER_OF_MANY = zlib.compressobj(_LEVEL, zlib.DEFLATED, 15, 8, zdict=_DICTIONARY)
"""The longest window: beginning is paid once for many, and each finds more of those before it."""


def unpacked(stored: bytes | str) -> bytes:
    """The JSON of what a ledger holds: packed, or text as older ledgers have it.

    Raises:
        msgspec.DecodeError: It was not packed by `packed`.
    """
    if isinstance(stored, str):
        return stored.encode()
    unpacker = zlib.decompressobj(zdict=_DICTIONARY)
    try:
        json = unpacker.decompress(stored) + unpacker.flush()
    except zlib.error as error:
        raise msgspec.DecodeError(f"it is not packed as a ledger packs it ({error})") from error
    if not unpacker.eof:
        raise msgspec.DecodeError("it is cut off")
    return json


def unpacked_pair(stored: bytes | str) -> tuple[bytes, bytes]:
    """The JSON texts of what `packed_pair` made.

    Raises:
        msgspec.DecodeError: It did not make it.
    """
    first, between, second = unpacked(stored).partition(b"\n")
    if not between:
        raise msgspec.DecodeError("it holds one text, not two")
    return first, second


def unpacked_pairs(stored: bytes) -> list[tuple[bytes, bytes]]:
    """The pairs of what `packed_pairs` made.

    Raises:
        msgspec.DecodeError: It did not make it.
    """
    texts = unpacked(stored).split(b"\n")
    if len(texts) % 2:
        raise msgspec.DecodeError("a text lacks the one that belongs to it")
    return list(zip(texts[::2], texts[1::2], strict=True))
