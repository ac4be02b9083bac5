"""From what people and requests call a model to its id in the catalog.

Bedrock knows one model by many names: its bare id, that id behind an inference profile (``global.``, ``us.``, ...), and
ARNs of both. The inference profile decides the price and where data may go, so a name without one is never given one in
silence: it is refused unless a default profile was set.

Known limitations: ARNs of application profiles, provisioned throughput, custom models and prompt routers do not say
which model serves them, so they have to be mapped by the user. A foundation-model ARN names a region to run in; it is
treated as the bare id that it ends in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from turnout.config.errors import ConfigError
from turnout.config.facts import Facts, load_facts
from turnout.core.catalog import UnknownModelError, unknown

_ARN = re.compile(r"arn:(?P<partition>aws[a-z-]*):bedrock:[a-z0-9-]*:[0-9]*:(?P<kind>[a-z-]+)/(?P<resource>.+)")

_LONGEST_NAME = 256
"""Longer names are refused unread: looking for the nearest known one takes time that grows with the length."""

_GOVERNMENT = "us-gov"
"""The only profile of AWS GovCloud, whose partition is ``aws-us-gov``."""

NO_PROFILES: Mapping[str, str] = MappingProxyType({})
"""No application profiles are mapped."""


class ModelNames(NamedTuple):
    """The names that are known.

    Attributes:
        profiles: Bedrock's inference profiles.
        bedrock: Bedrock's bare ids by every spelling of them, aliases included.
        others: Catalog ids of the other providers by every spelling, provider included.
    """

    profiles: tuple[str, ...]
    bedrock: Mapping[str, str]
    others: Mapping[str, str]

    def resolve(
        self, text: str, default_profile: str | None = None, application_profiles: Mapping[str, str] = NO_PROFILES
    ) -> str:
        """The catalog id of a model of any provider; other providers than Bedrock are named before a slash.

        Args:
            text: A catalog id, an id or an alias on Bedrock, or an ARN.
            default_profile: The inference profile of names that have none; none: such names are refused.
            application_profiles: For ARNs that do not say it, the model; by the ARN or by its last part.

        Raises:
            UnknownModelError: There is no such model; the message names the nearest one.
            ConfigError: The name lacks an inference profile, or an ARN is not mapped.
        """
        if len(text) > _LONGEST_NAME:
            raise UnknownModelError(f"unknown model {text[:40] + '...'!r}: no name has {len(text)} characters")
        provider, slash, rest = text.partition("/")
        if slash and not text.startswith("arn:") and provider != "bedrock":
            if text in self.others:
                return self.others[text]
            raise UnknownModelError(unknown("model", text, self._all()))
        name = rest if provider == "bedrock" else text
        if name.startswith("arn:"):
            return self._resolve_arn(name, default_profile, application_profiles)
        return self._resolve_id(name, default_profile)

    def _resolve_id(self, name: str, default_profile: str | None) -> str:
        for profile in self.profiles:
            if name.startswith(profile + "."):
                bare = name.removeprefix(profile + ".")
                if bare in self.bedrock:
                    return f"bedrock/{profile}.{self.bedrock[bare]}"
        if name in self.bedrock:
            bare = self.bedrock[name]
            if default_profile is None:
                profiles = ", ".join(f"{profile}." for profile in self.profiles)
                raise ConfigError(
                    f"the model {name!r} has no inference profile: put one of {profiles} before it, "
                    f"such as 'global.{bare}', or set default_profile for requests that name none"
                )
            if default_profile not in self.profiles:
                raise ConfigError(unknown("inference profile", default_profile, self.profiles))
            return f"bedrock/{default_profile}.{bare}"
        first, _, bare = name.partition(".")
        if bare in self.bedrock:
            raise UnknownModelError(f"{unknown('inference profile', first, self.profiles)} (in {name!r})")
        raise UnknownModelError(unknown("model", name, self._all()))

    def _resolve_arn(self, arn: str, default_profile: str | None, application_profiles: Mapping[str, str]) -> str:
        match = _ARN.fullmatch(arn)
        if match is None:
            raise UnknownModelError(f"not an ARN of a Bedrock model: {arn!r}")
        kind, resource = match["kind"], match["resource"]
        government = match["partition"] == "aws-us-gov"
        for key in (arn, resource):
            if key in application_profiles:
                return self.resolve(application_profiles[key])
        if kind == "foundation-model":
            return self._resolve_id(resource, _GOVERNMENT if government else default_profile)
        if kind == "inference-profile":
            if government and not resource.startswith(_GOVERNMENT + "."):
                raise UnknownModelError(f"AWS GovCloud has the inference profile '{_GOVERNMENT}.' only: {arn!r}")
            return self._resolve_id(resource, None)
        raise ConfigError(
            f"an ARN of the kind {kind!r} does not say which model serves it: "
            f"add {resource!r} = 'PROFILE.MODEL' to application_profiles"
        )

    def _all(self) -> list[str]:
        """Every name to suggest."""
        with_profile = [f"{profile}.{spelling}" for profile in self.profiles for spelling in self.bedrock]
        return [*with_profile, *self.bedrock, *self.others]


def model_names(facts: Facts) -> ModelNames:
    """The names that these facts give to models.

    Raises:
        ConfigError: Two models share a name.
    """
    bedrock: dict[str, str] = {}
    others: dict[str, str] = {}
    for placed in facts.placed_models():
        for spelling in (placed.model_id, *placed.spellings):
            if placed.provider == "bedrock":
                names, key, value = bedrock, spelling, placed.model_id
            else:
                value = f"{placed.provider}/{placed.model_id}"
                names, key = others, f"{placed.provider}/{spelling}"
            if names.setdefault(key, value) != value:
                raise ConfigError(f"two models are called {key!r}: {names[key]!r} and {value!r}")
    return ModelNames(tuple(facts.profiles), bedrock, others)


def resolve_bedrock_id(
    text: str,
    default_profile: str | None = None,
    application_profiles: Mapping[str, str] = NO_PROFILES,
    *,
    overrides: Path | None = None,
) -> str:
    """The catalog id of a model on Bedrock: `ModelNames.resolve` over our facts and a user's.

    Where many names are resolved, keep the `ModelNames`.
    """
    return model_names(load_facts(overrides)).resolve(text, default_profile, application_profiles)
