"""Any version of the agent as a service for Amazon Bedrock AgentCore: what ``turnout agentcore app`` serves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from examples.customer_support import backends
from examples.customer_support.build import build
from examples.customer_support.options import AgentOptions
from examples.customer_support.tools import SupportTools
from examples.customer_support.tools.web import WebSearch
from turnout.classify.configured import configured_classifier
from turnout.cli.errors import UserError
from turnout.config import load_catalog, load_settings
from turnout.core.policy import Policy
from turnout.doors.agentcore import AgentService, FromFactory, Limits, TurnLog
from turnout.trace.exports import configure_exports
from turnout.trace.langfuse import Labels
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.recorder import Recorder


@contextmanager
def opened_service(
    options: AgentOptions, version: int = 4, *, configured: bool = False, limits: Limits | None = None
) -> Iterator[AgentService]:
    """One version of the agent as a service, with ledger and exports as settings and environment say.

    Args:
        options: Where the models run, and the ledger.
        version: 1 to 4.
        configured: Take the candidates of the settings, not those of the options' pair.
        limits: How much the service takes on; the longest prompt is that of the settings.

    Raises:
        ConfigError: Settings or catalog cannot be loaded, or the classifier cannot be built.
        LedgerError: The ledger cannot be opened or written.
        UserError: Models that are to be simulated are not on Bedrock.
    """
    settings = load_settings()
    catalog = load_catalog(settings.overrides)
    classifier = configured_classifier(settings, catalog) if version == 4 else None
    limits = msgspec.structs.replace(limits or Limits(), max_prompt_chars=settings.max_prompt_chars)
    with backends.opened(options, options.pairs[0], catalog, options.region or settings.region) as backend:
        if configured:
            backend = backend._replace(policy=settings.policy(catalog))
        if backend.simulated:
            _check_simulated(backend.policy)
        tracing = configure_exports(
            settings, labels=Labels(trace_name=f"customer-support-v{version}", version=f"v{version}")
        )
        try:
            with Ledger(options.ledger or settings.ledger) as ledger, Recorder(ledger) as recorder:
                agent = build(
                    version,
                    backend.models,
                    backend.policy,
                    tools=SupportTools(web=WebSearch(enabled=not backend.simulated)),
                    classifier=classifier,
                    recorder=TurnLog(recorder),
                    run=f"agentcore-v{version}-{backend.name}",
                    simulated=backend.simulated,
                    routing=settings.routing if configured else {**settings.routing, "pinned_tags": {}},
                )
                source = FromFactory(lambda session_id: agent.new_conversation(), name=agent.name)
                label = backend.label if backend.simulated else ""
                yield AgentService(source, records=recorder, limits=limits, label=label)
        finally:
            if tracing is not None:
                tracing.close()


def _check_simulated(policy: Policy) -> None:
    for candidate in policy.candidates:
        if not candidate.model.startswith("bedrock/"):
            raise UserError(
                f"{candidate.model} is not on Bedrock and cannot be simulated: say --live, or name a --pair"
            )
