"""Where the models of a collection are called: as the gateway calls them, by the same settings, or in this process."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping

from turnout.config import Settings
from turnout.config.errors import ConfigError
from turnout.core.catalog import Model
from turnout.evaluate.collect.calling import SPOKEN
from turnout.upstream.http.endpoint import Endpoint, endpoints_of
from turnout.upstream.local import endpoint as local
from turnout.upstream.ways import Way


def ways_of(settings: Settings, models: Iterable[Model], environment: Mapping[str, str] = os.environ) -> dict[str, Way]:
    """For each model's catalog id where it is called; of several endpoints the one that is named first.

    Args:
        settings: Name upstreams; where they say nothing, providers are called where they usually are.
        models: Who is called.
        environment: Where keys and regions are looked for.

    Raises:
        ConfigError: A key, a region or credentials are missing, or nothing serves a model.
    """
    found: dict[str, Way] = {}
    wanted = list(models)
    remote = {model.provider for model in wanted if model.provider != local.PROVIDER}
    used = {name: one for name, one in settings.upstreams.items() if (one.provider or name) in remote}
    # What other upstreams lack is no matter here.
    narrowed = dataclasses.replace(settings, upstreams=used)
    endpoints = list(endpoints_of(narrowed, sorted(remote), environment).values())
    for model in wanted:
        if model.provider == local.PROVIDER:
            if (why := local.missing(model.id)) is not None:
                raise ConfigError(f"{model.id} cannot run here: {why.partition(':')[2] or why}")
            found[model.id] = local.LocalEndpoint()
        else:
            found[model.id] = _served_by(model, endpoints)
    return found


def _served_by(model: Model, endpoints: Iterable[Endpoint]) -> Endpoint:
    serving = [one for one in endpoints if one.serves(model) and one.protocol in SPOKEN]
    if not serving:
        raise ConfigError(
            f"nothing serves {model.id} by a protocol that is spoken here ({', '.join(one.value for one in SPOKEN)}): "
            f"see [upstreams.{model.provider}]"
        )
    return min(serving, key=lambda one: SPOKEN.index(one.protocol))
