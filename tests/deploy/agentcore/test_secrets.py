import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from tests.deploy.agentcore.support import SECRET_ARN
from turnout.deploy.agentcore.secrets import SecretError, load_secrets


class Manager:
    """Clients of Secrets Manager with scripted answers, by region."""

    def __init__(self) -> None:
        self.regions: list[str] = []
        self.client = boto3.client(
            "secretsmanager", region_name="us-west-2", aws_access_key_id="x", aws_secret_access_key="x"
        )
        self.stubber = Stubber(self.client)
        self.stubber.activate()

    def __call__(self, region: str) -> Any:
        self.regions.append(region)
        return self.client

    def answer(self, **response: Any) -> None:
        self.stubber.add_response("get_secret_value", response, {"SecretId": SECRET_ARN})


@pytest.fixture
def manager() -> Manager:
    return Manager()


def environ(**references: str) -> dict[str, str]:
    return {"AGENTCORE_SECRETS": json.dumps(references)}


def test_secrets_become_variables_each_secret_read_once(manager: Manager) -> None:
    manager.answer(SecretString='{"public": "pk", "number": 5}')
    variables = environ(PUBLIC=f"{SECRET_ARN}#public", NUMBER=f"{SECRET_ARN}#number", WHOLE=SECRET_ARN)
    assert load_secrets(variables, client=manager) == ("PUBLIC", "NUMBER", "WHOLE")
    assert variables["PUBLIC"] == "pk"
    assert variables["NUMBER"] == "5"
    assert variables["WHOLE"] == '{"public": "pk", "number": 5}'
    assert manager.regions == ["us-west-2"]


def test_a_variable_that_is_set_wins_and_nothing_is_read(manager: Manager) -> None:
    variables = {**environ(A=SECRET_ARN), "A": "mine"}
    assert load_secrets(variables, client=manager) == ()
    assert variables["A"] == "mine"
    assert load_secrets({}, client=manager) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [("[1]", "must be a JSON object"), ("{", "must be a JSON object"), ('{"A": 1}', "must be a JSON")],
)
def test_references_that_cannot_be_used(manager: Manager, text: str, message: str) -> None:
    with pytest.raises(SecretError, match=message):
        load_secrets({"AGENTCORE_SECRETS": text}, client=manager)


@pytest.mark.parametrize("secret", ["the-value", '["the-value"]', '{"other": "the-value"}'])
def test_a_secret_without_the_key_is_told_without_its_value(manager: Manager, secret: str) -> None:
    manager.answer(SecretString=secret)
    with pytest.raises(SecretError, match="the secret for A is no JSON object with the key 'key'") as caught:
        load_secrets(environ(A=f"{SECRET_ARN}#key"), client=manager)
    assert "the-value" not in str(caught.value)


def test_a_binary_secret_is_refused(manager: Manager) -> None:
    manager.answer(SecretBinary=b"x")
    with pytest.raises(SecretError, match="the secret for A is binary"):
        load_secrets(environ(A=SECRET_ARN), client=manager)


def test_what_is_no_arn_is_refused(manager: Manager) -> None:
    with pytest.raises(SecretError, match="is not named by an ARN"):
        load_secrets(environ(A="secret"), client=manager)


def test_a_secret_that_may_not_be_read_is_told(manager: Manager) -> None:
    manager.stubber.add_client_error("get_secret_value", "AccessDeniedException", "no", 400)
    with pytest.raises(SecretError, match="the secret for A cannot be read: access denied"):
        load_secrets(environ(A=SECRET_ARN), client=manager)
