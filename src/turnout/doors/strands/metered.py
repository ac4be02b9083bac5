"""`MeteredModel`: any Strands model, with each of its calls recorded and priced in Turnout's events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeVar

from pydantic import BaseModel
from strands.models import Model

from turnout.core.catalog import Catalog
from turnout.core.policy import Candidate, Policy
from turnout.doors.strands.conversation import Call
from turnout.doors.strands.meter import metered, metered_structured
from turnout.doors.strands.routing import StrandsRouting
from turnout.doors.strands.watch import Watch
from turnout.router import Routed
from turnout.trace.events import Records
from turnout.upstream.errors import BROKE_OFF, CallFailedError, error_name
from turnout.upstream.strands_usage import cached_tokens_of

T = TypeVar("T", bound=BaseModel)


class MeteredModel(Model):
    """A Strands model that records its calls in Turnout's events, and is otherwise the model it wraps.

    Args:
        model: The model that answers.
        model_id: Its catalog id.
        routing: Where decisions and calls are recorded.
    """

    def __init__(self, model: Model, model_id: str, routing: StrandsRouting) -> None:
        self.wrapped = model
        self.model_id = model_id
        self._routing = routing
        self._supports_structured_output = model._supports_structured_output

    @classmethod
    def alone(
        cls,
        model: Model,
        model_id: str,
        *,
        catalog: Catalog,
        recorder: Records,
        run: str = "default",
        simulated: bool = False,
    ) -> MeteredModel:
        """A model that is not routed at all, recorded like one that is: what a comparison needs.

        Raises:
            UnknownModelError: ``model_id`` is not in the catalog.
        """
        policy = Policy(candidates=(Candidate(model_id, 1),))
        routing = StrandsRouting(
            {model_id: model}, policy=policy, catalog=catalog, recorder=recorder, run=run, simulated=simulated
        )
        return cls(model, model_id, routing)

    @property
    def config(self) -> Any:
        """The wrapped model's configuration, where Strands looks for the model's name."""
        return self.wrapped.get_config()

    @property
    def stateful(self) -> bool:
        """As the wrapped model."""
        return self.wrapped.stateful

    @property
    def context_window_limit(self) -> int | None:
        """As the wrapped model."""
        return self.wrapped.context_window_limit

    def update_config(self, **model_config: Any) -> None:
        """As the wrapped model."""
        self.wrapped.update_config(**model_config)

    def get_config(self) -> Any:
        """As the wrapped model."""
        return self.wrapped.get_config()

    async def count_tokens(self, *args: Any, **kwargs: Any) -> int:
        """As the wrapped model."""
        return await self.wrapped.count_tokens(*args, **kwargs)

    async def stream(
        self, messages: Any, tool_specs: Any = None, system_prompt: str | None = None, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        """As the wrapped model; the call is recorded with the decision that led to it.

        Raises:
            CallFailedError: The answer broke off after its first content; from the model's own error.
            Exception: The model's own error, where it failed before that.
        """
        call = self._routing.read(messages, tool_specs, system_prompt, kwargs)
        routed = await self._decided(call)
        opened = self._routing.begin_call(routed, self.wrapped)
        # What the model cannot be sent is left for it to refuse: Strands has chosen, and asks for the next itself.
        history = self._routing.histories.sent(call, routed)
        messages = history.messages
        if history.system is not call.system:
            kwargs = {**kwargs, "system_prompt_content": list(history.system)}
        events = self.wrapped.stream(messages, tool_specs, system_prompt, **kwargs)
        stream = metered(events, opened, cached_tokens_of(self.wrapped), Watch(cancel_signal=call.cancel_signal))
        try:
            async with aclosing(stream):
                async for event in stream:
                    yield event
        except Exception as error:
            if not opened.has_content:
                raise
            # Strands would call again after some errors, and its consumer would see the beginning twice.
            raise CallFailedError(
                model=self.model_id,
                error=error_name(error),
                why=BROKE_OFF,
                partial=True,
                event_id=opened.event.event_id if opened.event else "",
                attempts=1,
            ) from error

    async def structured_output(
        self, output_model: type[T], prompt: Any, system_prompt: str | None = None, **kwargs: Any
    ) -> AsyncGenerator[dict[str, T | Any], None]:
        """As the wrapped model; `ModelRouter` does not route these calls, so they are recorded as pinned."""
        call = self._routing.read(prompt, None, system_prompt, {**kwargs, "structured_output_model": output_model})
        opened = self._routing.begin_call(await self._decided(call), self.wrapped)
        events = self.wrapped.structured_output(output_model, prompt, system_prompt, **kwargs)
        stream = metered_structured(events, opened, cached_tokens_of(self.wrapped), Watch())
        async with aclosing(stream):
            async for event in stream:
                yield event

    async def _decided(self, call: Call) -> Routed:
        """The decision behind a call that Strands decided to make on this model.

        A call that the strategy was asked about has its decision. For any other that this model serves, the decision is
        made again with what Strands settled: it is a stay, or a pin where the strategy was not asked.
        """
        turn = self._routing.turns.find(call)
        if turn is not None and turn.routed is not None and turn.routed is not turn.called:
            return turn.routed
        call.overrides = {**call.overrides, "pin": self.model_id}
        if turn is not None and turn.model == self.model_id and call.tool_loop:
            del call.overrides["pin"]
        return await self._routing.route(call, turn or self._routing.turns.begin(call))
