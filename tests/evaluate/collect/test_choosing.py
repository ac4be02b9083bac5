from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.evaluate.collect.support import ALL, lines
from tests.trace import samples
from turnout.evaluate.collect.choosing import Sample, sample_of
from turnout.evaluate.collect.requests import Request
from turnout.evaluate.collect.sampling import Sampling, strata_of
from turnout.trace.store.ledger import Ledger

CHEAP = samples.CHEAP.id


def sampled(tmp_path: Path, rows: list[dict[str, Any]], sampling: Sampling = ALL, **more: Any) -> Sample:
    return sample_of(lines(tmp_path / "asked.jsonl", rows), sampling, cheap=CHEAP, **more)


def test_each_reason_to_leave_out_is_counted(tmp_path: Path) -> None:
    loop = [{"role": "user", "content": [{"toolResult": {"toolUseId": "1", "content": []}}]}]
    sample = sampled(
        tmp_path,
        [
            {"id": "1", "prompt": "never served"},
            {"id": "2", "prompt": "served", "model": CHEAP, "answer": "a"},
            {"id": "2", "prompt": "again", "model": CHEAP},
            {"id": "3", "prompt": "x", "model": "elsewhere"},
            {"id": "4", "prompt": "x", "answer": "whose?"},
            {"id": "5", "prompt": "x", "incomplete": "image"},
            {"id": "6", "conversation": loop},
            {"id": "7", "prompt": "lacks"},
        ],
        lacks=lambda request: "lacks something" if request.prompt == "lacks" else None,
    )
    assert (sample.read, sample.population, sample.answers) == (8, 2, 1)
    assert [request.id for request in sorted(sample.requests, key=lambda one: one.id)] == ["1", "2"]
    assert sample.left_out == {
        "the same id again": 1,
        "served by elsewhere": 1,
        "an answer of nobody knows which model: neither 'model' nor an id that the ledger has": 1,
        "its text is not whole: image": 1,
        "in the middle of a tool loop, where the model stays": 1,
        "lacks something": 1,
    }


def test_the_ledger_says_who_served(tmp_path: Path) -> None:
    events = [
        samples.call(event_id="c-1", turn_id="t-1", simulated=False),
        samples.call(samples.CAPABLE, event_id="c-2", turn_id="t-2", simulated=False),
        samples.call(event_id="c-3", turn_id="t-3", simulated=True),
        samples.call(event_id="c-4", turn_id="t-4", query_id="q", simulated=False),
        samples.call(event_id="c-5", turn_id="t-5", query_id="q", simulated=False),
    ]
    rows = [{"id": name, "prompt": f"ask {name}", "answer": "a"} for name in ("c-1", "t-2", "t-3", "q")]
    with Ledger(tmp_path / "l.sqlite3") as ledger:
        ledger.append(events)
        sample = sampled(tmp_path, rows, ledger=ledger)
    [request] = sample.requests
    assert (request.id, request.model, sample.in_ledger) == ("c-1", CHEAP, 1)
    assert sample.left_out == {
        f"served by {samples.CAPABLE.id}": 1,
        "served by a simulated model": 1,
        "an id of several turns, or of several models' answers": 1,
    }


def test_another_spelling_of_a_model(tmp_path: Path) -> None:
    sample = sampled(tmp_path, [{"prompt": "x", "model": "short"}], resolve=lambda name: {"short": CHEAP}[name])
    assert sample.requests[0].model == CHEAP


def test_strata(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": f"r{n}", "prompt": "x", "p": (n % 10) / 10} for n in range(1_000)]
    rows += [{"id": f"w{n}", "prompt": "x"} for n in range(100)]
    sampling = Sampling(share=1.0, strata=strata_of("0.5=0.1,1=0.5"))
    sample = sampled(tmp_path, rows, sampling)
    assert {name: whole for name, (whole, _) in sample.strata.items()} == {
        "p from 0 to 0.5": 600,
        "p above 0.5 to 1": 400,
        "without p": 100,
    }
    assert sum(taken for _, taken in sample.strata.values()) == len(sample.requests)
    assert sample.strata["without p"][1] == 100
    orders = [sampling.order(request.id, request.p) for request in sample.requests]
    assert orders == sorted(orders)


def test_nothing_is_lacked_without_a_judge(tmp_path: Path) -> None:
    assert sampled(tmp_path, [{"prompt": "x"}]).requests[0] == Request(
        id=sampled(tmp_path, [{"prompt": "x"}]).requests[0].id, prompt="x"
    )
