"""Strands models for catalog ids: on Amazon Bedrock, on an OpenAI-compatible server, or in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from turnout.config import PAIR_4, PAIR_5_5, Pair
from turnout.core.catalog import Catalog, Model, unknown
from turnout.core.policy import Policy

if TYPE_CHECKING:
    import boto3
    from strands.models import Model as StrandsModel

THINKING_TOKENS = 2048
"""Room for thinking on top of an answer's limit, for models that think first: they count it against ``max_tokens``."""

NO_KEY = "none"
"""What an OpenAI-compatible server without keys is sent: the client insists on some text."""


PAIRS = {"4.5": PAIR_4, "5.5": PAIR_5_5}
"""The pairs that the demonstration compares, by the generation of their cheap model."""


def policy_of(pair: Pair) -> Policy:
    """The policy of a pair: our defaults, with cache points placed where a request has none."""
    return Policy(candidates=pair.candidates, markers="fill")


def most_capable(policy: Policy) -> str:
    """The catalog id of the candidate with the highest rank."""
    return max(policy.candidates, key=lambda candidate: candidate.rank).model


class Models:
    """Builds Strands models; one HTTP client each, so build once, use often, and close at the end.

    The retries of boto3 are off: Strands and Turnout retry and fail over, and retries on several levels multiply.

    Args:
        catalog: Knows the models: who serves them, what they reject, whether they think first.
        endpoint_url: Where Bedrock is; by default the AWS configuration's choice.
        boto_session: Credentials and region for Bedrock; by default the AWS configuration's.
        region: The region, where no session is given.
        openai_base_url: Where the OpenAI-compatible server is, for the provider ``openai``.
        openai_api_key: Its key, where it wants one.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        endpoint_url: str | None = None,
        boto_session: boto3.Session | None = None,
        region: str | None = None,
        openai_base_url: str | None = None,
        openai_api_key: str | None = None,
    ) -> None:
        self.catalog = catalog
        self._endpoint_url = endpoint_url
        self._boto_session = boto_session
        self._region = None if boto_session else region
        self._openai_base_url = openai_base_url
        self._openai_api_key = openai_api_key
        self._bedrock_clients: list[Any] = []

    def close(self) -> None:
        """Close the connections to Bedrock; the models cannot be used after it."""
        for client in self._bedrock_clients:
            client.close()
        self._bedrock_clients.clear()

    def __call__(
        self, model_id: str, *, max_tokens: int | None = None, temperature: float | None = None
    ) -> StrandsModel:
        """A Strands model for a catalog id.

        Args:
            model_id: The catalog id.
            max_tokens: The longest answer in tokens; models that think first get room for that on top.
            temperature: Left out where the model rejects it.

        Raises:
            UnknownModelError: The catalog does not have that id.
            ValueError: Its provider has no Strands model here.
        """
        model = self.catalog[model_id]
        settings = _settings(model, max_tokens, temperature)
        builders = {"bedrock": self._bedrock, "openai": self._openai, "local": self._local}
        if model.provider not in builders:
            raise ValueError(unknown("provider", model.provider, builders))
        return builders[model.provider](model, settings)

    def _bedrock(self, model: Model, settings: dict[str, Any]) -> StrandsModel:
        from botocore.config import Config
        from strands.models import BedrockModel

        built = BedrockModel(
            model_id=model.model_id,
            endpoint_url=self._endpoint_url,
            boto_session=self._boto_session,
            region_name=self._region,
            boto_client_config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=120),
            **settings,
        )
        self._bedrock_clients.append(built.client)
        return built

    def _openai(self, model: Model, settings: dict[str, Any]) -> StrandsModel:
        from strands.models.openai import OpenAIModel

        client = {"base_url": self._openai_base_url, "api_key": self._openai_api_key or NO_KEY, "max_retries": 0}
        return OpenAIModel(
            client_args={name: value for name, value in client.items() if value is not None},
            model_id=model.model_id,
            params=settings,
        )

    def _local(self, model: Model, settings: dict[str, Any]) -> StrandsModel:
        from turnout.upstream.local.strands_model import DEFAULT_MAX_TOKENS, LocalModel

        max_tokens = min(settings.get("max_tokens", DEFAULT_MAX_TOKENS), DEFAULT_MAX_TOKENS)
        return LocalModel(model_id=model.model_id, max_tokens=max_tokens)


def _settings(model: Model, max_tokens: int | None, temperature: float | None) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if max_tokens is not None:
        room = THINKING_TOKENS if model.capabilities.thinks_first else 0
        most = model.max_output_tokens or max_tokens + room
        settings["max_tokens"] = min(max_tokens + room, most)
    if temperature is not None and "temperature" not in model.rejected_parameters:
        settings["temperature"] = temperature
    return settings
