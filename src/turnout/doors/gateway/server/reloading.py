"""Settings that are read anew while the gateway serves: made whole beside the old ones, then put in their place.

Files are watched as `turnout.config.watching` says. What is wrong is refused as a whole and named in the log; the old
settings stay. Requests under way end by the settings that they began with, and what was learned goes on.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import NamedTuple

import msgspec

from turnout.classify.protocol import Classifier
from turnout.config.settings import GatewaySettings, Settings
from turnout.config.watching import Refused, Reloaded, Watcher, changed_keys, files_of, watch
from turnout.core.catalog import Catalog
from turnout.doors.gateway.app import Gateway
from turnout.doors.gateway.routing import GatewayRouting
from turnout.doors.gateway.serving import routing_after

logger = logging.getLogger(__name__)

NEEDS_RESTART = ("host", "port", "keys", "tls_cert", "tls_key", "behind_tls_proxy", "workers")
"""What of ``[gateway]`` holds as long as the process."""

_NEEDS_RESTART = ("ledger", "record_text", "texts")


class Loaded(NamedTuple):
    """Settings, and all that was made of them.

    Attributes:
        settings: The settings.
        catalog: The models, with the user's overrides.
        classifier: The configured classifier, or none.
        made_of: What the classifier was made of.
        routing: What decides by them.
    """

    settings: Settings
    catalog: Catalog
    classifier: Classifier | None
    made_of: object
    routing: GatewayRouting


class Loader:
    """Makes a routing of settings that were read anew, with what the one before has learned.

    Args:
        read: Reads settings and catalog.
        classify: Builds the configured classifier.
        first: What the gateway began with.
        environment: Where keys are looked for.
    """

    def __init__(
        self,
        read: Callable[[], tuple[Settings, Catalog]],
        classify: Callable[[Settings, Catalog], Classifier | None],
        first: Loaded,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._read = read
        self._classify = classify
        self._last = first
        self._first: Loaded | None = first
        self._environment = environment

    def __call__(self) -> Loaded:
        """What the settings are now; the first time what the gateway began with.

        Raises:
            ConfigError: They cannot be used.
        """
        if self._first is not None:
            first, self._first = self._first, None
            return first
        before = self._last
        settings, catalog = self._read()
        made_of = classifier_parts(settings, catalog)
        # A classifier may have loaded a model: one that would be the same is not loaded twice.
        same = made_of == before.made_of
        classifier = before.classifier if same else self._classify(settings, catalog)
        routing = routing_after(
            before.routing,
            settings,
            catalog,
            bound=before.settings.bound,
            classifier=classifier,
            environment=self._environment,
        )
        self._last = Loaded(settings, catalog, classifier, made_of, routing)
        return self._last


def classifier_parts(settings: Settings, catalog: Catalog) -> object:
    """What a classifier is made of, to see whether another one would be the same."""
    options = settings.classifier
    files = tuple(_digest(file) for file in (options.examples, options.rules))
    models = tuple(model.id for model in catalog.models if model.id == options.model)
    return options, files, models, settings.region, settings.upstreams, settings.calibration


def reloading(
    gateway: Gateway,
    loader: Loader,
    *,
    on_use: Iterable[Callable[[Settings], None]] = (),
    interval_s: float = 1.0,
    sighup: bool = True,
) -> AbstractAsyncContextManager[None]:
    """Watch the files while the block runs, and have the gateway serve by what they say.

    Args:
        gateway: The gateway.
        loader: Makes a routing of them.
        on_use: Told of settings that hold from now on.
        interval_s: Seconds between two looks.
        sighup: Whether SIGHUP reads them at once; it needs the main thread.
    """
    watcher = Watcher(loader, lambda loaded: files_of(loaded.settings))

    def changed(found: Reloaded[Loaded] | Refused) -> None:
        if isinstance(found, Refused):
            return
        before, now = found.previous.settings, found.value.settings
        late = [name for name in _NEEDS_RESTART if name in changed_keys(before, now)]
        late += [f"gateway.{name}" for name in _changed(before.gateway, now.gateway) if name in NEEDS_RESTART]
        if late:
            logger.warning("keys=<%s> | these settings hold after a restart only", ", ".join(late))
        gateway.use(found.value.routing, now.gateway)
        for told in on_use:
            told(now)

    return watch(watcher, changed, interval_s=interval_s, sighup=sighup)


def _changed(before: GatewaySettings, after: GatewaySettings) -> list[str]:
    one, other = msgspec.structs.asdict(before), msgspec.structs.asdict(after)
    return [name for name in one if one[name] != other[name]]


def _digest(file: Path | None) -> str:
    return "" if file is None or not file.is_file() else hashlib.sha256(file.read_bytes()).hexdigest()
