"""The page of the gateway's clients, from what the matrix wrote."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.gateway_matrix import matrix_page


def test_cells_notes_and_versions(tmp_path: Path) -> None:
    client = {"name": "one", "shown": "`One()`", "package": "one", "version": "1.2", "door": "/v1/one"}
    about = {"client": "one", "door": "/v1/one"}
    cells = [
        {**about, "upstream": "openai", "case": "plain", "result": "yes", "by": "Chat Completions", "note": ""},
        {**about, "upstream": "openai", "case": "stream", "result": "yes", "by": "Chat Completions", "note": "Slow."},
        {**about, "upstream": "bedrock", "case": "plain", "result": "no", "by": "", "note": "No way."},
        {**about, "upstream": "bedrock", "case": "stream", "result": "no", "by": "", "note": "No way."},
    ]
    file = tmp_path / "matrix.json"
    file.write_text(json.dumps({"clients": [client], "cells": cells}), encoding="utf-8")
    page = matrix_page(file)
    assert "\n2 of 4 cells work" in page
    assert page.endswith(
        """
## `/v1/one`

| client | provider | asked by | plain | stream |
|---|---|---|---|---|
| `One()` | OpenAI | Chat Completions | yes | yes (1) |
| `One()` | Bedrock | - | no (2) | no (2) |

## Notes

1. Slow.
2. No way.

## Versions

one 1.2.
"""
    )
