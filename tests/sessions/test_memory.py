from concurrent.futures import ThreadPoolExecutor

import msgspec

from turnout.core.cache import COLD, CachePlan, CacheRules, Marker
from turnout.core.catalog import Model
from turnout.core.decision import SessionView
from turnout.core.price import flat_price
from turnout.core.request import Request, Segment
from turnout.core.usage import Usage
from turnout.sessions.memory import CacheScope, SessionMemory
from turnout.sessions.returns import PRIOR

MODEL = Model(
    id="bedrock/m",
    provider="bedrock",
    model_id="m",
    name="m",
    price=flat_price("1", "5", cache_read="0.1", cache_write_5m="1.25"),
    context_window=200_000,
    cache=CacheRules(floor_tokens=1000),
)
OTHER = msgspec.structs.replace(MODEL, id="other")
REQUEST = Request(
    session_id="s",
    segments=(
        Segment(kind="system", tokens=2000, prefix_hash="head"),
        Segment(kind="message", tokens=100, prefix_hash="query"),
    ),
)
PLAN = CachePlan((Marker(0),), "fill")
SCOPE = CacheScope("bedrock/m")
WROTE = Usage(input_tokens=100, cache_write_5m_tokens=2000, output_tokens=50)
READ = Usage(input_tokens=100, cache_read_tokens=2000, output_tokens=50)
FRESH = Usage(input_tokens=2100, output_tokens=50)


def called(memory: SessionMemory, usage: Usage | None, now_ms: int = 0, request: Request = REQUEST) -> None:
    memory.called(SCOPE, MODEL, request, PLAN, usage, now_ms, opens_turn=True)


def warm(memory: SessionMemory, now_ms: int, scope: CacheScope = SCOPE) -> bool:
    return memory.cache(scope, ["head", "query"]).warm("head", now_ms) is not None


def test_sessions_start_empty_and_remember_model_and_spending() -> None:
    memory = SessionMemory()
    assert memory.session("s") == SessionView()
    memory.spent("s", 3)
    memory.served("s", "m")
    memory.spent("s", 4)
    assert memory.session("s") == SessionView(current_model="m", spent_pico=7)


def test_the_session_used_longest_ago_is_forgotten_first() -> None:
    memory = SessionMemory(max_sessions=2)
    for session in ("a", "b"):
        memory.spent(session, 1)
    memory.spent("a", 1)
    memory.spent("c", 1)
    assert [memory.session(session).spent_pico for session in "abc"] == [2, 0, 1]


def test_a_write_makes_the_prefix_warm_until_its_ttl_ends() -> None:
    memory = SessionMemory()
    called(memory, WROTE)
    assert warm(memory, 299_999)
    assert not warm(memory, 300_000)


def test_a_read_renews() -> None:
    memory = SessionMemory()
    called(memory, WROTE)
    called(memory, READ, now_ms=200_000)
    assert warm(memory, 499_999)


def test_caches_do_not_mix() -> None:
    memory = SessionMemory()
    called(memory, WROTE)
    assert not warm(memory, 0, CacheScope("bedrock/m", region="eu-west-1"))
    assert memory.cache(SCOPE, ["other"]) == COLD


def test_a_report_without_read_or_write_says_that_nothing_was_cached() -> None:
    memory = SessionMemory()
    called(memory, WROTE)
    called(memory, FRESH, now_ms=1000)
    assert not warm(memory, 1000)


def test_without_a_report_the_cache_is_believed_as_planned() -> None:
    memory = SessionMemory()
    called(memory, None)
    assert warm(memory, 0)
    assert memory.statistics(["bedrock/m"]).of("bedrock/m").calls == 0


