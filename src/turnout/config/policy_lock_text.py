"""The text of ``policy.toml``: for people to review, the same bytes for the same values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from turnout.config.policy_lock import FORMAT, PRICES, PolicyLock, capabilities_of
from turnout.config.presets import preset_of
from turnout.core.cache import NO_CACHE
from turnout.core.catalog import Model
from turnout.core.cost import usd_text

_INTRODUCTION = """\
# The lock of the routing policy: which models serve, by which thresholds, at which prices, and what that was
# reckoned to cost and to be worth on recorded traffic. Written by `turnout plan --write`; review it as code.
# A router with `policy_file` in its turnout.toml routes by the models and thresholds of this file.
# `turnout plan` says what a change would do before it is written; `turnout check` says where the catalog has moved on.
"""

_LONGEST_LIST = 90

_SOURCES = {
    "outcomes": "mean score of graded answers",
    "classifier": "expected share that suffices, by the classifier's own probabilities: its estimate, not measured",
    "none": "not known: there were neither grades nor verdicts",
}


def lock_text(lock: PolicyLock) -> str:
    """The file's text; `turnout.config.policy_lock_file.read_lock` gives the same lock back."""
    return "\n".join(_lines(lock)).rstrip() + "\n"


def _lines(lock: PolicyLock) -> Iterator[str]:
    policy, bound = lock.policy, lock.bound
    yield _INTRODUCTION
    yield f"format = {FORMAT}"
    yield ""
    yield "[policy]"
    if (preset := preset_of(policy)) is not None:
        yield f"preset = {_toml(preset)} # for information: the bars below are what holds"
    for name in ("simple_bar", "quality_bar", "simple_share", "markers", "fill_ttl", "horizon", "adapt"):
        yield f"{name} = {_toml(getattr(policy, name))}"
    if policy.budget is not None:
        yield from ("", "[policy.budget] # for a session")
        yield f"usd = {_toml(_usd(policy.budget.limit_pico))}"
        yield f"when_spent = {_toml(policy.budget.when_spent)}"
    if bound is not None:
        yield from ("", "[policy.bound]")
        yield f"epsilon = {_toml(bound.epsilon)}"
        yield f"kappa_usd = {_toml(_usd(bound.kappa_pico))}"
        for name in ("call_limit", "growth_limit_tokens", "output_limit_tokens"):
            yield f"{name} = {_toml(getattr(bound, name))}"
    for name, rules in sorted(lock.routes.items()):
        yield from ("", f"[routes.{_toml(name)}]")
        yield f"simple_bar = {_toml(rules.simple_bar)}"
        yield f"quality_bar = {_toml(rules.quality_bar)}"
        if set(rules.candidates) != set(policy.candidates):
            yield f"candidates = {_toml([one.model for one in rules.ranked])}"
    yield from ("", "[classifier] # whose verdicts the bars are for")
    yield f"kind = {_toml(lock.classifier.kind)}"
    if lock.classifier.model:
        yield f"model = {_toml(lock.classifier.model)}"
    if lock.classifier.sha256:
        yield from ("", "[classifier.sha256]")
        yield from (f"{name} = {_toml(digest)}" for name, digest in sorted(lock.classifier.sha256.items()))
    yield from ("", "[catalog] # a hash over the models below")
    yield f"sha256 = {_toml(lock.catalog_sha256)}"
    ranks = {candidate.model: candidate.rank for candidate in policy.candidates}
    for model in sorted(lock.models, key=lambda one: (-ranks.get(one.id, -(10**9)), one.id)):
        yield from _model(model, ranks.get(model.id))
    yield from _prediction(lock)


def _model(model: Model, rank: int | None) -> Iterator[str]:
    yield from ("", "[[models]]")
    yield f"id = {_toml(model.id)}"
    yield f"name = {_toml(model.name)}"
    if rank is None:
        yield "# no candidate: what the classifier asks"
    else:
        yield f"rank = {rank} # of capability: the higher, the more capable"
    yield f"context_window = {model.context_window}"
    if model.max_output_tokens is not None:
        yield f"max_output_tokens = {model.max_output_tokens}"
    yield f"tokenizer_ratio = {_toml(model.tokenizer_ratio)}"
    yield f"capabilities = {_toml(capabilities_of(model))}"
    if model.rejected_parameters:
        yield f"rejected_parameters = {_toml(model.rejected_parameters)}"
    if model.accepted_parameters is not None:
        yield f"accepted_parameters = {_toml(model.accepted_parameters)}"
    for number, tier in enumerate(model.price.tiers):
        yield from ("", "[[models.price]]" + (" # USD per million tokens" if number == 0 else ""))
        if tier.above_prompt_tokens:
            yield f"above_prompt_tokens = {tier.above_prompt_tokens}"
        for name in PRICES:
            price: Decimal | None = getattr(tier, name)
            if price is not None:
                yield f"{name} = {_toml(f'{price:f}')}"
    yield from ("", "[models.cache]")
    if model.cache == NO_CACHE:
        yield f"mode = {_toml(model.cache.mode)}"
    else:
        yield from (f"{name} = {_toml(value)}" for name, value in msgspec.structs.asdict(model.cache).items())


def _prediction(lock: PolicyLock) -> Iterator[str]:
    window, predicted = lock.window, lock.predicted
    if window is None or predicted is None:
        yield from ("", "# Nothing was predicted: the ledger held no decision to replay.")
        return
    simulated = " Its models were simulated." if window.simulated else ""
    yield from ("", f"# What the prediction rests on: the ledger's last days (UTC).{simulated}", "[window]")
    yield from _fields(window, skip=[name for name in ("simulated", "sha256") if not getattr(window, name)])
    yield from (
        "",
        "# What the policy was reckoned to make of these requests. Exact is what it serves as it was recorded,",
    )
    yield from ("# with usage that was reported; the rest is estimated, between low and high.", "[predicted]")
    quality = ("quality", "quality_low", "quality_high", "quality_source")
    yield from _fields(predicted, skip=(*quality, "share"))
    yield f"# {_SOURCES[predicted.quality_source]}"
    yield from _fields(predicted, skip=[name for name in predicted.__struct_fields__ if name not in quality])
    if predicted.share:
        yield from ("", "[predicted.share] # of decisions")
        yield from (f"{_toml(model)} = {_toml(share)}" for model, share in sorted(predicted.share.items()))


def _fields(value: msgspec.Struct, *, skip: Any = ()) -> Iterator[str]:
    for name, one in msgspec.structs.asdict(value).items():
        if name not in skip and one is not None:
            yield f"{name} = {_toml(one)}"


def _usd(pico: int) -> str:
    whole, _, cents = usd_text(pico).partition(".")
    return f"{whole}.{cents.rstrip('0').ljust(2, '0')}"


def _toml(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        parts = [_toml(one) for one in value]
        line = f"[{', '.join(parts)}]"
        return line if len(line) <= _LONGEST_LIST else "[\n" + "".join(f"    {part},\n" for part in parts) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    # A basic string of TOML is written as one of JSON.
    return str(value) if isinstance(value, int) else json.dumps(value, ensure_ascii=False)
