"""Collects what the runners need to know of the machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from chainloop_ci.errors import UsageError
from chainloop_ci.runners.registry import discover, probe_paths
from chainloop_ci.runners.types import Env, HostFacts, Pod
from chainloop_ci.runners.values import MAX_SHORT_CHARACTERS, clean

ReadPod = Callable[[Env, Callable[[str], None]], Pod]


def look_around(env: Env) -> HostFacts:
    """Return what it takes to recognise the runner: the environment and those of the registry's paths that exist."""
    return HostFacts(env=env, existing_paths=frozenset(path for path in probe_paths() if os.path.lexists(path)))


def collect_facts(
    env: Env,
    *,
    cwd: Path,
    job_index: str | None = None,
    job_workflow: str | None = None,
    notify: Callable[[str], None] | None = None,
    read_pod: ReadPod | None = None,
) -> HostFacts:
    """Return everything that a job's identity may be made of: the event document and the pod too.

    `notify` is told why the document or the pod could not be used; it is never a reason to stop. Kubernetes is asked,
    by `read_pod`, only where the runner says that it makes something of the answer.

    Raises:
        UsageError: the leg that was typed cannot be recorded.
    """
    tell = notify or (lambda message: None)
    seen = look_around(env)
    return HostFacts(
        env=env,
        existing_paths=seen.existing_paths,
        event=_read_event(env, cwd, tell),
        pod=(read_pod or _read_pod)(env, tell) if discover(seen).asks_pod else Pod(),
        job_index=_leg(job_index),
        job_workflow=job_workflow,
    )


def _leg(typed: str | None) -> str | None:
    """Return the matrix leg that was typed, held to what a CI system's own variable is held to."""
    leg = clean(typed, MAX_SHORT_CHARACTERS)
    if typed and leg is None:
        raise UsageError(
            f"--job-index: expected one line of at most {MAX_SHORT_CHARACTERS} characters, found {typed[:40]!r}",
            hint="give the number or the name of the matrix leg; leave it out in a job that is not one of several",
        )
    return leg


def _read_event(env: Env, cwd: Path, notify: Callable[[str], None]) -> Mapping[str, object]:
    from chainloop_ci.workspace.event import read_event

    path = env.get("GITHUB_EVENT_PATH")
    if not path:
        return {}
    found = read_event(cwd / path)
    if found.notice:
        notify(found.notice)
    return found.document


def _read_pod(env: Env, notify: Callable[[str], None]) -> Pod:
    from chainloop_ci.workspace.facts_kubernetes import ServiceAccount, read_pod

    return read_pod(env, ServiceAccount(), notify)
