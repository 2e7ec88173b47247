"""Collects what the runners need to know of the machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from chainloop_ci.runners.registry import probe_paths
from chainloop_ci.runners.types import Env, HostFacts
from chainloop_ci.workspace.event import EventDocument, read_event


def collect_facts(env: Env, *, cwd: Path, notify: Callable[[str], None] | None = None) -> HostFacts:
    """Return the environment, those of the registry's paths that exist, and the event document.

    `notify` is told why an event document could not be used; it is never a reason to stop.
    """
    event = _read_event(env, cwd)
    if event.notice and notify:
        notify(event.notice)
    return HostFacts(
        env=env,
        existing_paths=frozenset(path for path in probe_paths() if os.path.lexists(path)),
        event=event.document,
    )


def _read_event(env: Env, cwd: Path) -> EventDocument:
    path = env.get("GITHUB_EVENT_PATH")
    return read_event(cwd / path) if path else EventDocument()
