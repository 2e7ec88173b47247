"""What an event becomes: a verdict to be told, or a question to be asked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chainloop_ci.api.record import from_dict
from server.integrations.github.words import COMMENT, KIND, NOTICE, VERDICT, NoticeMode
from server.integrations.types import Part
from server.model.announcements import Announcement
from server.model.event_repository import repository_of
from server.model.events import Event, EventKind
from server.model.forge_answers import CI_RUN, HEAD, HOOK, HeadQuestion, HookQuestion
from server.model.gate_requests import PROTECTION, GateContent
from server.model.integrations import StoredAttachment
from server.model.verdict_content import VerdictContent

QUESTIONS = (
    EventKind.RUN_INITIALIZED,
    EventKind.RUN_SUCCEEDED,
    EventKind.RUN_FAILED,
    EventKind.RUN_CANCELED,
    EventKind.RUN_EXPIRED,
)
"""Events of runs whose claims are compared with what the forge knows (R30)."""


def parts(event: Event, attachment: StoredAttachment) -> tuple[Part, ...]:
    """Return what is told and asked because of an event; nothing where it is of another forge."""
    if event.kind is EventKind.VERDICT_CHANGED:
        return _verdict(VerdictContent.from_facts(event.facts), attachment)
    if event.kind is EventKind.HEAD_SEEN:
        return _head(event)
    if event.kind is EventKind.GATE_ANSWERED:
        return _gate(event)
    if event.kind is EventKind.HOOK_ASKED:
        return _hook(event)
    if event.kind is EventKind.CONTRACT_ANNOUNCED:
        return _notice(event, attachment)
    return _ci_run(event) if event.kind in QUESTIONS else ()


def _verdict(content: VerdictContent, attachment: StoredAttachment) -> tuple[Part, ...]:
    if content.repository.kind != KIND:
        return ()
    told = [Part(VERDICT, content.lane, content.to_facts(), replaces_older=True)]
    if attachment.settings.get("comment") and content.pull_request is not None:
        place = f"{content.repository.host}/{content.repository.id}#{content.pull_request}"
        # Not replaced by a newer one: contexts share the comment, and each has its line.
        told.append(Part(COMMENT, f"{place}:comment", content.to_facts()))
    return tuple(told)


def _gate(event: Event) -> tuple[Part, ...]:
    if not _is_ours(event):
        return ()
    content = GateContent.from_facts(event.facts)
    return (Part(PROTECTION, content.lane, content.to_facts(), replaces_older=True),)


def _hook(event: Event) -> tuple[Part, ...]:
    if not _is_ours(event):
        return ()
    question = from_dict(HookQuestion, event.facts)
    return (Part(HOOK, f"hook:{question.source_id}", dict(event.facts)),)


def _notice(event: Event, attachment: StoredAttachment) -> tuple[Part, ...]:
    if not _is_ours(event) or attachment.settings.get("notices") == NoticeMode.OFF:
        return ()
    announced = Announcement.from_facts(event.facts)
    if not announced.names_allowed:
        # R47: what is asked for is not for every reader of the repository.
        hidden = tuple(replace(item, requirements=()) for item in announced.workflows)
        announced = replace(announced, workflows=hidden)
    return (Part(NOTICE, announced.lane, announced.to_facts()),)


def _is_ours(event: Event) -> bool:
    asked = event.facts.get("repository")
    return isinstance(asked, Mapping) and asked.get("kind") == KIND


def _head(event: Event) -> tuple[Part, ...]:
    # What a closed one would have changed is of no concern any more.
    if not _is_ours(event) or event.facts.get("isOpen") is False:
        return ()
    question = from_dict(HeadQuestion, event.facts)
    lane = f"head:{question.source_id}@{question.sha}:{question.pull_request or question.branch or ''}"
    return (Part(HEAD, lane, dict(event.facts), replaces_older=True),)


def _ci_run(event: Event) -> tuple[Part, ...]:
    ci: Any = event.facts.get("ci")
    place = repository_of(event)
    if not isinstance(ci, Mapping) or ci.get("provider") != KIND or place is None or not ci.get("runId"):
        return ()
    content = {
        "runId": event.run_id,
        "host": place.host,
        "repository": place.name,
        "ciRunId": ci["runId"],
        "attempt": ci.get("runAttempt"),
    }
    # What is asked later is answered with more: one answer will do.
    return (Part(CI_RUN, f"ci-run:{event.run_id}", content, replaces_older=True),)
