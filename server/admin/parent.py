"""Processes that end with the one that forked them: what they inherit would keep the next server from data and port."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

LOOK_SECONDS = 0.5


def end_with(parent_id: int) -> None:
    """End this process soon after its parent has ended, whatever it is at: only for one that may be killed anywhere.

    `parent_id` was asked for before the fork: a parent that has ended since is another one by now.
    """
    threading.Thread(target=_watch, args=(parent_id,), name="parent", daemon=True).start()


def wait_for_end(parent_id: int, pause: Callable[[float], None] = time.sleep) -> None:
    """Return soon after a parent has ended."""
    while os.getppid() == parent_id:
        pause(LOOK_SECONDS)


def _watch(parent_id: int) -> None:
    wait_for_end(parent_id)
    # Without a word: whoever reads the log may have ended too, or stopped reading, and a full pipe would keep us.
    os._exit(1)
