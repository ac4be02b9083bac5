from __future__ import annotations

import io
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from scripts import e2e_aws
from scripts.e2e_aws import Asked, check, comparison, hosting_usd, main, missing_credentials


class Scripted:
    """An account in which everything happens as written."""

    def __init__(self, *, fails: str = "") -> None:
        self.done: list[str] = []
        self._fails = fails

    def _do(self, what: str) -> None:
        self.done.append(what)
        if what == self._fails:
            raise RuntimeError(f"{what} failed")

    def deploy(self, version: str) -> None:
        self._do(f"deploy {version}")

    def ask(self, version: str, prompt: str) -> Mapping[str, Any]:
        self._do(f"ask {version}")
        return {"model_used": "bedrock/m", "cost_usd": "0.002" if version == "v3" else "0.001", "complexity": None}

    def destroy(self, version: str) -> None:
        self._do(f"destroy {version}")


def run(cloud: Scripted) -> tuple[int, str]:
    out = io.StringIO()
    code = check(cloud, Console(file=out, width=200))
    return code, out.getvalue()


def test_without_credentials_it_is_skipped_loudly(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no AWS" in missing_credentials()
    assert main() == 0
    out = capsys.readouterr().out
    assert "*** SKIPPED: nothing was deployed and nothing was tested: no AWS" in out


def test_both_versions_are_asked_the_five_prompts_and_removed() -> None:
    cloud = Scripted()
    code, out = run(cloud)
    asks = ["ask v3"] * 5 + ["ask v4"] * 5
    assert cloud.done == ["deploy v3", "deploy v4", *asks, "destroy v3", "destroy v4"]
    assert code == 0
    # 5 x 0.002 and 5 x 0.001
    assert "cost: v3 0.010000 USD -> v4 0.005000 USD (-50.0 %)" in out
    assert "this run cost 0.015000 USD for models" in out


@pytest.mark.parametrize("fails", ["deploy v4", "ask v3", "ask v4"])
def test_what_was_deployed_is_removed_after_a_failure(fails: str) -> None:
    cloud = Scripted(fails=fails)
    with pytest.raises(RuntimeError, match=fails):
        run(cloud)
    assert cloud.done[-2:] == ["destroy v3", "destroy v4"]


def test_what_could_not_be_removed_is_told() -> None:
    code, out = run(Scripted(fails="destroy v3"))
    assert code == 1
    assert "*** still deployed: v3; remove it by hand ***" in out


def test_the_bound_on_hosting_by_hand() -> None:
    # One hour and no idle time to speak of: 2 x 0.0895 + 8 x 0.00945 = 0.2546 USD for a session.
    assert hosting_usd(3600 - e2e_aws.IDLE_S, sessions=2) == Decimal("0.5092")


def test_nothing_asked_is_no_change() -> None:
    assert comparison([])[0] == "cost: v3 0.000000 USD -> v4 0.000000 USD"
    one = Asked(version="v4", title="t", seconds=1.5, model="m", cost_usd=Decimal("0.1"))
    assert comparison([one])[1] == "mean time: v3 0.000000 s -> v4 1.500000 s"
