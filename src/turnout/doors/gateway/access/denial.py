"""Why a request is not let in, in no protocol's words: a door puts it into its own shape."""

from __future__ import annotations

from typing import Literal

import msgspec


class Denial(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request is not let in.

    Attributes:
        status: 401: who asks is not known; 403: the one who asks may not do this; 429: not now.
        code: A short name with underscores, such as ``invalid_key``.
        message: A sentence for the caller: no key, no prompt.
        retry_after_s: In how many seconds the same request may be let in; none: asking again is no use, or it is not
            known when.
    """

    status: Literal[401, 403, 429]
    code: str
    message: str
    retry_after_s: float | None = None
