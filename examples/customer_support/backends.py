"""Where the answering models run: simulated, on Amazon Bedrock, on an OpenAI-compatible server, or in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import NamedTuple

import msgspec

from examples.customer_support.models import PAIRS, Models, policy_of
from examples.customer_support.options import AgentOptions
from examples.customer_support.responder_rules import support_responder
from turnout.config import PAIR_4, Pair
from turnout.core.catalog import Catalog, Model
from turnout.core.policy import Candidate, Policy
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


@contextmanager
def opened(options: AgentOptions, pair: str, catalog: Catalog, region: str | None) -> Iterator[Backend]:
    """The backend that the options choose, for one pair; simulated ones are new and cold each time."""
    match options.mode:
        case "simulated":
            with simulated(catalog, pair_of(pair)) as backend:
                yield backend
            return
        case "live":
            backend = live(catalog, pair_of(pair), region)
        case "local":
            backend = local(catalog)
        case "openai":
            key = os.environ.get("OPENAI_API_KEY")
            url, cheap, capable = options.base_url or "", options.cheap or "", options.capable or ""
            backend = openai_compatible(catalog, url, cheap, capable, key)
    with closing(backend.models):
        yield backend


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
        label = "simulated models: answers by rule from tool results, latencies and quality say nothing"
        with closing(Models(catalog, endpoint_url=double.url, boto_session=double.session())) as models:
            yield Backend("simulated", label, True, policy_of(pair), models)


def live(catalog: Catalog, pair: Pair, region: str | None) -> Backend:
    """The pair on Amazon Bedrock, with the credentials that boto3 finds; every call is billed."""
    label = "Amazon Bedrock: every call is billed to the account in use"
    return Backend("live", label, False, policy_of(pair), Models(catalog, region=region))


def openai_compatible(catalog: Catalog, base_url: str, cheap: str, capable: str, api_key: str | None) -> Backend:
    """Two models of an OpenAI-compatible server, at catalog prices where there are any, else at those of a stand-in."""
    label = f"OpenAI-compatible server at {base_url}"
    entries, unpriced = [], []
    for name, stand_in in zip((cheap, capable), PAIR_4, strict=True):
        if f"openai/{name}" in catalog:
            entries.append(catalog[f"openai/{name}"])
        else:
            entries.append(_served(name, catalog[stand_in]))
            unpriced.append(f"{name} as {catalog[stand_in].name}")
    if unpriced:
        label += f"; not in the catalog, so counted at another model's prices: {', '.join(unpriced)}"
    known, policy = _with(catalog, entries)
    models = Models(known, openai_base_url=base_url, openai_api_key=api_key)
    return Backend("openai", label, False, policy, models)


def local(catalog: Catalog) -> Backend:
    """The packaged SmolLM2 as both models: real and small; it answers poorly and cannot call tools."""
    small = catalog[LOCAL_ID]
    cheap, capable = (catalog[model_id] for model_id in PAIR_4)
    label = (
        "SmolLM2 135M in this process for both models: real, but it answers poorly and cannot call tools; "
        f"it costs nothing, and is counted at the prices of {cheap.name} and {capable.name} without their caches"
    )
    entries = [
        msgspec.structs.replace(small, id=f"{LOCAL_ID}-as-{tier}", name=f"SmolLM2 as {tier}", price=stand_in.price)
        for tier, stand_in in (("cheap", cheap), ("capable", capable))
    ]
    known, policy = _with(catalog, entries)
    return Backend("local", label, False, policy, Models(known), uses_tools=False)


def _with(catalog: Catalog, entries: Sequence[Model]) -> tuple[Catalog, Policy]:
    """The catalog with these models, and a policy over them; the one named last is the capable one."""
    known = Catalog.of([*catalog.models, *(entry for entry in entries if entry.id not in catalog)])
    return known, Policy(candidates=tuple(Candidate(entry.id, rank) for rank, entry in enumerate(entries)))


def _served(name: str, stand_in: Model) -> Model:
    """A model that the catalog does not have. Models of one's own cost no money, but a choice needs two prices."""
    return Model(
        id=f"openai/{name}",
        provider="openai",
        model_id=name,
        name=name,
        price=stand_in.price,
        context_window=128_000,
    )
