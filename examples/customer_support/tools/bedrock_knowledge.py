"""Technical support from an Amazon Bedrock Knowledge Base, for a shop that keeps its articles there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from examples.customer_support.tools.knowledge import Hit, RetrievalError

if TYPE_CHECKING:
    from collections.abc import Mapping


class BedrockKnowledge:
    """Searches a Bedrock Knowledge Base by ``bedrock-agent-runtime``'s Retrieve.

    Args:
        knowledge_base_id: Which one.
        client: A boto3 client for ``bedrock-agent-runtime``; by default one with the usual AWS configuration, whose
            address ``AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME`` overrides.
        region: AWS region; by default the AWS configuration's.
    """

    def __init__(self, knowledge_base_id: str, *, client: Any = None, region: str | None = None) -> None:
        self._id = knowledge_base_id
        if client is None:
            import boto3
            from botocore.config import Config

            config = Config(retries={"total_max_attempts": 2}, connect_timeout=3, read_timeout=10)
            session = boto3.Session()
            # boto3 does not read AWS_REGION, which AWS's own runtimes and Strands go by.
            region = region or session.region_name or os.environ.get("AWS_REGION")
            client = session.client("bedrock-agent-runtime", region_name=region, config=config)
        self._client = client

    def search(self, issue: str, top_k: int = 3) -> list[Hit]:
        """The passages as Bedrock ranks them; the scores are the knowledge base's own.

        Raises:
            RetrievalError: Bedrock refused or could not be reached.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            reply = self._client.retrieve(
                knowledgeBaseId=self._id,
                retrievalQuery={"text": issue},
                retrievalConfiguration={"vectorSearchConfiguration": {"numberOfResults": top_k}},
            )
        except ClientError as error:
            raise RetrievalError(error.response["Error"]["Code"]) from error
        except BotoCoreError as error:
            raise RetrievalError(type(error).__name__) from error
        return [_hit(result) for result in reply["retrievalResults"]]


def _hit(result: Mapping[str, Any]) -> Hit:
    location = result.get("location", {})
    uri = location.get("s3Location", {}).get("uri") or location.get("webLocation", {}).get("url") or ""
    title = str(result.get("metadata", {}).get("title") or uri.rsplit("/", 1)[-1] or "Support article")
    return Hit(title, result["content"].get("text", ""), float(result.get("score", 0.0)), article=uri)
