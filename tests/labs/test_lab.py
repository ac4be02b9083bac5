from __future__ import annotations

import pytest

from examples.customer_support.build import build
from examples.customer_support.tools import NoTools
from labs.lab import SIMULATED, Lab, LabStoppedError, start
from turnout.testing.bedrock import BedrockDouble, access_denied


@pytest.fixture
def bedrock(monkeypatch: pytest.MonkeyPatch) -> BedrockDouble:
    """The double in place of Bedrock, for boto3's own configuration."""
    double = BedrockDouble()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return double


def test_without_live_the_models_are_simulated_and_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    lab = start("03", {})
    try:
        assert capsys.readouterr().out.startswith(SIMULATED)
        assert (lab.live, lab.backend.simulated) == (False, True)
        assert lab.title("a plot") == "SIMULATED MODELS: a plot"
        assert lab.classifier_model().model_id.startswith("local/")
    finally:
        lab.close()


def test_close_removes_what_was_kept_and_may_be_called_twice() -> None:
    lab = start("03", {"LIVE": "0"})
    assert (lab.folder / "ledger.db").exists()
    lab.close()
    lab.close()
    assert not lab.folder.exists()


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"LIVE": "please"}, "LIVE='please' is not understood"),
        ({"LIVE": "1"}, "boto3 finds no AWS credentials"),
    ],
)
def test_what_keeps_it_from_going_live_is_told(environ: dict[str, str], message: str) -> None:
    with pytest.raises(LabStoppedError, match=message):
        start("03", environ)


def test_a_region_is_needed(bedrock: BedrockDouble) -> None:
    with pytest.raises(LabStoppedError, match="needs a region: set AWS_REGION"):
        start("03", {"LIVE": "1"})


def test_a_message_takes_the_place_of_a_traceback() -> None:
    assert LabStoppedError("sign in")._render_traceback_() == ["The lab stops here: sign in"]


def test_what_bedrock_refuses_is_told_in_one_line(bedrock: BedrockDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    with bedrock:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", bedrock.url)
        bedrock.faults.add(access_denied(), times=None)
        lab = start("03", {"LIVE": "1", "AWS_REGION": "us-east-1"})
        try:
            agent = build(3, lab.backend.models, lab.backend.policy, tools=NoTools(), recorder=lab.recorder)
            with pytest.raises(LabStoppedError, match=r"Bedrock does not answer \(AccessDeniedException\); check the"):
                lab.ask(agent.new_conversation(), "Hello", name="hello")
        finally:
            lab.close()


def test_an_error_of_the_lab_itself_is_not_hidden() -> None:
    lab = Lab("03", live=False, region=None)
    try:
        with pytest.raises(ZeroDivisionError), lab.calls():
            _ = 1 / 0
    finally:
        lab.close()


def test_live_runs_begin_differently_each_time(bedrock: BedrockDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    beginnings = []
    for _ in range(2):
        lab = start("03", {"LIVE": "1", "AWS_REGION": "us-east-1"})
        try:
            agent = build(3, lab.backend.models, lab.backend.policy, tools=NoTools(), recorder=lab.recorder)
            prompt = lab.cold(agent.new_conversation(), "lab-v3").system_prompt_content
            assert prompt is not None
            beginnings.append(prompt[0]["text"])
        finally:
            lab.close()
    assert beginnings[0] != beginnings[1]
    assert all(beginning.startswith("(Run lab-v3 ") for beginning in beginnings)
