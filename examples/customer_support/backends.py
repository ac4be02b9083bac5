"""Where the answering models run: simulated, on Amazon Bedrock, on an OpenAI-compatible server, or in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

import msgspec

from examples.customer_support.models import PAIRS, Models, policy_of
from examples.customer_support.options import AgentOptions
from examples.customer_support.responder_rules import support_responder
from turnout.config import Pair
from turnout.core.cache import NO_CACHE
from turnout.core.catalog import Capabilities, Catalog, Model
from turnout.core.policy import Candidate, Policy
from turnout.core.price import FREE
from turnout.testing.bedrock import BedrockDouble

LOCAL_ID = "local/smollm2-135m-instruct"


class Backend(NamedTuple):
    """Answering models for one pair.

    Attributes:
        name: For names of runs: ``simulated``, ``live``, ``openai``, ``local``.
        label: What is said first of everything that it shows.
        simulated: Whether the answers are composed by rule.
        policy: The pair as candidates.
        models: Builds its Strands models.
        uses_tools: Whether its models can call tools.
    """

    name: str
    label: str
    simulated: bool
    policy: Policy
    models: Models
    uses_tools: bool = True


def opened(options: AgentOptions, pair: str, catalog: Catalog, region: str | None) -> AbstractContextManager[Backend]:
    """The backend that the options choose, for one pair; simulated ones are new and cold each time."""
    match options.mode:
        case "simulated":
            return simulated(catalog, pair_of(pair))
        case "live":
            return nullcontext(live(catalog, pair_of(pair), region))
        case "local":
            return nullcontext(local(catalog))
        case "openai":
            key = os.environ.get("OPENAI_API_KEY")
            url, cheap, capable = options.base_url or "", options.cheap or "", options.capable or ""
            return nullcontext(openai_compatible(catalog, url, cheap, capable, key))


def pair_of(name: str) -> Pair:
    """A pair of Bedrock models by its name.

    Raises:
        ValueError: There is no such pair.
    """
    if name not in PAIRS:
        raise ValueError(f"there is no pair {name!r}; known are {', '.join(PAIRS)}")
    return PAIRS[name]


@contextmanager
def simulated(catalog: Catalog, pair: Pair) -> Iterator[Backend]:
    """A new Bedrock double, with cold caches, for as long as it is needed."""
    with BedrockDouble(support_responder(), calls_kept=1) as double:
        models = Models(catalog, endpoint_url=double.url, boto_session=double.session())
        label = "simulated models: answers by rule from tool results, latencies and quality say nothing"
        yield Backend("simulated", label, True, policy_of(pair), models)


def live(catalog: Catalog, pair: Pair, region: str | None) -> Backend:
    """The pair on Amazon Bedrock, with the credentials that boto3 finds; every call is billed."""
    label = "Amazon Bedrock: every call is billed to the account in use"
    return Backend("live", label, False, policy_of(pair), Models(catalog, region=region))


def openai_compatible(catalog: Catalog, base_url: str, cheap: str, capable: str, api_key: str | None) -> Backend:
    """Two models of an OpenAI-compatible server, counted at catalog prices where there are any, else as free."""
    entries = [_served(catalog, name) for name in (cheap, capable)]
    known = Catalog.of([*catalog.models, *(entry for entry in entries if entry.id not in catalog)])
    unpriced = [entry.model_id for entry in entries if entry.id not in catalog]
    label = f"OpenAI-compatible server at {base_url}"
    if unpriced:
        label += f"; no price is known of {' and '.join(unpriced)}: counted as free, which suits your own machine"
    policy = Policy(candidates=tuple(Candidate(entry.id, rank) for rank, entry in enumerate(entries)))
    return Backend("openai", label, False, policy, Models(known, openai_base_url=base_url, openai_api_key=api_key))


def local(catalog: Catalog) -> Backend:
    """The packaged SmolLM2 as both models: real and small; it answers poorly and cannot call tools."""
    small = catalog[LOCAL_ID]
    twin = msgspec.structs.replace(small, id=f"{LOCAL_ID}-as-capable", name=f"{small.name}, as the capable one")
    label = "SmolLM2 135M in this process for both models: real, but it answers poorly and cannot call tools"
    policy = Policy(candidates=(Candidate(small.id, 0), Candidate(twin.id, 1)))
    return Backend("local", label, False, policy, Models(Catalog.of([*catalog.models, twin])), uses_tools=False)


def _served(catalog: Catalog, name: str) -> Model:
    model_id = f"openai/{name}"
    if model_id in catalog:
        return catalog[model_id]
    return Model(
        id=model_id,
        provider="openai",
        model_id=name,
        name=name,
        price=FREE,
        context_window=128_000,
        cache=NO_CACHE,
        capabilities=Capabilities(),
    )
