"""Costs of calls come onto the bill of the request that they were made for."""

from __future__ import annotations

import asyncio

from turnout.doors.gateway.relaying.bill import BILL, Bill, BillingRecords
from turnout.trace.records import ListRecorder


async def test_requests_side_by_side_have_bills_of_their_own() -> None:
    from turnout.config import load_catalog
    from turnout.core.policy import Candidate, Policy
    from turnout.core.usage import Usage
    from turnout.messages.conversation import conversation_of
    from turnout.messages.prefix import PrefixHasher
    from turnout.messages.request import request_of
    from turnout.router import Router

    kept = ListRecorder()
    router = Router(
        Policy(candidates=(Candidate("openai/gpt-5", 0),)), load_catalog(), records=BillingRecords(kept), simulated=True
    )

    async def serve(tokens: int) -> int:
        bill = Bill()
        BILL.set(bill)
        conversation = conversation_of("hi")
        for _ in range(2):
            request = request_of(conversation, PrefixHasher(), session_id="s")
            routed = await router.route(conversation, request, router.begin_turn("s"))
            call = router.begin_call(routed)
            await asyncio.sleep(0.001)
            call.usage(Usage(input_tokens=tokens))
            call.end()
        return bill.pico

    found = await asyncio.gather(*(asyncio.create_task(serve(tokens)) for tokens in (10, 1000)))
    assert found == [2 * 10 * 1_250_000, 2 * 1000 * 1_250_000]
    assert sum(found) == sum(call.cost.total_pico for call in kept.calls)
    assert BILL.get() is None
