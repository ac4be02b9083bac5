from benchmarks.bench_failover import FAULTS, first_content_ms, measure, routed
from turnout.config import PAIR_4
from turnout.testing.bedrock import BedrockDouble


async def test_every_figure_is_of_a_failover() -> None:
    with BedrockDouble() as double:
        model = routed(double)
        assert await first_content_ms(model) > 0
        assert [call.model for call in double.calls] == [PAIR_4.cheap.removeprefix("bedrock/")]
        for name, fault in FAULTS.items():
            double.calls.clear()
            (figure,) = await measure(double, model, fault, 1)
            assert figure > 0, name
            called = [f"bedrock/{call.model}" for call in double.calls]
            assert called[-1] == PAIR_4.capable
            assert set(called[:-1]) == (set() if fault is None else {PAIR_4.cheap})
        for candidate in model.candidates.values():
            candidate.client.close()  # type: ignore[attr-defined]  # both are models of Bedrock
