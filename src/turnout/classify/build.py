"""Builds the classifier that the settings name; the one place that knows all kinds.

Importing it imports no model library: each kind loads what it needs at its first verdict.
"""

from __future__ import annotations

from collections.abc import Callable

from turnout.classify.cascade import Cascade, Stage
from turnout.classify.embedding import EmbeddingClassifier
from turnout.classify.keyword import KeywordClassifier, load_rules
from turnout.classify.llm import CallSettings, LLMClassifier
from turnout.classify.model import ClassifierModel
from turnout.classify.protocol import Classifier
from turnout.config.settings import ClassifierSettings

# The LLM classifier gives up before the router does, so that its abandoned call is still charged.
_SHARE_OF_TIMEOUT = 0.8


def build_classifier(
    settings: ClassifierSettings,
    *,
    simple_share: float,
    llm: Callable[[], ClassifierModel],
    llm_settings: CallSettings | None = None,
) -> Classifier | None:
    """The configured classifier, or none for kind ``none``.

    A cascade asks the embedding classifier, and the LLM in the zone of doubt.

    Args:
        settings: Kind and options.
        simple_share: The share of simple queries that is expected, as in the policy.
        llm: Makes the LLM classifier's model; called only for the kinds that need it.
        llm_settings: Parameters of its calls; for a catalog model take `turnout.classify.llm.settings_for`.

    Raises:
        KeywordRulesError: The file of rules cannot be used.
        LabelledSetError: The file of examples cannot be used.
    """

    def embedding() -> Classifier:
        return EmbeddingClassifier(settings.examples, simple_share=simple_share)

    def asking() -> Classifier:
        timeout_s = settings.timeout_seconds * _SHARE_OF_TIMEOUT
        return LLMClassifier(llm(), settings=llm_settings, simple_share=simple_share, timeout_s=timeout_s)

    match settings.kind:
        case "none":
            return None
        case "keyword":
            return KeywordClassifier(load_rules(settings.rules), simple_share=simple_share)
        case "embedding":
            return embedding()
        case "llm":
            return asking()
        case "cascade":
            low, high = settings.doubt
            return Cascade([Stage(embedding(), low, high), Stage(asking())])
