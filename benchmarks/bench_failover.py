"""What a failover adds to the second model's own time to its first content, with real boto3 and Strands on the double.

Run it with ``python -m benchmarks.bench_failover``. A request is timed from the call of ``RoutedModel.stream`` to its
first content. "plain" pins it to the second model; in each other row the first model fails in that way, with the
default rules of calls. The double answers at once, so the difference is what the failing model, the waits before
retries, and the router take. Times of a machine that does other work at the same time are too high, seldom too low.
"""

from __future__ import annotations

import asyncio
import logging
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from turnout.config import PAIR_4, load_catalog
from turnout.core.policy import Policy
from turnout.core.verdict import Verdict
from turnout.doors.strands import RoutedModel
from turnout.messages.conversation import Conversation
from turnout.testing.bedrock import (
    BedrockDouble,
    Fault,
    dropped,
    garbage,
    internal_error,
    mid_stream,
    service_unavailable,
    throttling,
    truncated,
)
from turnout.upstream.breaker import Breakers

CHEAP = PAIR_4.cheap.removeprefix("bedrock/")
HELLO: Any = [{"role": "user", "content": [{"text": "hello"}]}]
FAULTS: dict[str, Callable[[], Fault] | None] = {
    "plain": None,
    "throttled (429)": lambda: throttling(model=CHEAP),
    "internal error (500)": lambda: internal_error(model=CHEAP),
    "unavailable (503)": lambda: service_unavailable(model=CHEAP),
    "connection dropped": lambda: dropped(model=CHEAP),
    "dropped in the stream": lambda: dropped(1, model=CHEAP),
    "error in the stream": lambda: mid_stream(1, model=CHEAP),
    "stream truncated": lambda: truncated(1, model=CHEAP),
    "bytes that are no event": lambda: garbage(1, model=CHEAP),
}


class Simple:
    """Says that everything is simple, so that the cheap model is chosen."""

    name = "simple"

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        return Verdict(classifier=self.name, label="simple", p_simple=1.0)


def routed(double: BedrockDouble) -> RoutedModel:
    """The pair on the double; nothing is recorded."""
    from botocore.config import Config
    from strands.models import BedrockModel

    once = Config(retries={"total_max_attempts": 1})
    models: dict[str, Any] = {
        one: BedrockModel(
            model_id=one.removeprefix("bedrock/"),
            boto_session=double.session(),
            endpoint_url=double.url,
            boto_client_config=once,
        )
        for one in (PAIR_4.cheap, PAIR_4.capable)
    }
    return RoutedModel(
        models,
        policy=Policy(candidates=PAIR_4.candidates),
        catalog=load_catalog(),
        classifier=Simple(),
        simulated=True,
        chance=random.Random(7),
    )


async def first_content_ms(model: RoutedModel, **state: Any) -> float:
    """Milliseconds from the request to its first content; the rest of the answer is read too."""
    started, first_ms = time.perf_counter(), 0.0
    async for event in model.stream(HELLO, None, "Be brief.", invocation_state={"turnout": state}):
        if "contentBlockDelta" in event and not first_ms:
            first_ms = (time.perf_counter() - started) * 1000
    return first_ms


async def measure(
    double: BedrockDouble, model: RoutedModel, fault: Callable[[], Fault] | None, times: int
) -> list[float]:
    """The times of that many requests, each with breakers that know of no failure."""
    figures = []
    for _ in range(times):
        double.faults.clear()
        model.routing.router.breakers = Breakers()
        if fault is None:
            figures.append(await first_content_ms(model, pin=PAIR_4.capable))
        else:
            double.faults.add(fault(), times=None)
            figures.append(await first_content_ms(model))
    return figures


async def run(times: int = 100) -> Table:
    """Measure every fault."""
    table = Table(title=f"time to first content in ms, {times} requests each, simulated models", title_justify="left")
    for heading in ("first model", "median", "95 %", "most", "added", "at most"):
        table.add_column(heading, justify="left" if heading == "first model" else "right", no_wrap=True)
    with BedrockDouble() as double:
        model = routed(double)
        await measure(double, model, None, 5)
        plain = 0.0
        for name, fault in FAULTS.items():
            figures = sorted(await measure(double, model, fault, times))
            median = statistics.median(figures)
            plain = plain or median
            added = ("", "") if fault is None else (f"{median - plain:.0f}", f"{figures[-1] - plain:.0f}")
            table.add_row(
                name, f"{median:.0f}", f"{figures[int(0.95 * len(figures))]:.0f}", f"{figures[-1]:.0f}", *added
            )
        for candidate in model.candidates.values():
            candidate.client.close()  # type: ignore[attr-defined]  # both are models of Bedrock
    return table


def main() -> None:
    """Measure and print a table."""
    logging.getLogger("turnout").setLevel(logging.ERROR)  # each failover is logged
    Console().print(asyncio.run(run()))


if __name__ == "__main__":
    main()
