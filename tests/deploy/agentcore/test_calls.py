import json
from pathlib import Path

from turnout.deploy.agentcore.calls import Call, FileBody, Hidden, as_data, shown

CALL = Call(
    service="iam",
    operation="CreateRole",
    parameters={
        "AssumeRolePolicyDocument": json.dumps({"Version": "2012-10-17"}),
        "Body": FileBody(Path("folder", "package.zip"), 45_400_000),
        "environmentVariables": {"KEY": Hidden("hush"), "OPEN": "yes"},
        "list": [Hidden("hush"), {"x": Hidden("hush")}],
    },
    why="make the role",
    waits="runtime",
)


def test_what_is_hidden_is_sent_and_not_shown() -> None:
    assert json.dumps(CALL.parameters["environmentVariables"]) == '{"KEY": "hush", "OPEN": "yes"}'
    assert "hush" not in shown(CALL)
    assert "hush" not in json.dumps(as_data(CALL))
    assert as_data(CALL)["parameters"]["environmentVariables"] == {"KEY": "***", "OPEN": "yes"}


def test_a_call_is_shown_with_policies_as_json_and_files_by_name() -> None:
    text = shown(CALL)
    assert text.startswith("iam CreateRole  (make the role)\n")
    assert '"Version": "2012-10-17"' in text
    assert "<package.zip, 45.4 MB>" in text
    assert text.endswith("then wait for: runtime")
    assert as_data(CALL)["then_wait_for"] == "runtime"
