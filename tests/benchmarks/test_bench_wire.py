"""The benchmark of the wire measures bodies of the sizes that it names, and reads what it times."""

from __future__ import annotations

import pytest

from benchmarks.bench_wire import DECODERS, SIZES, example, measure_body, measure_streams
from turnout.messages.wire.asked import WireProtocol


@pytest.mark.parametrize("protocol", list(DECODERS))
def test_bodies_have_the_sizes_that_are_named(protocol: WireProtocol) -> None:
    for name, size in SIZES.items():
        data = example(protocol, size)
        assert 0.95 * size < len(data) < 1.15 * size, name
        asked = DECODERS[protocol](data)
        assert asked.untranslatable == ()
        assert len(asked.conversation.tools) == (0 if size < 3_000 else 8)


def test_every_figure_is_there() -> None:
    timings = measure_body(WireProtocol.ANTHROPIC, "0.5 KB, a chat", seconds=0)
    assert [timing.what.rpartition(": ")[2] for timing in timings] == [
        "asked",
        "asked and conversation",
        "model replaced",
    ]
    assert len(measure_streams(seconds=0)) == 6
    assert all(timing.us > 0 and timing.ratio > 0 for timing in timings)
