from __future__ import annotations

import pytest

from tests.cli.agentcore.account import IMAGE, account
from tests.cli.conftest import Run, turnout

__all__ = ["account", "turnout"]


def test_without_a_deployment_it_says_how_to_make_one(turnout: Run) -> None:
    code, _, err = turnout("agentcore", "status")
    assert (code, "knows no deployment of any agent: run `turnout agentcore deploy`" in err) == (2, True)


@pytest.mark.usefixtures("account")
def test_an_agent_that_is_not_there(turnout: Run) -> None:
    code, out, _ = turnout("agentcore", "status", "--name", "shop")
    assert (code, "NOT DEPLOYED" in out) == (2, True)


@pytest.mark.usefixtures("account")
def test_an_image_and_its_role(turnout: Run) -> None:
    assert turnout("agentcore", "deploy", "--container", "--image", IMAGE, "--yes")[0] == 0
    code, out, _ = turnout("agentcore", "status")
    assert (code, IMAGE in out, "turnout-run-us-west-2" in out) == (0, True, True)


@pytest.mark.usefixtures("account")
def test_the_credentials_must_be_those_of_the_account(turnout: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert turnout("agentcore", "deploy", "--container", "--image", IMAGE, "--yes")[0] == 0
    monkeypatch.setenv("MOTO_ACCOUNT_ID", "999999999999")
    code, _, err = turnout("agentcore", "status")
    assert code == 2
    assert "was deployed to the account 123456789012, these credentials are for 999999999999: check --profile" in err
