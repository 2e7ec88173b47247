"""What the webhooks of forges have in common: GitLab's push has the fields of GitHub's.

Sources: GitHub Docs, "Webhook events and payloads"; GitLab Docs, "Webhook events".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from server.inbound.reading import at, commit, text
from server.model.events import EventKind
from server.model.forge_facts import MAX_CHANGED_PATHS, Head
from server.model.inbound_facts import NOWHERE, InboundFacts, Note, SeenHead

BRANCHES = "refs/heads/"


def read_event(known: Mapping[str, Callable[[object], InboundFacts]], event: str, payload: object) -> InboundFacts:
    """Return what a payload says by the one of `known` for its event; nothing, for any other event."""
    read = known.get(event)
    return read(payload) if read else InboundFacts()


def read_push(
    payload: object,
    *,
    told_at: datetime,
    is_branch_new: bool,
    changed_paths: tuple[str, ...] | None,
    is_bot: bool = False,
    is_protected: bool | None = None,
) -> InboundFacts:
    """Read the push of a branch; a tag makes no commit the head of anything that is to be merged."""
    ref, before, after = text(payload, "ref") or "", commit(payload, "before"), commit(payload, "after")
    sha = after or before
    if sha is None or not ref.startswith(BRANCHES):
        return InboundFacts()
    head = Head(
        **NOWHERE,
        sha=sha,
        event="push",
        branch=ref.removeprefix(BRANCHES),
        told_at=told_at,
        is_branch_new=is_branch_new,
        is_bot=is_bot,
        is_protected=is_protected,
        changed_paths=changed_paths if after else None,
        is_open=after is not None,
    )
    return InboundFacts(heads=(SeenHead(head, before),))


def changed_paths(commits: list[object]) -> tuple[str, ...] | None:
    """Return the paths that commits name; None where there are too many, or a commit does not say."""
    paths: set[str] = set()
    for each in commits:
        for kind in ("added", "modified", "removed"):
            named = at(each, kind)
            if not isinstance(named, list):
                return None
            # A path that could not be stored as it is would be another one.
            if any(not isinstance(path, str) or text({"": path}, "") != path for path in named):
                return None
            paths.update(named)
        if len(paths) > MAX_CHANGED_PATHS:
            return None
    return tuple(sorted(paths))


def noted(kind: EventKind, subject: str, facts: Mapping[str, object]) -> InboundFacts:
    """Return an event that a payload asks for, with the facts that it names."""
    known = {name: value for name, value in facts.items() if value is not None}
    return InboundFacts(notes=(Note(kind.value, subject, known),))
