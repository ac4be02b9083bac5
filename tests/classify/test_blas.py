"""One thread for numpy's matrix products."""

from __future__ import annotations

import threading

from turnout.classify.blas import one_blas_thread


def test_contexts_may_be_nested() -> None:
    with one_blas_thread(), one_blas_thread():
        pass


def test_callers_in_other_threads_wait() -> None:
    inside = 0
    most = 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(200):
            with one_blas_thread():
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
