"""What one process remembers between calls: sessions, warm prefixes, learned means, and what comes back.

Bounded: the sessions used longest ago are forgotten first, and so are the prefixes sent longest ago. Everything
here is a losable hint: without it decisions are made from priors and cold caches, never wrongly.

Known limitation: replicas do not share it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping

import msgspec

from turnout.core.cache import COLD, CacheEntry, CachePlan, CacheState, Prompt, after_call, after_report, write_spans
from turnout.core.catalog import Model
from turnout.core.decision import SessionView
from turnout.core.horizon import Horizon
from turnout.core.request import Request
from turnout.core.statistics import Statistics
from turnout.core.usage import Usage
from turnout.sessions.horizon import HorizonLearner, Prefixes
from turnout.sessions.learning import ModelLearner

_UNKNOWN = SessionView()
_NOTHING = ModelLearner()
"""What was learned of a model that was never called."""

_RENEWED_PART = 256
"""Statistics are worked out anew once one call in so many is new, and after each call of a model that has had fewer."""


class CacheScope(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """Whose prompt cache: prefixes are warm for one provider account, region or profile, and model."""

    model: str
    account: str = ""
    region: str = ""


class SessionMemory:
    """Sessions and caches in memory, safe for threads.

    Args:
        max_sessions: How many sessions are remembered.
        max_prefixes: How many warm prefixes are remembered for each cache.
        max_sent: How many prefixes are remembered as sent, to see which come back.
    """

    def __init__(self, *, max_sessions: int = 10_000, max_prefixes: int = 10_000, max_sent: int = 100_000) -> None:
        self._max_sessions = max_sessions
        self._max_prefixes = max_prefixes
        self._sessions: OrderedDict[str, SessionView] = OrderedDict()
        self._caches: dict[CacheScope, OrderedDict[str, CacheEntry]] = {}
        self._learners: dict[str, ModelLearner] = {}
        self._all_models = ModelLearner()
        self._horizons = HorizonLearner(max_prefixes=max_sent)
        self._learned = self._renew_at = 0
        self._statistics: dict[tuple[str, ...], Statistics] = {}
        self._lock = threading.Lock()

    def session(self, session_id: str) -> SessionView:
        """What is known of a session; an unknown one has no current model and spent nothing."""
        with self._lock:
            return self._sessions.get(session_id, _UNKNOWN)

    def cache(self, scope: CacheScope, prefix_hashes: Iterable[str]) -> CacheState:
        """The warm prefixes of a cache, cut down to those of one prompt."""
        with self._lock:
            entries = self._caches.get(scope)
            if not entries:
                return COLD
            return CacheState(tuple(entries[key] for key in prefix_hashes if key in entries))

    def caches(
        self, model_ids: Iterable[str], scopes: Mapping[str, CacheScope], request: Request
    ) -> dict[str, CacheState]:
        """The warm prefixes of a request in each model's cache; a cache that holds none of them is left out."""
        found: dict[str, CacheState] = {}
        with self._lock:
            for model_id in model_ids:
                entries = self._caches.get(scopes[model_id])
                if entries:
                    keys = [segment.prefix_hash for segment in request.segments]
                    if warm := tuple([entries[key] for key in keys if key in entries]):
                        found[model_id] = CacheState(warm)
        return found

    def statistics(self, model_ids: Iterable[str]) -> Statistics:
        """What was learned of these models; one that was never called is expected to be like the others.

        Before the first call nothing is known, and the stated priors hold. Means of many calls hardly move with one
        more: then a value is given again that lacks the newest 1 in 256 at most (`_RENEWED_PART`).
        """
        names = tuple(model_ids)
        with self._lock:
            if not self._learners:
                return Statistics()
            if self._learned >= self._renew_at:
                self._renew_at = self._learned + self._learned // _RENEWED_PART
                self._statistics.clear()
            elif (known := self._statistics.get(names)) is not None:
                return known
            prior = self._all_models.snapshot()
            found = Statistics({key: self._learners.get(key, _NOTHING).snapshot(prior) for key in names})
            self._statistics[names] = found
            return found

    def horizon(self, request: Request, model_ids: Iterable[str], now_ms: int) -> Horizon:
        """What is expected to come after a call with that request, served by one of these models.

        Before anything was learned, the stated priors of `turnout.sessions.returns` hold.
        """
        with self._lock:
            return self._horizons.horizon(Prefixes.of(request), model_ids, now_ms)

    def spent(self, session_id: str, cost_pico: int) -> None:
        """Add to what a session spent, in pico-USD."""
        with self._lock:
            before = self._sessions.get(session_id, _UNKNOWN)
            spent_pico = before.spent_pico + cost_pico
            self._keep(session_id, SessionView(current_model=before.current_model, spent_pico=spent_pico))

    def served(self, session_id: str, model_id: str) -> None:
        """Note which model serves a session now."""
        with self._lock:
            before = self._sessions.get(session_id, _UNKNOWN)
            if before.current_model == model_id:
                self._sessions.move_to_end(session_id)
                return
            self._keep(session_id, SessionView(current_model=model_id, spent_pico=before.spent_pico))

    def called(
        self,
        scope: CacheScope,
        model: Model,
        request: Request,
        plan: CachePlan,
        usage: Usage | None,
        now_ms: int,
        *,
        opens_turn: bool,
        growth_tokens: int | None = None,
        ahead: bool = True,
    ) -> None:
        """Learn from a finished call: what it left warm, its means, and which prefixes come back.

        Args:
            scope: The cache that served it.
            model: The catalog entry of the model.
            request: What was sent.
            plan: The cache points that were sent with it.
            usage: The reported usage; none where the provider reported nothing: then the cache is believed as planned.
            now_ms: When it was sent, in milliseconds since the epoch.
            opens_turn: Whether it was the first call of its turn.
            growth_tokens: By how much the prompt grew since the turn's call before, for later calls.
            ahead: Whether to learn which prefixes come back: not where no decision asks for a horizon.
        """
        with self._lock:
            if ahead:
                self._horizons.called(Prefixes.of(request), model.id, now_ms)
            self._learned += 1
            learner = self._learners.get(model.id)
            if learner is None:
                learner = self._learners[model.id] = ModelLearner()
            for one in (learner, self._all_models):
                if usage is not None:
                    one.call(
                        prompt_tokens=usage.prompt_tokens,
                        reference_tokens=request.tokens,
                        output_tokens=usage.output_tokens,
                        opens_turn=opens_turn,
                    )
                if growth_tokens is not None:
                    one.growth(growth_tokens)
            if learner.calls < _RENEWED_PART:
                self._renew_at = self._learned
            ratio = learner.tokenizer_ratio or model.tokenizer_ratio
            entries = self._caches.setdefault(scope, OrderedDict())
            if not entries and round(request.tokens * ratio) < model.cache.floor_tokens:
                return  # nothing was warm, and the prompt is too short to be written
            prompt = request.prompt_for(ratio)
            state = COLD
            if entries:
                state = CacheState(tuple([entries[key] for key in prompt.prefix_hashes if key in entries]))
            if not state.entries and not write_spans(prompt, plan, model.cache):
                return  # nothing was warm, and nothing is now
            if usage is not None:
                state = reported_state(state, prompt, plan, model, usage, now_ms)
            else:
                state = after_call(prompt, plan, model.cache, state, now_ms)
            for key in prompt.prefix_hashes:
                entries.pop(key, None)
            entries.update((entry.prefix_hash, entry) for entry in state.entries)
            while len(entries) > self._max_prefixes:
                entries.popitem(last=False)

    def _keep(self, session_id: str, view: SessionView) -> None:
        self._sessions[session_id] = view
        self._sessions.move_to_end(session_id)
        while len(self._sessions) > self._max_sessions:
            self._sessions.popitem(last=False)


def reported_state(
    state: CacheState, prompt: Prompt, plan: CachePlan, model: Model, usage: Usage, now_ms: int
) -> CacheState:
    """The state that a call with reported usage leaves: evicted where it read less than believed."""
    believed = after_report(state, prompt, plan, model.cache, usage.cache_read_tokens)
    after = after_call(prompt, plan, model.cache, believed, now_ms)
    if usage.cache_read_tokens or usage.cache_write_tokens or model.cache.mode == "implicit":
        return after
    # Nothing was read or written: the provider did not cache this prompt, whatever the plan said.
    return believed
