"""`RoutedModel`: a Strands model that routes each turn to the cheapest candidate that can carry it.

It goes wherever Strands takes a `Model`: agents, graphs, swarms, structured output, direct calls. The route is decided
once a turn and kept through its tool loop. A call that fails before its first content is made again or goes to the next
candidate; one that breaks off later is continued where a candidate can, and else ends in a `CallFailedError` that says
so: no text is ever repeated (docs/failures.md). Keywords that Strands adds to `Model.stream` are passed on.

A candidate is sent the conversation as it takes it (`turnout.messages.portability.carry`): what other models left in it
is carried over, and the agent's own messages stay as they are. A candidate that cannot be sent some block of it is not
eligible, under the name of what stands against it.

Known limitations: the candidates' own ``max_tokens`` limits are those of the model with the largest; candidates that
keep the conversation on the server (`Model.stateful`) are refused; where a candidate places cache points by its own
`CacheConfig`, prices assume that all candidates place them alike.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, TypeVar, Unpack, cast

from pydantic import BaseModel
from strands.models import Model

from turnout.doors.strands.attempts import Attempts
from turnout.doors.strands.meter import metered, metered_structured
from turnout.doors.strands.routing import RoutingOptions, StrandsRouting
from turnout.upstream.strands_usage import cached_tokens_of

T = TypeVar("T", bound=BaseModel)


class RoutedModel(Model):
    """A drop-in Strands `Model` over two or more candidates.

    Overrides for one invocation: ``agent(prompt, invocation_state={"turnout": {"pin": CATALOG_ID, "session_id": ...,
    "query_id": ...}})``.

    Args:
        candidates: For each candidate of the policy, by catalog id, the Strands model that serves it.
        name: The model name that Strands writes into its spans as the requested one.
        **options: Policy, catalog and more: see `turnout.doors.strands.routing.RoutingOptions`.

    Raises:
        ValueError: Candidates and policy differ, or a candidate is stateful.
        UnknownModelError: A candidate is not in the catalog.
    """

    _supports_structured_output = True

    def __init__(
        self, candidates: Mapping[str, Model], *, name: str = "turnout", **options: Unpack[RoutingOptions]
    ) -> None:
        self.routing = StrandsRouting(candidates, **options)
        self._name = name

    @property
    def candidates(self) -> Mapping[str, Model]:
        """The Strands model of each candidate."""
        return self.routing.models

    @property
    def config(self) -> dict[str, Any]:
        """What Strands reads the requested model's name from."""
        return self.get_config()

    @property
    def context_window_limit(self) -> int | None:
        """The largest window of a candidate: one whose window is too small for a request is not eligible for it."""
        return max(model.context_window for model in self.routing.router.catalog.models)

    def update_config(self, **model_config: Any) -> None:
        """Update every candidate's configuration.

        Raises:
            ValueError: ``model_id`` is given, which tells the candidates apart.
        """
        if "model_id" in model_config:
            raise ValueError("model_id tells the candidates apart and cannot be set for all: build a new RoutedModel")
        for model in self.routing.models.values():
            model.update_config(**model_config)

    def get_config(self) -> dict[str, Any]:
        """The router's name as ``model_id``, and each candidate's configuration."""
        return {
            "model_id": self._name,
            "context_window_limit": self.context_window_limit,
            "candidates": {key: model.get_config() for key, model in self.routing.models.items()},
        }

    async def count_tokens(self, *args: Any, **kwargs: Any) -> int:
        """The count of the most capable candidate."""
        return await self.routing.most_capable.count_tokens(*args, **kwargs)

    async def stream(
        self, messages: Any, tool_specs: Any = None, system_prompt: str | None = None, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        """Stream the answer of the chosen candidate; arguments as of `Model.stream`.

        Raises:
            CallFailedError: No candidate answered, or not to the end.
            RefusedError: No candidate may serve the request, or the budget is spent.
            OverrideError: ``invocation_state["turnout"]`` cannot be read.
        """
        began_s = time.monotonic()
        call = self.routing.read(messages, tool_specs, system_prompt, kwargs)
        attempts = Attempts(self.routing, call, await self.routing.route(call), began_s)
        while not call.is_cancelled:
            history = attempts.history()
            model, routed = attempts.model, attempts.routed
            sent_system, sent_kwargs = self.routing.with_plan(call, routed, system_prompt, kwargs, history)
            sent_specs, sent_kwargs = _structured_for(model, tool_specs, sent_kwargs)
            open_call = self.routing.begin_call(routed, model)
            try:
                events = model.stream(attempts.messages(history), sent_specs, sent_system, **sent_kwargs)
                stream = metered(events, open_call, cached_tokens_of(model), attempts.watch())
                async with aclosing(stream):
                    async for event in stream:
                        for passed in attempts.given_out.take(event):
                            yield passed
                self.routing.turns.wrote(routed.turn, routed.model.id)
                return
            except Exception as error:
                await attempts.after(error, open_call)

    async def structured_output(
        self, output_model: type[T], prompt: Any, system_prompt: str | None = None, **kwargs: Any
    ) -> AsyncGenerator[dict[str, T | Any], None]:
        """Structured output of the chosen candidate; arguments as of `Model.structured_output`.

        Raises:
            CallFailedError: No candidate answered, or not to the end.
            RefusedError: No candidate may serve the request, or the budget is spent.
        """
        began_s = time.monotonic()
        seen = {**kwargs, "structured_output_model": output_model}
        call = self.routing.read(prompt, None, system_prompt, seen)
        attempts = Attempts(self.routing, call, await self.routing.route(call, places=False), began_s)
        while True:
            sent = attempts.messages(attempts.history())
            model = attempts.model
            open_call = self.routing.begin_call(attempts.routed, model)
            try:
                events = model.structured_output(output_model, sent, system_prompt, **kwargs)
                stream = metered_structured(events, open_call, cached_tokens_of(model), attempts.watch())
                async with aclosing(stream):
                    async for event in stream:
                        attempts.given_out.begun |= open_call.has_content
                        yield event
                return
            except Exception as error:
                await attempts.after(error, open_call)


def _structured_for(model: Model, tool_specs: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Tools and keywords for a model that cannot enforce structured output itself: only the forced tool, as Strands."""
    if kwargs.get("structured_output_model") is None or model._supports_structured_output:
        return tool_specs, kwargs
    kwargs = {**kwargs, "structured_output_model": None}
    choice = kwargs.get("tool_choice") or {}
    if "tool" not in choice:
        return tool_specs, kwargs
    forced = cast("dict[str, Any]", choice["tool"])["name"]
    return [spec for spec in tool_specs or [] if spec["name"] == forced], kwargs
