"""Cache arithmetic over real sockets: every figure is worked out by hand from lengths in characters.

A token is four characters; "system(1024)" is a text of 4,096 characters, so 1,024 tokens on the 4.x models.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.testing.bedrock import MODELS, BedrockDouble, ManualClock, PromptCaches, SimulatedModel
from turnout.testing.bedrock.models import FoundModel, ModelTable
from turnout.testing.bedrock.prompt import CachePoint, Prompt

SONNET = "global.anthropic.claude-sonnet-4-6"
HAIKU = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
HAIKU_55 = "global.anthropic.claude-haiku-5-5"
ONE_HOUR = "1h"
Block = dict[str, Any]


def text(tokens: int, letter: str = "x") -> Block:
    return {"text": letter * (4 * tokens)}


def point(ttl: str | None = None) -> Block:
    return {"cachePoint": {"type": "default", **({"ttl": ttl} if ttl else {})}}


def tool(tokens: int, letter: str = "x") -> Block:
    """A tool of that many tokens: its JSON is 68 characters around the description."""
    schema = {"name": "f", "description": letter, "inputSchema": {"json": {}}}
    return {"toolSpec": {**schema, "description": letter * (4 * tokens - 68)}}


def read_and_write(response: dict[str, Any]) -> tuple[int, int, int]:
    """Input, cache read, cache write."""
    usage = response["usage"]
    total = usage["inputTokens"] + usage["cacheReadInputTokens"] + usage["cacheWriteInputTokens"]
    assert usage["totalTokens"] == total + usage["outputTokens"]
    assert usage["cacheWriteInputTokens"] == sum(detail["inputTokens"] for detail in usage.get("cacheDetails", []))
    return usage["inputTokens"], usage["cacheReadInputTokens"], usage["cacheWriteInputTokens"]


def ask(client: Any, *content: Block, model: str = SONNET, **parts: Any) -> tuple[int, int, int]:
    messages = [{"role": "user", "content": list(content or [text(10)])}]
    return read_and_write(client.converse(modelId=model, messages=messages, **parts))


def test_a_write_then_a_read(client: Any) -> None:
    system = [text(1024), point()]
    assert ask(client, system=system) == (10, 0, 1024)
    assert ask(client, system=system) == (10, 1024, 0)
    assert ask(client, text(25), system=system) == (25, 1024, 0)


def test_writes_are_split_by_their_life(client: Any) -> None:
    messages = [{"role": "user", "content": [text(10)]}]
    system = [text(1024), point()]
    first = client.converse(modelId=SONNET, messages=messages, system=system)["usage"]
    assert first["cacheDetails"] == [{"ttl": "5m", "inputTokens": 1024}]
    assert "cacheDetails" not in client.converse(modelId=SONNET, messages=messages, system=system)["usage"]


def test_without_a_cache_point_nothing_is_cached(client: Any) -> None:
    assert ask(client, system=[text(5000)]) == (5010, 0, 0)
    assert ask(client, system=[text(5000)]) == (5010, 0, 0)


@pytest.mark.parametrize(("tokens", "model"), [(1023, SONNET), (4095, HAIKU)])
def test_below_the_floor_nothing_is_cached(client: Any, tokens: int, model: str) -> None:
    for _ in range(2):
        assert ask(client, system=[text(tokens), point()], model=model) == (tokens + 10, 0, 0)


@pytest.mark.parametrize(("tokens", "model"), [(1024, SONNET), (4096, HAIKU)])
def test_at_the_floor_it_is(client: Any, tokens: int, model: str) -> None:
    assert ask(client, system=[text(tokens), point()], model=model) == (10, 0, tokens)
    assert ask(client, system=[text(tokens), point()], model=model) == (10, tokens, 0)


def test_the_floor_is_one_of_the_models_own_tokens(client: Any) -> None:
    # 393 * 1.3 = 510.9 -> 511 is below 512, 394 * 1.3 = 512.2 -> 513 is not; 10 * 1.3 = 13
    assert ask(client, system=[text(393), point()], model=HAIKU_55) == (524, 0, 0)
    assert ask(client, system=[text(394), point()], model=HAIKU_55) == (13, 0, 513)
    assert ask(client, system=[text(394), point()], model=HAIKU_55) == (13, 513, 0)


def test_tools_count_towards_the_floor_of_the_next_cache_point(client: Any) -> None:
    tools = {"tools": [tool(600), point()]}
    system = [text(500), point()]
    assert ask(client, toolConfig=tools, system=system) == (10, 0, 1100)
    assert ask(client, toolConfig=tools, system=system) == (10, 1100, 0)
    # The cache point after the tools is below the floor: another system prompt finds nothing to read.
    assert ask(client, toolConfig=tools, system=[text(500, "y"), point()]) == (10, 0, 1100)


def test_five_minutes_from_the_last_use(client: Any, clock: ManualClock) -> None:
    system = [text(1024), point()]
    assert ask(client, system=system) == (10, 0, 1024)
    clock.advance(299)
    assert ask(client, system=system) == (10, 1024, 0)
    clock.advance(299)  # 598 s after the write, 299 s after the read that renewed it
    assert ask(client, system=system) == (10, 1024, 0)
    clock.advance(300)
    assert ask(client, system=system) == (10, 0, 1024)


def test_an_hour(client: Any, clock: ManualClock) -> None:
    system = [text(1024), point(ONE_HOUR)]
    messages = [{"role": "user", "content": [text(10)]}]
    usage = client.converse(modelId=SONNET, messages=messages, system=system)["usage"]
    assert usage["cacheDetails"] == [{"ttl": "1h", "inputTokens": 1024}]
    clock.advance(3599)
    assert ask(client, system=system) == (10, 1024, 0)
    clock.advance(3600)
    assert ask(client, system=system) == (10, 0, 1024)


def test_an_hour_for_the_head_and_five_minutes_for_the_rest(client: Any, clock: ManualClock) -> None:
    def usage() -> dict[str, Any]:
        response = client.converse(
            modelId=SONNET,
            toolConfig={"tools": [tool(1100), point(ONE_HOUR)]},
            system=[text(300), point()],
            messages=[{"role": "user", "content": [text(10)]}],
        )
        read_and_write(response)
        found: dict[str, Any] = response["usage"]
        return found

    assert usage()["cacheDetails"] == [{"ttl": "1h", "inputTokens": 1100}, {"ttl": "5m", "inputTokens": 300}]
    assert usage()["cacheReadInputTokens"] == 1400
    clock.advance(301)
    later = usage()
    assert later["cacheReadInputTokens"] == 1100
    assert later["cacheDetails"] == [{"ttl": "5m", "inputTokens": 300}]
    assert later["inputTokens"] == 10


def test_a_cache_point_below_the_floor_leaves_its_tokens_to_the_next(client: Any) -> None:
    messages = [{"role": "user", "content": [text(10)]}]
    system = [text(500), point(ONE_HOUR), text(700), point()]
    usage = client.converse(modelId=SONNET, messages=messages, system=system)["usage"]
    assert usage["cacheDetails"] == [{"ttl": "5m", "inputTokens": 1200}]


def test_what_changes_at_the_end_leaves_the_head_warm(client: Any) -> None:
    head = [text(1024), point()]
    assert ask(client, system=[*head, text(100), point()]) == (10, 0, 1124)
    assert ask(client, system=[*head, text(100, "y"), point()]) == (10, 1024, 100)


def test_a_changed_head_is_cold(client: Any) -> None:
    assert ask(client, system=[text(1024), point()]) == (10, 0, 1024)
    assert ask(client, system=[{"text": "y" + "x" * 4095}, point()]) == (10, 0, 1024)


def test_changed_tools_make_everything_cold(client: Any) -> None:
    system = [text(1024), point()]
    assert ask(client, toolConfig={"tools": [tool(100)]}, system=system) == (10, 0, 1124)
    assert ask(client, toolConfig={"tools": [tool(100, "y")]}, system=system) == (10, 0, 1124)
    assert ask(client, toolConfig={"tools": [tool(100)]}, system=system) == (10, 1124, 0)


def test_a_forced_tool_makes_the_messages_cold_and_leaves_the_system_warm(client: Any) -> None:
    tools: dict[str, Any] = {"tools": [tool(100)]}
    parts: dict[str, Any] = {"system": [text(1024), point()]}
    question = [text(50), point()]
    assert ask(client, *question, toolConfig=tools, **parts) == (0, 0, 1174)
    assert ask(client, *question, toolConfig={**tools, "toolChoice": {"any": {}}}, **parts) == (0, 1124, 50)
    assert ask(client, *question, toolConfig=tools, **parts) == (0, 1174, 0)


def test_other_models_and_profiles_are_cold(client: Any) -> None:
    system = [text(4096), point()]
    assert ask(client, system=system) == (10, 0, 4096)
    assert ask(client, system=system, model=HAIKU) == (10, 0, 4096)
    assert ask(client, system=system, model="us.anthropic.claude-sonnet-4-6") == (10, 0, 4096)
    assert ask(client, system=system) == (10, 4096, 0)
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-6"
    assert ask(client, system=system, model=arn) == (10, 4096, 0)


def test_another_region_is_cold(client: Any) -> None:
    system = [text(1024), point()]
    assert ask(client, system=system) == (10, 0, 1024)
    with BedrockDouble(region="eu-central-1") as elsewhere:
        other = elsewhere.client()
        assert ask(other, system=system) == (10, 0, 1024)
        other.close()


def test_a_cache_point_that_moves_with_the_conversation(client: Any) -> None:
    def turn(number: int, with_point: bool) -> list[dict[str, Any]]:
        before = [{"role": "user", "content": [text(600)]}, {"role": "assistant", "content": [text(30)]}] * number
        return [*before, {"role": "user", "content": [text(600), *([point()] if with_point else [])]}]

    def call(number: int, with_point: bool = True) -> tuple[int, int, int]:
        return read_and_write(client.converse(modelId=SONNET, messages=turn(number, with_point)))

    assert call(0) == (600, 0, 0)  # below the floor
    assert call(1) == (0, 0, 1230)
    assert call(2) == (0, 1230, 630)
    assert call(3) == (0, 1860, 630)
    assert call(3, with_point=False) == (2490, 0, 0)  # no cache point: nothing is read either


def _blocks(count: int) -> list[Block]:
    return [text(110, letter) for letter in "abcdefghijklmnopqrstuvwxyzABCDEFGHI"[:count]]


def test_the_documented_example_of_the_lookback(client: Any) -> None:
    # Ten blocks, fifteen, thirty-five, with the cache point on the last: the entry at block 15 is the twenty-first
    # position from block 35 back, one too far. 110 tokens a block.
    assert ask(client, *_blocks(10), point()) == (0, 0, 1100)
    assert ask(client, *_blocks(15), point()) == (0, 1100, 550)
    assert ask(client, *_blocks(35), point()) == (0, 0, 3850)


def test_twenty_positions_with_the_cache_point_as_the_first(client: Any) -> None:
    assert ask(client, *_blocks(15), point()) == (0, 0, 1650)
    assert ask(client, *_blocks(34), point()) == (0, 1650, 2090)


def test_a_second_cache_point_starts_a_second_lookback(client: Any) -> None:
    assert ask(client, *_blocks(15), point()) == (0, 0, 1650)
    assert ask(client, *_blocks(15), point(), *_blocks(35)[15:], point()) == (0, 1650, 2200)


def test_a_cache_point_on_what_always_changes_is_never_read(client: Any) -> None:
    stable = [text(300, letter) for letter in "abcde"]
    for stamp in ("12:00", "12:01"):
        assert ask(client, *stable, {"text": stamp}, point()) == (0, 0, 1502)


def test_what_was_not_written_cannot_be_read(client: Any) -> None:
    head, tail = [text(1100)], [text(300)]
    assert ask(client, system=[*head, *tail, point()]) == (10, 0, 1400)
    # A cache point inside what is read writes nothing, so another tail after that head finds nothing.
    assert ask(client, system=[*head, point(), *tail, point()]) == (10, 1400, 0)
    assert ask(client, system=[*head, point(), text(300, "y"), point()]) == (10, 0, 1400)
    assert ask(client, system=[*head, point(), text(300, "z"), point()]) == (10, 1100, 300)


def test_a_stream_reports_the_same(client: Any) -> None:
    request: dict[str, Any] = {
        "modelId": SONNET,
        "system": [text(1024), point()],
        "messages": [{"role": "user", "content": [text(10)]}],
    }
    reports = []
    for _ in range(2):
        events = list(client.converse_stream(**request)["stream"])
        reports.append(read_and_write(next(event["metadata"] for event in events if "metadata" in event)))
    assert reports == [(10, 0, 1024), (10, 1024, 0)]


def test_a_refused_call_writes_nothing(client: Any) -> None:
    system = [text(1024), point()]
    with pytest.raises(client.exceptions.ValidationException):
        ask(client, system=system, inferenceConfig={"maxTokens": 10**6})
    assert ask(client, system=system) == (10, 0, 1024)


def test_an_entry_can_be_read_only_after_the_writers_first_byte(client: Any, double: BedrockDouble) -> None:
    writer_asked, reader_done = threading.Event(), threading.Event()

    def respond(model_id: str, request: dict[str, Any]) -> list[Block]:
        if request["messages"][0]["content"][0]["text"] == "slow":
            writer_asked.set()
            assert reader_done.wait(10)
        return [{"text": "done"}]

    double.responder = respond
    system = [text(1024), point()]
    slow: list[tuple[int, int, int]] = []
    writer = threading.Thread(target=lambda: slow.append(ask(client, {"text": "slow"}, system=system)))
    writer.start()
    assert writer_asked.wait(10)
    assert ask(client, system=system) == (10, 0, 1024)  # the first one has not begun to answer: both write
    reader_done.set()
    writer.join(10)
    assert slow == [(1, 0, 1024)]
    assert ask(client, system=system) == (10, 1024, 0)


@st.composite
def _prompts(draw: st.DrawFn) -> Prompt:
    # Few lengths and letters, so that prompts often begin alike.
    blocks = draw(st.lists(st.sampled_from([(100, "a"), (250, "a"), (100, "b")]), min_size=1, max_size=12))
    lengths, letters = zip(*blocks, strict=True)
    places = draw(st.lists(st.integers(0, len(lengths)), max_size=4))
    long_lived = draw(st.integers(0, 4))
    offsets, digests = [], []
    for index in range(len(lengths)):
        offsets.append(sum(lengths[: index + 1]))
        digests.append(repr(list(zip(lengths, letters, strict=True))[: index + 1]).encode())
    points = [
        CachePoint(place, "1h" if index < long_lived else "5m", "somewhere")
        for index, place in enumerate(sorted(places))
    ]
    return Prompt(tuple(offsets), tuple(digests), tuple(points))


FOUND = FoundModel(SimulatedModel(id="m", floor_tokens=300, lookback_blocks=3), "global.m")


@given(st.lists(st.tuples(_prompts(), st.integers(0, 400)), max_size=8), _prompts())
def test_the_parts_add_up_and_what_is_written_is_read_next(history: list[tuple[Prompt, int]], prompt: Prompt) -> None:
    caches, now = PromptCaches(), 0
    for earlier, seconds in history:
        caches.commit(FOUND, earlier, now)
        now += seconds
    use = caches.look_up(FOUND, prompt, now)
    assert min(use.fresh, use.read, use.write_5m, use.write_1h) >= 0
    assert use.prompt_tokens == prompt.tokens
    assert use.read in {0, *prompt.offsets}
    assert use.read == 0 or use.read >= 300
    assert caches.look_up(FOUND, prompt, now) == use
    caches.commit(FOUND, prompt, now)
    again = caches.look_up(FOUND, prompt, now)
    assert (again.read, again.write_5m, again.write_1h) == (use.prompt_tokens - use.fresh, 0, 0)
    assert caches.look_up(FOUND, prompt, now + 3600).read == 0
    assert caches.look_up(FoundModel(FOUND.model, "us.m"), prompt, now).read == 0


@given(st.lists(_prompts(), max_size=6), _prompts())
def test_a_longer_lookback_or_a_lower_floor_never_reads_less(history: list[Prompt], prompt: Prompt) -> None:
    caches = PromptCaches()
    for earlier in history:
        caches.commit(FOUND, earlier, 0)
    read = caches.look_up(FOUND, prompt, 1).read
    wider = FoundModel(SimulatedModel(id="m", floor_tokens=300, lookback_blocks=20), "global.m")
    assert caches.look_up(wider, prompt, 1).read >= read


def test_expired_entries_are_swept() -> None:
    caches, found = PromptCaches(), ModelTable(MODELS).find(SONNET)
    for number in range(5000):
        prompt = Prompt((2000,), (str(number).encode(),), (CachePoint(1, "5m", "system.1"),))
        caches.commit(found, prompt, number)
    assert caches.look_up(found, prompt, 5000).read == 2000
    assert len(caches) < 4500
