"""Parts as frames of ConverseStream, and whole answers, in the shapes that botocore knows."""

from __future__ import annotations

import json

from tests.messages.translation.support import ABOUT
from turnout.core.usage import Usage
from turnout.messages.translation.parts import Alive, Block, Finish
from turnout.messages.translation.write_converse import ConverseWriter, whole
from turnout.messages.wire.eventstream import EventStreamParser
from turnout.testing.bedrock.shapes import check_answer

USAGE = Usage(input_tokens=3, cache_read_tokens=5, cache_write_5m_tokens=1, cache_write_1h_tokens=2, output_tokens=4)


def test_an_answer_without_content() -> None:
    writer = ConverseWriter(ABOUT)
    assert writer.write(Alive()) == b""
    assert writer.end(USAGE, 9) == b""
    data = writer.write(Finish("end_turn")) + writer.end(USAGE, 9)
    names = [frame.name for frame in EventStreamParser().feed(data)]
    assert names == ["messageStart", "messageStop", "metadata"]


def test_a_whole_answer_has_botocores_shape() -> None:
    blocks = [
        Block(kind="thinking", text="hm", signature="c2ln"),
        Block(kind="redacted", text="eHg="),
        Block(kind="tool", tool_id="t", name="one", arguments={"x": 1}),
    ]
    answer = json.loads(whole(blocks, Finish("tool_use"), USAGE, ABOUT, 9))
    check_answer("Converse", answer)
    assert answer["usage"]["cacheDetails"] == [{"ttl": "5m", "inputTokens": 1}, {"ttl": "1h", "inputTokens": 2}]
    assert answer["metrics"] == {"latencyMs": 9}
