"""From settings to a classifier: the one place that knows every strategy by its name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from turnout.classify.calibrated import CalibratedClassifier
from turnout.classify.cascade import Cascade, Stage
from turnout.classify.embedding import EmbeddingClassifier
from turnout.classify.identity import difference, identity_of
from turnout.classify.keyword import KeywordClassifier, load_rules
from turnout.classify.learned.artefact import read_manifest
from turnout.classify.learned.classifier import LearnedClassifier
from turnout.classify.likeness import Likeness
from turnout.classify.llm import LLMClassifier, settings_for
from turnout.classify.llm_local import LocalClassifierModel
from turnout.classify.model import ClassifierModel
from turnout.classify.protocol import Classifier
from turnout.config.calibration import AGAIN, CalibrationFile
from turnout.config.errors import ConfigError
from turnout.core.catalog import Catalog, UnknownModelError
from turnout.messages.conversation import conversation_of

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

    Under a calibration the one that settings name must be the one that it was found for, and its verdicts then say how
    unlike a request is those of the calibration. Another kind that is asked for knows nothing of a calibration.

    Args:
        settings: The settings.
        catalog: Knows the LLM classifier's model.
        kind: One of `KINDS` or ``none``, instead of the settings' kind.
        model_for: Gives the model behind the LLM classifier for a catalog id; default: `model_behind`.

    Raises:
        ConfigError: An unknown kind, a provider that no classifier can be built on, or a calibration that was found
            for another classifier.
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
                return LearnedClassifier(options.artefact, simple_share=share, names=_names(settings, options.artefact))
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

    def built(name: str) -> Classifier:
        if name == "cascade":
            low, high = options.doubt
            return Cascade([Stage(one("embedding"), low, high), Stage(one("llm"), low, high)])
        return one(name)

    wanted = kind or options.kind
    if kind is None and settings.calibration is not None:
        return _calibrated(settings, settings.calibration, built)
    return None if wanted == "none" else built(wanted)


def _names(settings: Settings, artefact: Path | None) -> dict[str, str]:
    """The catalog's ids of an artefact's candidates: as the calibration has them, else those that the catalog knows."""
    if settings.calibration is not None and settings.calibration.verdict_names:
        return dict(zip(settings.calibration.verdict_names, settings.calibration.candidates, strict=True))
    found: dict[str, str] = {}
    if artefact is None:  # the packaged default knows labels alone
        return found
    for name in read_manifest(artefact).candidates:
        with suppress(UnknownModelError, ConfigError):
            found[name] = settings.resolve(name)
    return found


def _calibrated(settings: Settings, calibration: CalibrationFile, built: Callable[[str], Classifier]) -> Classifier:
    kind = settings.classifier.kind
    now = {"kind": "none"} if kind == "none" else identity_of(settings)
    changed = difference(calibration.classifier, now)
    if changed is not None:
        raise ConfigError(f"{settings.calibration_file}: {changed}: {AGAIN}")
    classifier = built(kind)
    if calibration.references is None:
        return classifier
    likeness = Likeness(calibration.references)
    # What is missing is told at start-up, not by a request that nobody can judge.
    likeness.unlikeness(conversation_of("Is everything there?"))
    return CalibratedClassifier(classifier, likeness)


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
