"""What events become for every forge: questions to it, our webhook at it, a notice to a team. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from chainloop_ci.api.record import from_dict
from server.integrations.types import Part
from server.model.announcements import Announcement
from server.model.event_repository import repository_of
from server.model.events import Event, EventKind
from server.model.forge_answers import CI_RUN, HEAD, HOOK, HeadQuestion, HookQuestion
from server.model.integrations import StoredAttachment

NOTICE = "notice"
"""The part that tells a team what will be required."""


class NoticeMode(StrEnum):
    """How teams are told what a contract will ask of them: values of an attachment's setting `notices`."""

    ISSUE = "issue"
    OFF = "off"


QUESTIONS = (
    EventKind.RUN_INITIALIZED,
    EventKind.RUN_SUCCEEDED,
    EventKind.RUN_FAILED,
    EventKind.RUN_CANCELED,
    EventKind.RUN_EXPIRED,
)
"""Events of runs whose claims are compared with what the forge knows (R30)."""
ALWAYS = (
    *(kind.value for kind in QUESTIONS),
    EventKind.HEAD_SEEN.value,
    EventKind.HOOK_ASKED.value,
    EventKind.CONTRACT_ANNOUNCED.value,
    EventKind.CI_RUN_SEEN.value,
)
"""Of these every registration of a forge is told, whatever an attachment filters: they ask it something."""


def common_parts(event: Event, attachment: StoredAttachment, kind: str) -> tuple[Part, ...]:
    """Return what is asked and told because of an event at a forge of `kind`; nothing where it is of another one."""
    # Of a CI run that perhaps has ended, and of a run that it would leave open: the forge is asked once more.
    if event.kind in QUESTIONS or (event.kind is EventKind.CI_RUN_SEEN and event.run_id):
        return _ci_run(event, kind)
    if not is_of(event, kind):
        return ()
    if event.kind is EventKind.HEAD_SEEN:
        return _head(event)
    if event.kind is EventKind.HOOK_ASKED:
        question = from_dict(HookQuestion, event.facts)
        return (Part(HOOK, f"hook:{question.source_id}", dict(event.facts)),)
    return _notice(event, attachment) if event.kind is EventKind.CONTRACT_ANNOUNCED else ()


def is_of(event: Event, kind: str) -> bool:
    """Tell whether an event is about a repository of a forge of `kind`."""
    asked = event.facts.get("repository")
    return isinstance(asked, Mapping) and asked.get("kind") == kind


def _head(event: Event) -> tuple[Part, ...]:
    # What a closed one would have changed is of no concern any more.
    if event.facts.get("isOpen") is False:
        return ()
    question = from_dict(HeadQuestion, event.facts)
    lane = f"head:{question.source_id}@{question.sha}:{question.pull_request or question.branch or ''}"
    return (Part(HEAD, lane, dict(event.facts), replaces_older=True),)


def _notice(event: Event, attachment: StoredAttachment) -> tuple[Part, ...]:
    if attachment.settings.get("notices") == NoticeMode.OFF:
        return ()
    announced = Announcement.from_facts(event.facts)
    if not announced.names_allowed:
        # R47: what is asked for is not for every reader of the repository.
        hidden = tuple(replace(item, requirements=()) for item in announced.workflows)
        announced = replace(announced, workflows=hidden)
    return (Part(NOTICE, announced.lane, announced.to_facts()),)


def _ci_run(event: Event, kind: str) -> tuple[Part, ...]:
    ci: Any = event.facts.get("ci")
    place = repository_of(event)
    if not isinstance(ci, Mapping) or ci.get("provider") != kind or place is None or not ci.get("runId"):
        return ()
    content = {"runId": event.run_id, "host": place.host, "repository": place.name, "ciRunId": ci["runId"]}
    # Where attempts are counted: GitLab counts none.
    attempt = {"attempt": ci["runAttempt"]} if ci.get("runAttempt") is not None else {}
    if event.kind is EventKind.CI_RUN_SEEN:
        content |= {"mayEnd": True}
    # What is asked later is answered with more: one answer will do.
    return (Part(CI_RUN, f"ci-run:{event.run_id}", content | attempt, replaces_older=True),)
