from __future__ import annotations

import json

from tests.cli.conftest import Run
from turnout.config.json_schema import json_schema


def test_it_prints_the_schema(turnout: Run) -> None:
    code, out, _ = turnout("schema")
    assert code == 0
    assert json.loads(out) == json_schema()
