"""Several things at once, none of which may fail unseen."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable

_REASONS = 3
"""So many different reasons are named; a thousand clients rarely have more."""


def run_together(actions: Iterable[Callable[[], object]]) -> float:
    """Run each action in a thread of its own, all at once, and return the seconds until the last one ended.

    Raises:
        RuntimeError: some failed, with whatever exception; says how many and why, the commonest reasons first.
    """
    failures: list[Exception] = []
    begin = threading.Event()

    def run(action: Callable[[], object]) -> None:
        begin.wait()
        try:
            action()
        except Exception as error:  # noqa: BLE001  # an exception that ends a thread is printed, and nobody is told
            failures.append(error)

    threads = [threading.Thread(target=run, args=(action,), daemon=True) for action in actions]
    for thread in threads:
        thread.start()
    start = time.perf_counter()
    begin.set()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    if failures:
        raise RuntimeError(f"{len(failures)} of {len(threads)} failed: {_reasons(failures)}") from failures[0]
    return seconds


def _reasons(failures: list[Exception]) -> str:
    counted = Counter(f"{type(error).__name__}: {error}" for error in failures).most_common(_REASONS)
    return "; ".join(f"{count} times {reason}" for reason, count in counted)
