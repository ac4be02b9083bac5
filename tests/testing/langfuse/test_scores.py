from __future__ import annotations

from typing import Any

import pytest

from turnout.testing.clock import ManualClock
from turnout.testing.langfuse.errors import ApiError
from turnout.testing.langfuse.scores import take_scores
from turnout.testing.langfuse.store import Store


@pytest.fixture
def store() -> Store:
    return Store(ManualClock())


def score(**fields: Any) -> dict[str, Any]:
    return {"id": "s", "traceId": "t", "name": "quality", "value": 1, **fields}


def test_one_by_itself(store: Store) -> None:
    assert take_scores(store, score(), batches=False) == (200, {"id": "s"})
    assert store.scores[0].body["dataType"] == "NUMERIC"
    _, answer = take_scores(store, score(id=None, value="good"), batches=False)
    assert store.scores[-1].id == answer["id"]
    assert store.scores[-1].body["dataType"] == "CATEGORICAL"


def test_a_batch(store: Store) -> None:
    assert take_scores(store, [score(), score(id="r")], batches=True) == (202, {"message": "Accepted"})
    assert [one.id for one in store.scores] == ["s", "r"]


def test_what_is_no_object_in_a_batch_is_refused(store: Store) -> None:
    assert take_scores(store, ["text"], batches=True)[1]["rejected"] == 1


def test_a_batch_of_which_a_part_is_refused(store: Store) -> None:
    status, answer = take_scores(store, [score(), score(id="r", name="")], batches=True)
    assert status == 207
    assert answer == {"accepted": 1, "rejected": 1, "errors": [{"message": "a score needs a name"}]}


@pytest.mark.parametrize("body", [[], "text", [score()]])
def test_what_is_no_batch(store: Store, body: Any) -> None:
    with pytest.raises(ApiError):
        take_scores(store, body, batches=body == [])


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"traceId": None},
        {"traceId": None, "sessionId": "x", "observationId": "o"},
        {"value": None},
        {"value": True, "dataType": "BOOLEAN"},
        {"value": 2, "dataType": "BOOLEAN"},
        {"value": "x", "dataType": "NUMERIC"},
        {"value": 1, "dataType": "CATEGORICAL"},
        {"value": "", "dataType": "TEXT"},
        {"value": 1, "dataType": "COLOUR"},
        {"environment": "langfuse-x"},
        {"environment": "Live"},
    ],
)
def test_what_is_no_score(store: Store, wrong: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        take_scores(store, score(**wrong), batches=True)
    assert caught.value.status == 400
    assert store.scores == []
