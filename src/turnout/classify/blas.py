"""One thread for numpy's matrix products, while they are ours.

On products as small as these more threads gain little, and they wait for each other in busy loops: on a machine with
other work a query then takes six times as long (2 CPUs, measured: 12 ms with one thread, 70 ms with two).

Known limitation: without threadpoolctl nothing is limited; the environment's ``OPENBLAS_NUM_THREADS=1`` does the same.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from turnout.config.extras import MissingExtraError, require

logger = logging.getLogger(__name__)

# The number of BLAS threads is one for the whole process, so two callers must not change it at once.
_lock = threading.RLock()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """A context in which BLAS uses one thread; callers in other threads wait for each other."""
    with _lock:
        controller = _controller()
        if controller is None:
            yield
        else:
            with controller.limit(limits=1, user_api="blas"):
                yield


@functools.cache
def _controller() -> Any:
    """Of the BLAS that numpy loaded, or none without threadpoolctl."""
    require("numpy", extra="embedding")  # first: what is not loaded yet is not found
    try:
        return require("threadpoolctl", extra="embedding").ThreadpoolController()
    except MissingExtraError:
        logger.info("library=<threadpoolctl> | not installed, embedding may be slow on a busy machine")
        return None
