"""From settings to a classifier: the one place that knows every strategy by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from turnout.classify.cascade import Cascade, Stage
from turnout.classify.embedding import EmbeddingClassifier
from turnout.classify.keyword import KeywordClassifier, load_rules
from turnout.classify.learned.classifier import LearnedClassifier
from turnout.classify.llm import LLMClassifier, settings_for
from turnout.classify.llm_local import LocalClassifierModel
from turnout.classify.model import ClassifierModel
from turnout.classify.protocol import Classifier
from turnout.config.errors import ConfigError
from turnout.core.catalog import Catalog

if TYPE_CHECKING:
    from turnout.config import Settings

KINDS = ("keyword", "embedding", "learned", "llm", "cascade")
"""The strategies that settings can name, the cheapest first."""

_OWN_TIME_SHARE = 0.9
"""An LLM classifier gives up a little before the router does, so that its call is still charged."""


def configured_classifier(
    settings: Settings,
    catalog: Catalog,
    *,
    kind: str | None = None,
    model_for: Callable[[str], ClassifierModel] | None = None,
) -> Classifier | None:
    """The classifier that settings name, or another kind with the same options; none for the kind ``none``.

    Args:
        settings: The settings.
        catalog: Knows the LLM classifier's model.
        kind: One of `KINDS` or ``none``, instead of the settings' kind.
        model_for: Gives the model behind the LLM classifier for a catalog id; default: `model_behind`.

    Raises:
        ConfigError: An unknown kind, or a provider that no classifier can be built on.
        LabelledSetError: The examples cannot be read.
        ArtefactError: The learned classifier's folder holds no artefact.
        KeywordRulesError: The rules cannot be read.
        UnknownModelError: The catalog lacks the LLM classifier's model.
    """
    options = settings.classifier
    share = settings.rules.simple_share

    def one(name: str) -> Classifier:
        match name:
            case "keyword":
                return KeywordClassifier(load_rules(options.rules), simple_share=share)
            case "embedding":
                return EmbeddingClassifier(options.examples, simple_share=share)
            case "learned":
                return LearnedClassifier(options.artefact, simple_share=share)
            case "llm":
                entry = catalog[options.model]
                model = (model_for or (lambda model_id: model_behind(model_id, catalog, settings.region)))(entry.id)
                return LLMClassifier(
                    model,
                    settings=settings_for(entry),
                    simple_share=share,
                    timeout_s=options.timeout_seconds * _OWN_TIME_SHARE,
                )
            case _:
                raise ConfigError(f"unknown classifier {name!r}; there are {', '.join(KINDS)} and none")

    wanted = kind or options.kind
    if wanted == "none":
        return None
    if wanted == "cascade":
        low, high = options.doubt
        return Cascade([Stage(one("embedding"), low, high), Stage(one("llm"), low, high)])
    return one(wanted)


def model_behind(model_id: str, catalog: Catalog, region: str | None = None) -> ClassifierModel:
    """The model of that catalog id, as an LLM classifier asks it: on Bedrock, or in this process.

    Raises:
        UnknownModelError: The catalog lacks it.
        ConfigError: Its provider needs more than an id to be called: build its classifier in code.
    """
    entry = catalog[model_id]
    match entry.provider:
        case "local":
            return LocalClassifierModel(model_id=entry.id)
        case "bedrock":
            from botocore.config import Config
            from strands.models import BedrockModel

            from turnout.classify.llm_strands import StrandsClassifierModel

            once = Config(retries={"total_max_attempts": 1})
            bedrock = BedrockModel(model_id=entry.model_id, region_name=region, boto_client_config=once)
            return StrandsClassifierModel(bedrock, model_id=entry.id)
        case provider:
            raise ConfigError(f"no classifier can be built from settings on {provider} models, such as {model_id}")
