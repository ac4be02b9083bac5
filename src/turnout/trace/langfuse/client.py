"""Langfuse's API over one HTTP connection: the SDK's own client for v2 and scores, plain HTTP for the older v1.

Every failure becomes one of this room's errors, in one line and without keys. Nothing is tried again here and nothing
waits: that is for callers, who know how long they may take.

Known limitation: a request that is under way cannot be cancelled; it ends by its time-out.
"""

from __future__ import annotations

import email.utils
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from turnout.trace.closing import Closing
from turnout.trace.langfuse.errors import (
    ApiMissingError,
    LangfuseAccessError,
    LangfuseError,
    LangfuseRequestError,
    LangfuseUnavailableError,
    TraceNotFoundError,
    require,
)
from turnout.trace.langfuse.settings import LangfuseSettings

if TYPE_CHECKING:
    from langfuse.api import LangfuseAPI, ObservationV2
    from langfuse.api.core import ApiError, RequestOptions

FIELDS = "core,basic,time,metadata,model,usage,metrics,trace_context"
"""The groups of fields that are read; prompts and answers are not among them."""

FULL_METADATA = "turnout_query_id,turnout_run,turnout_turn_id"
"""Metadata that must not be cut off at 200 characters."""

PAGE = 1000
"""The most observations that Langfuse gives at once."""

_MOST_PAGES = 1000
_LONGEST_MESSAGE = 300
_MISSING_API = (404, 501)  # a server from before v2, and a self-hosted one with v2 turned off
Filter = dict[str, Any]
"""One condition, as the v2 API takes it."""


def equals(column: str, value: str) -> Filter:
    """The condition that a column of text has that value."""
    return {"type": "string", "column": column, "operator": "=", "value": value}