def test_prefixes_are_bounded_and_what_was_sent_longest_ago_goes_first() -> None:
    memory = SessionMemory(max_prefixes=2)
    for now_ms, number in enumerate((0, 1, 0, 2)):
        segments = (Segment(kind="system", tokens=2000, prefix_hash=f"h{number}"), REQUEST.segments[1])
        called(memory, WROTE, now_ms=now_ms, request=Request(session_id="s", segments=segments))
    left = memory.cache(SCOPE, [f"h{number}" for number in range(3)])
    assert [entry.prefix_hash for entry in left.entries] == ["h0", "h2"]


def test_before_the_first_call_nothing_is_known() -> None:
    assert SessionMemory().statistics(["bedrock/m"]).models == {}


def test_a_model_that_was_never_called_is_expected_to_be_like_the_others() -> None:
    memory = SessionMemory()
    for _ in range(5):
        called(memory, WROTE)
    statistics = memory.statistics(["bedrock/m", "other"])
    # All models together: (5·300 + 5·50) / 10 = 175 output tokens; the called one from there: (5·175 + 5·50) / 10.
    assert statistics.of("other").output_tokens == 175
    assert statistics.of("bedrock/m").output_tokens == 112.5
    assert (statistics.of("other").calls, statistics.of("bedrock/m").calls) == (0, 5)
    # A tokenizer is a model's own.
    assert statistics.of("bedrock/m").tokenizer_ratio == 1.0
    assert statistics.of("other").tokenizer_ratio is None


def test_before_anything_was_learned_a_horizon_has_the_stated_priors() -> None:
    horizon = SessionMemory().horizon(REQUEST, ["bedrock/m", "bedrock/n"], 0)
    assert [prefix.segment for prefix in horizon.prefixes] == [0, 1]
    assert horizon.prefixes[1].returns == PRIOR
    assert horizon.next_on == {"bedrock/m": 0.5, "bedrock/n": 0.5}


def test_finished_calls_teach_the_horizon() -> None:
    memory = SessionMemory()
    grown = (*REQUEST.segments, Segment(kind="message", tokens=50, prefix_hash="answer and query"))
    called(memory, WROTE)
    before = memory.horizon(REQUEST, ["bedrock/m", "bedrock/n"], 10_000)
    for number in range(40):
        called(memory, READ, now_ms=10_000 * (number + 1), request=Request(session_id="s", segments=grown))
    after = memory.horizon(REQUEST, ["bedrock/m", "bedrock/n"], 410_000)
    assert after.prefixes[0].returns.within(15) > before.prefixes[0].returns.within(15)
    assert after.next_on["bedrock/m"] > 0.9


def test_many_threads_may_teach_and_ask() -> None:
    memory = SessionMemory(max_sent=50)

    def work(number: int) -> int:
        request = Request(
            session_id=str(number),
            segments=tuple(
                Segment(kind="message", tokens=10, prefix_hash=f"{number % 7} {index}") for index in range(number % 9)
            ),
        )
        called(memory, None, now_ms=number * 1_000, request=request)
        return len(memory.horizon(request, ["bedrock/m"], number * 1_000).prefixes)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(400)))
    assert set(found) <= {0, 1, 2}


def test_many_calls_make_statistics_that_are_worked_out_less_often() -> None:
    memory = SessionMemory()
    for count in range(1, 2_001):
        called(memory, WROTE)
        known = memory.statistics(["bedrock/m"]).of("bedrock/m").calls
        assert count - count // 256 <= known <= count
        assert known == count or count >= 256
    # What is new of a model that had few calls counts at once.
    for count in range(1, 100):
        memory.called(CacheScope("other"), OTHER, REQUEST, PLAN, FRESH, 0, opens_turn=True)
        assert memory.statistics(["bedrock/m", "other"]).of("other").calls == count


def test_the_caches_of_several_models_at_once() -> None:
    memory = SessionMemory()
    called(memory, WROTE)
    scopes = {"bedrock/m": SCOPE, "other": CacheScope("other")}
    found = memory.caches(["other", "bedrock/m"], scopes, REQUEST)
    assert found == {"bedrock/m": memory.cache(SCOPE, [segment.prefix_hash for segment in REQUEST.segments])}
