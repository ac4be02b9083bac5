"""What would have changed a decision: found by deciding again on changed inputs, never guessed.

One thing is changed at a time, all else as it was. Where a figure is changed, the nearest value that changes the choice
is found by bisection over whole steps (`STEP_OF_P` for probabilities, one token for output): the value that is named
was decided on and does change it, and the step before it was decided on and does not.

Known limitation: a cheaper output length on one side of a tie may be missed where rounding to whole pico-USD makes the
choice go back and forth within a few tokens.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

import msgspec

from turnout.core.cache import TTL_MS, CacheEntry, CacheState, warm_prefixes
from turnout.core.decide import decide, needs_verdict
from turnout.core.decision import DecisionInput, SessionView
from turnout.core.request import Request
from turnout.core.statistics import Statistics
from turnout.core.verdict import Failure, Verdict

STEP_OF_P = 0.0001
"""Probabilities and bars are tried in steps of that much."""

LONGEST_OUTPUT = 1_000_000
"""Up to how many tokens of output are tried."""

Change = Literal[
    "p", "bar", "verdict", "cache_cold", "cache_warm", "later", "output", "pin", "stay", "failed", "budget", "allowed",
    "adapt",
]  # fmt: skip
"""What was changed."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What is decided on a changed input.

    Attributes:
        model: The chosen model's catalog id; none where the request is refused or a classifier would be asked.
        reason: Why.
        if_simple: Where no classifier was asked and now one would be: who serves if it says ``simple``.
        if_complex: Who serves if it says ``complex``.
    """

    model: str | None
    reason: str
    if_simple: str | None = None
    if_complex: str | None = None

    @property
    def asks(self) -> bool:
        """Whether a classifier would be asked, which was not."""
        return self.if_complex is not None


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """One change, and what is decided then.

    Attributes:
        change: What is changed.
        model: The model whose cache or probability is changed, where it is that of one.
        words: The change in words: it goes on after "if".
        was: The figure that was changed, or none.
        value: The nearest figure that changes the choice, or none.
        flips: Whether the choice changes.
        outcome: What is decided then.
    """

    change: Change
    model: str | None = None
    words: str
    was: float | None = None
    value: float | None = None
    flips: bool
    outcome: Outcome


def what_ifs(given: DecisionInput) -> tuple[WhatIf, ...]:
    """Everything that is worth trying on this input, in the order: verdict, cache, output, rules."""
    return tuple(_Trial(given).all())


class _Trial:
    """Decides again, and holds the result against the decision on the unchanged input."""

    def __init__(self, given: DecisionInput) -> None:
        self._given = given
        # A verdict that counts and is missing means that no classifier is configured; else one could have been asked.
        self._could_ask = given.verdict is None and not needs_verdict(given)
        self._decision = decide(given)
        self._base = self._decide(given)

    def all(self) -> Iterator[WhatIf]:
        yield from self._verdicts()
        yield from self._caches()
        yield from self._later()
        yield from self._output()
        yield from self._rules()

    def _decide(self, given: DecisionInput) -> Outcome:
        decision = decide(given)
        if self._could_ask and needs_verdict(given):
            simple, complex_ = (decide(_with_verdict(given, p)).model for p in (1.0, 0.0))
            return Outcome(model=None, reason=decision.reason.value, if_simple=simple, if_complex=complex_)
        return Outcome(model=decision.model, reason=decision.reason.value)

    def _same(self, outcome: Outcome) -> bool:
        return outcome.model == self._base.model and not outcome.asks

    def _try(self, change: Change, words: str, given: DecisionInput, model: str | None = None) -> WhatIf:
        outcome = self._decide(given)
        return WhatIf(change=change, model=model, words=words, flips=not self._same(outcome), outcome=outcome)

    def _name(self, model_id: str) -> str:
        return self._given.catalog[model_id].name if model_id in self._given.catalog else model_id

    # The verdict and the bar.

    def _verdicts(self) -> Iterator[WhatIf]:
        given, verdict = self._given, self._given.verdict
        if verdict is None or verdict.failure is not None:
            says = "a classifier had said" if verdict is None else "the classifier had said"
            yield self._try("verdict", f"{says} simple for sure", _with_verdict(given, 1.0))
            yield self._try("verdict", f"{says} complex for sure", _with_verdict(given, 0.0))
            return
        for model, p in self._probabilities(verdict):
            name = "P(simple)" if model is None else f"P({self._name(model)} suffices)"
            yield from self._figure("p", name, p, partial(_with_p, given, verdict, model), model)
        is_label = verdict.basis == "label"
        bar = given.policy.simple_bar if is_label else given.policy.quality_bar
        field = "simple_bar" if is_label else "quality_bar"
        yield from self._figure("bar", f"the bar ({field})", bar, lambda bar: _with_policy(given, **{field: bar}))
        failed = Verdict(classifier=verdict.classifier, failure=Failure("timeout"))
        yield self._try("verdict", "the classifier had failed", msgspec.structs.replace(given, verdict=failed))

    def _probabilities(self, verdict: Verdict) -> list[tuple[str | None, float]]:
        if verdict.basis == "label":
            return [] if verdict.p_simple is None else [(None, verdict.p_simple)]
        # What was held against the bar: not the most capable's, which always clears it.
        return [(estimate.model, estimate.p) for estimate in self._decision.estimates if estimate.p is not None]

    def _figure(
        self,
        change: Change,
        name: str,
        was: float,
        changed: Callable[[float], DecisionInput],
        model: str | None = None,
    ) -> Iterator[WhatIf]:
        """The nearest lower and the nearest higher value of a probability that change the choice."""
        steps = round(1 / STEP_OF_P)
        found = False
        for word, start, end in (("less", _floor(was, steps), 0), ("more", _ceil(was, steps), steps)):
            step = _nearest(lambda step: self._same(self._decide(changed(step / steps))), start, end)
            if step is not None:
                found = True
                value = step / steps
                words = f"{name} had been {value:g} or {word} (it was {was:.4g})"
                outcome = self._decide(changed(value))
                yield WhatIf(change=change, model=model, words=words, was=was, value=value, flips=True, outcome=outcome)
        if not found:
            words = f"{name} had been any other (it was {was:.4g})"
            yield WhatIf(change=change, model=model, words=words, was=was, flips=False, outcome=self._base)

    # The caches.

    def _caches(self) -> Iterator[WhatIf]:
        given = self._given
        for estimate in self._decision.estimates:
            expected = estimate.expected
            if expected is None:
                continue
            name = self._name(estimate.model)
            if expected.read_tokens:
                cold = {model: state for model, state in given.caches.items() if model != estimate.model}
                changed = msgspec.structs.replace(given, caches=cold)
                yield self._try("cache_cold", f"the cache of {name} had been cold", changed, estimate.model)
            warm = self._warmed(estimate.model)
            if warm is not None:
                tokens, changed = warm
                words = f"{name} had surely held {tokens:,} tokens of the prompt warm"
                yield self._try("cache_warm", words, changed, estimate.model)

    def _warmed(self, model_id: str) -> tuple[int, DecisionInput] | None:
        """The input with the longest prefix warm that this model can hold; none where it is so, or nothing can be."""
        given, request = self._given, self._given.request
        model, statistics = given.catalog[model_id], given.statistics.of(model_id)
        pinned = msgspec.structs.replace(request, pin=model_id)
        plan = decide(msgspec.structs.replace(given, request=pinned)).cache_plan
        prompt = request.prompt_for(statistics.tokenizer_ratio or model.tokenizer_ratio)
        ends = [marker.segment for marker in plan.markers]
        if model.cache.mode == "implicit" and request.segments:
            ends = [len(request.segments) - 1]
        if not ends:
            return None
        ttl = model.cache.ttls[0]
        entry = CacheEntry(prefix_hash=prompt.prefix_hashes[max(ends)], ttl=ttl, expires_ms=given.now_ms + TTL_MS[ttl])
        state = given.cache_of(model_id)
        warmed = CacheState((*state.entries, entry))
        before, after = (warm_prefixes(prompt, plan, model.cache, one, given.now_ms) for one in (state, warmed))
        if not after or after == before:
            return None
        return after[0].tokens, msgspec.structs.replace(given, caches={**given.caches, model_id: warmed})

    def _later(self) -> Iterator[WhatIf]:
        """The first moment at which the choice changes because a prefix has gone cold."""
        given = self._given
        moments: defaultdict[int, set[str]] = defaultdict(set)
        for model, state in given.caches.items():
            for expires_ms in (entry.expires_ms for entry in state.entries if entry.expires_ms > given.now_ms):
                moments[expires_ms].add(self._name(model))
        for moment, names in sorted(moments.items()):
            changed = msgspec.structs.replace(given, now_ms=moment)
            if not self._same(self._decide(changed)):
                seconds = (moment - given.now_ms) / 1000
                gone = " and ".join(sorted(names))
                yield self._try("later", f"it had come {seconds:,.1f} s later, a prefix of {gone} gone cold", changed)
                return
        if moments:
            last = msgspec.structs.replace(given, now_ms=max(moments))
            yield self._try("later", "it had come later, and every prefix had gone cold by then", last)

    # The length of the answer.

    def _output(self) -> Iterator[WhatIf]:
        given = self._given
        models = [estimate.model for estimate in self._decision.estimates if estimate.eligible]
        if len(models) < 2:
            return
        lengths = {given.statistics.of(model).output_tokens for model in models}
        was = max(lengths)
        if was == 0:
            return
        expected = " to ".join(f"{length:,.0f}" for length in sorted({min(lengths), was}))

        def changed(tokens: float) -> DecisionInput:
            learned = {
                model: msgspec.structs.replace(
                    given.statistics.of(model),
                    output_tokens=given.statistics.of(model).output_tokens * tokens / was,
                )
                for model in models
            }
            return msgspec.structs.replace(given, statistics=Statistics({**given.statistics.models, **learned}))

        found = False
        for word, start, end in (("fewer", _floor(was, 1), 0), ("more", _ceil(was, 1), LONGEST_OUTPUT)):
            if (end - start) * (-1 if word == "fewer" else 1) < 0:
                continue
            tokens = _nearest(lambda tokens: self._same(self._decide(changed(tokens))), start, end)
            if tokens is not None:
                found = True
                others = "" if len(lengths) == 1 else ", those of the other models in proportion"
                words = f"answers of {tokens:,} tokens or {word} had been expected{others} (it was {expected})"
                yield WhatIf(
                    change="output",
                    words=words,
                    was=was,
                    value=float(tokens),
                    flips=True,
                    outcome=self._decide(changed(tokens)),
                )
        if not found:
            words = f"answers of any other length had been expected (it was {expected} tokens)"
            yield WhatIf(change="output", words=words, was=was, flips=False, outcome=self._base)

    # The rules.

    def _rules(self) -> Iterator[WhatIf]:
        given, request, policy = self._given, self._given.request, self._given.policy

        def asked(**changes: object) -> DecisionInput:
            return msgspec.structs.replace(given, request=_request(request, **changes))

        if request.pin is not None:
            yield self._try("pin", f"the caller had not insisted on {self._name(request.pin)}", asked(pin=None))
        if request.hard_stay is not None:
            words = f"it had not been bound to {self._name(request.hard_stay.model)}"
            yield self._try("stay", words, asked(hard_stay=None))
        if given.failed:
            names = " and ".join(dict.fromkeys(self._name(attempt.model) for attempt in given.failed))
            changed = msgspec.structs.replace(given, failed=())
            yield self._try("failed", f"{names} had not failed before", changed)
        if policy.budget is not None:
            if given.session.spent_pico >= policy.budget.limit_pico:
                words, spent = "the budget had not been spent", 0
            else:
                words, spent = "the budget had been spent", policy.budget.limit_pico
            session = SessionView(current_model=given.session.current_model, spent_pico=spent)
            yield self._try("budget", words, msgspec.structs.replace(given, session=session))
        if request.allowed_models is not None:
            yield self._try("allowed", "the caller had been allowed every model", asked(allowed_models=None))
        reasons = [reason for estimate in self._decision.estimates for reason in estimate.ineligible]
        if any(reason.startswith(("parameter_rejected:", "parameter_unknown:", "output_limit:")) for reason in reasons):
            words = "the policy had allowed to adapt the request (adapt)"
            yield self._try("adapt", words, _with_policy(given, adapt=True))


def _nearest(same: Callable[[int], bool], start: int, end: int) -> int | None:
    """The value nearest to ``start`` on the way to ``end``, both included, that is not the same; none if ``end`` is.

    It takes for granted that what is not the same stays so on the way: a choice holds over an interval.
    """
    if same(end):
        return None
    if not same(start):
        return start
    kept, changed = start, end
    while abs(changed - kept) > 1:
        middle = (kept + changed) // 2
        if same(middle):
            kept = middle
        else:
            changed = middle
    return changed


def _floor(value: float, steps: int) -> int:
    """The last step at or below a value."""
    step = int(value * steps)
    return step if step / steps <= value else step - 1


def _ceil(value: float, steps: int) -> int:
    """The first step at or above a value."""
    step = _floor(value, steps)
    return step if step / steps >= value else step + 1


def _with_verdict(given: DecisionInput, p_simple: float) -> DecisionInput:
    """The input with a verdict on the label that is sure of itself."""
    name = "assumed" if given.verdict is None else given.verdict.classifier
    label: Literal["simple", "complex"] = "simple" if p_simple == 1.0 else "complex"
    return msgspec.structs.replace(given, verdict=Verdict(classifier=name, label=label, p_simple=p_simple))


def _with_p(given: DecisionInput, verdict: Verdict, model: str | None, p: float) -> DecisionInput:
    if model is None:
        changed = msgspec.structs.replace(verdict, p_simple=p)
    else:
        changed = msgspec.structs.replace(verdict, p_suffices={**verdict.p_suffices, model: p})
    return msgspec.structs.replace(given, verdict=changed)


def _with_policy(given: DecisionInput, **changes: object) -> DecisionInput:
    return msgspec.structs.replace(given, policy=msgspec.structs.replace(given.policy, **changes))


def _request(request: Request, **changes: object) -> Request:
    return msgspec.structs.replace(request, **changes)
