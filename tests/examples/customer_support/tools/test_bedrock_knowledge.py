from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from examples.customer_support.tools.bedrock_knowledge import BedrockKnowledge
from examples.customer_support.tools.knowledge import Hit, RetrievalError

SENT = {
    "knowledgeBaseId": "KB12345678",
    "retrievalQuery": {"text": "printer offline"},
    "retrievalConfiguration": {"vectorSearchConfiguration": {"numberOfResults": 2}},
}


def client(**options: Any) -> Any:
    session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="y", region_name="us-east-1")
    return session.client("bedrock-agent-runtime", config=Config(retries={"total_max_attempts": 1}), **options)


def test_passages_come_as_bedrock_ranks_them() -> None:
    reply = {
        "retrievalResults": [
            {
                "content": {"text": "Restart the spooler."},
                "location": {"type": "S3", "s3Location": {"uri": "s3://articles/printer.md"}},
                "score": 0.71,
                "metadata": {"title": "A printer is offline"},
            },
            {
                "content": {"text": "Add it again."},
                "location": {"type": "S3", "s3Location": {"uri": "s3://articles/add.md"}},
                "score": 0.4,
            },
            {"content": {"text": "Untitled."}},
        ]
    }
    runtime = client()
    with Stubber(runtime) as stub:
        stub.add_response("retrieve", reply, SENT)
        hits = BedrockKnowledge("KB12345678", client=runtime).search("printer offline", 2)
    assert hits == [
        Hit("A printer is offline", "Restart the spooler.", 0.71, "s3://articles/printer.md"),
        Hit("add.md", "Add it again.", 0.4, "s3://articles/add.md"),
        Hit("Support article", "Untitled.", 0.0, ""),
    ]


def test_a_refusal_is_told_by_its_code() -> None:
    runtime = client()
    with Stubber(runtime) as stub:
        stub.add_client_error("retrieve", "AccessDeniedException", "account 123456789012 may not")
        with pytest.raises(RetrievalError, match=r"^AccessDeniedException$"):
            BedrockKnowledge("KB12345678", client=runtime).search("printer offline", 2)


def test_a_knowledge_base_that_cannot_be_reached_is_an_error_of_ours() -> None:
    runtime = client(endpoint_url="http://127.0.0.1:9")
    with pytest.raises(RetrievalError, match="EndpointConnectionError"):
        BedrockKnowledge("KB12345678", client=runtime).search("printer offline", 2)


def test_its_own_client_goes_where_the_aws_configuration_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME", "http://127.0.0.1:9")
    knowledge = BedrockKnowledge("KB12345678", region="eu-west-1")
    assert knowledge._client.meta.endpoint_url == "http://127.0.0.1:9"
    assert knowledge._client.meta.region_name == "eu-west-1"
