from pathlib import Path

import pytest

from benchmarks.gateway.bodies import ANSWER, chat
from benchmarks.gateway.inside import Client, Inside
from benchmarks.gateway.least import STEPS, Least
from benchmarks.gateway.servers import PATH


@pytest.mark.parametrize("step", range(len(STEPS)))
def test_each_step_answers_and_writes_what_it_says(step: int, tmp_path: Path) -> None:
    app = Least("http://127.0.0.1:9", step, tmp_path / "ledger.sqlite3")
    app._client = Client(ANSWER)  # type: ignore[assignment]  # the network is not measured here
    with app.recorder.ledger as ledger, app.recorder:
        Inside(app, app.recorder, PATH, "a key").run([chat(0), chat(1, tools=2)], 6)
        assert len(ledger.decisions()) == len(ledger.calls()) == (6 if step >= 1 else 0)