class LangfuseClient(Closing):
    """The API of one Langfuse project. Close it, or use it in a ``with`` statement.

    Args:
        settings: Where, and with which keys.
        request_timeout_s: Seconds after which a request without an answer is given up.

    Raises:
        MissingPackageError: The Langfuse SDK is not installed.
    """

    def __init__(self, settings: LangfuseSettings, *, request_timeout_s: float = 20.0) -> None:
        sdk = require("langfuse.api", extra="langfuse")
        self._sdk_error: type[ApiError] = require("langfuse.api.core", extra="langfuse").ApiError
        self._httpx = require("httpx", extra="langfuse")
        self.settings = settings
        self._timeout_s = request_timeout_s
        self._http = self._httpx.Client(
            auth=(settings.public_key, settings.secret_key), timeout=request_timeout_s, follow_redirects=False
        )
        self._api: LangfuseAPI = sdk.LangfuseAPI(base_url=settings.base_url, httpx_client=self._http)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def newest_trace_id(self, conditions: Sequence[Filter], *, within_s: float) -> str | None:
        """The trace of the newest observation that fulfils all conditions, by the v2 API.

        Args:
            conditions: The conditions.
            within_s: Seconds that the request may take.

        Raises:
            ApiMissingError: Langfuse has no v2 API.
            LangfuseError: The request failed.
        """
        with self._errors("v2 observations", missing=True):
            found = self._api.observations.get_many(
                filter=json.dumps(conditions), fields="core", limit=1, request_options=self._options(within_s)
            )
            return found.data[0].trace_id if found.data else None

    def observations(self, conditions: Sequence[Filter], *, remaining: Callable[[], float]) -> Iterator[ObservationV2]:
        """All observations that fulfil all conditions, the newest first, page by page, by the v2 API.

        Args:
            conditions: The conditions.
            remaining: Gives the seconds that are left.

        Raises:
            ApiMissingError: Langfuse has no v2 API.
            LangfuseError: A request failed.
        """
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            with self._errors("v2 observations", missing=True):
                page = self._api.observations.get_many(
                    filter=json.dumps(conditions),
                    fields=FIELDS,
                    expand_metadata=FULL_METADATA,
                    limit=PAGE,
                    cursor=cursor,
                    request_options=self._options(remaining()),
                )
            yield from page.data
            cursor = page.meta.cursor
            if not cursor:
                return
        raise LangfuseRequestError(f"langfuse gave {_MOST_PAGES} pages of observations and more: ask for less")

    def metrics(self, query: Mapping[str, Any], *, within_s: float) -> list[dict[str, Any]]:
        """The rows of a query to the v2 metrics API.

        Raises:
            ApiMissingError: Langfuse has no v2 API.
            LangfuseError: The request failed.
        """
        with self._errors("v2 metrics", missing=True):
            options = self._options(within_s)
            rows: list[dict[str, Any]] = self._api.metrics.metrics(
                query=json.dumps(query), request_options=options
            ).data
            return rows

    def v1_traces(self, parameters: Mapping[str, Any], *, within_s: float) -> dict[str, Any]:
        """One page of traces, by the v1 API.

        Raises:
            LangfuseError: The request failed.
        """
        return self._get("api/public/traces", parameters, within_s)

    def v1_trace(self, trace_id: str, *, within_s: float) -> dict[str, Any]:
        """One trace with its observations, by the v1 API.

        Raises:
            TraceNotFoundError: There is none, or not yet.
            LangfuseError: The request failed.
        """
        return self._get(f"api/public/traces/{quote(trace_id, safe='')}", {}, within_s)

    def post_score(self, score: Mapping[str, Any], *, within_s: float) -> None:
        """Send one score.

        Langfuse before the batch endpoint of 2026 takes a score by itself and refuses a list: that is tried second.

        Args:
            score: The score by the API's names, with an ``id``, so that sending it again changes nothing.
            within_s: Seconds that each request may take.

        Raises:
            LangfuseError: It was not accepted.
        """
        scores: list[Any] = [dict(score)]  # plain objects, as the SDK itself sends them
        with self._errors("scores"):
            try:
                answer: Any = self._api.scores.create(request=scores, request_options=self._options(within_s))
            except self._sdk_error as error:
                if error.status_code != 400:
                    raise
                self._checked(
                    self._http.post(self._url("api/public/scores"), json=scores[0], timeout=self._seconds(within_s))
                )
                return
        if getattr(answer, "rejected", 0):
            said = "; ".join(problem.message for problem in answer.errors)
            raise LangfuseRequestError(f"langfuse rejected the score: {self._short(said)}")

    def not_langfuse(self, what: str) -> LangfuseRequestError:
        """The error for an answer that Langfuse would not give.

        Args:
            what: What was asked for, and what was wrong.
        """
        return LangfuseRequestError(
            f"{self.settings.base_url} did not answer as Langfuse does ({what}): check LANGFUSE_BASE_URL"
        )

    def _get(self, path: str, parameters: Mapping[str, Any], within_s: float) -> dict[str, Any]:
        what = "v1 traces"
        with self._errors(what):
            response = self._http.get(self._url(path), params=dict(parameters), timeout=self._seconds(within_s))
            answer = self._checked(response).json()
        if not isinstance(answer, dict):
            raise self.not_langfuse(what)
        return answer

    def _url(self, path: str) -> str:
        return f"{self.settings.base_url}/{path}"

    def _options(self, within_s: float) -> RequestOptions:
        # The SDK would sleep between tries, where it cannot be cancelled; and it takes whole seconds.
        return {"max_retries": 0, "timeout_in_seconds": self._seconds(within_s)}

    def _seconds(self, within_s: float) -> int:
        return max(1, math.ceil(min(within_s, self._timeout_s)))

    def _checked(self, response: Any) -> Any:
        """The response if it is a success, else an error that looks like the SDK's."""
        if response.is_success:
            return response
        raise self._sdk_error(status_code=response.status_code, headers=dict(response.headers), body=response.text)

    @contextmanager
    def _errors(self, what: str, *, missing: bool = False) -> Iterator[None]:
        """Put what the SDK, the connection and the answer raise into this room's errors."""
        try:
            yield
        except self._httpx.TimeoutException as error:
            raise LangfuseUnavailableError(
                f"langfuse at {self.settings.base_url} did not answer in time ({what}): try again later"
            ) from error
        except self._httpx.TransportError as error:
            raise LangfuseUnavailableError(
                f"langfuse at {self.settings.base_url} cannot be reached ({type(error).__name__}): "
                "check LANGFUSE_BASE_URL and the network"
            ) from error
        except ValueError as error:  # no JSON, or JSON of another shape
            raise self.not_langfuse(f"{what}, {type(error).__name__}") from None
        except self._sdk_error as error:
            # It repeats all headers and the whole body: it is not kept as the cause.
            raise self._error_of(error, what, missing) from None

    def _error_of(self, error: ApiError, what: str, missing: bool) -> LangfuseError:
        where, status = self.settings.base_url, error.status_code or 0
        if status in (401, 403):
            return LangfuseAccessError(
                f"langfuse at {where} does not accept the keys ({status}, {what}): "
                "check LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY and that they belong to this address"
            )
        if missing and status in _MISSING_API:
            return ApiMissingError(f"langfuse at {where} has no {what} API ({status})")
        if status == 404 and what == "v1 traces":
            return TraceNotFoundError(f"langfuse at {where} has no such trace, or not yet")
        if status in (408, 429) or status >= 500:
            return LangfuseUnavailableError(
                f"langfuse at {where} cannot answer now ({status}, {what}): try again later",
                retry_after_s=_retry_after(error.headers or {}),
            )
        if 200 <= status < 400:
            return self.not_langfuse(f"{status}, {what}")
        said = self._short(_message(error.body)) or "it did not say why"
        return LangfuseRequestError(f"langfuse at {where} refused the request ({status}, {what}): {said}")

    def _short(self, text: str) -> str:
        line = " ".join(self.settings.without_keys(text).split())
        return line if len(line) <= _LONGEST_MESSAGE else line[:_LONGEST_MESSAGE] + "..."


def _message(body: object) -> str:
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return str(body)
    if isinstance(body, Mapping):
        return str(body.get("message") or body.get("error") or "")
    return ""


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds to wait, by ``Retry-After`` as a number or a date; 0 where it is missing or cannot be read."""
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0
