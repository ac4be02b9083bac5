from __future__ import annotations

import httpx

from turnout.testing.langfuse import LangfuseDouble


def test_what_is_kept_of_an_exchange(double: LangfuseDouble, http: httpx.Client) -> None:
    http.post("/api/public/scores?x=1&x=2", json={"name": "n"}, headers={"Extra": "yes"})
    (kept,) = double.exchanges
    assert (kept.method, kept.path, kept.query) == ("POST", "/api/public/scores", {"x": ["1", "2"]})
    assert (kept.body, kept.status, kept.headers["extra"]) == ({"name": "n"}, 400, "yes")
    assert kept.answer == {"message": "a score needs one of traceId, sessionId, datasetRunId"}
    double.exchanges.clear()  # the parameter is none that Langfuse has


def test_only_the_last_ones_are_kept() -> None:
    with LangfuseDouble(exchanges_kept=2) as double:
        for number in range(3):
            httpx.get(f"{double.url}/api/public/health?n={number}")
        assert [one.query["n"] for one in double.exchanges] == [["1"], ["2"]]
