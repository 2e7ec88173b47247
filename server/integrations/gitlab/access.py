"""Clients of GitLab for a registration: one for each try, whose requests share the time of the try."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog

from server.errors import EgressError
from server.integrations.answers import RefusedError, no_answer
from server.integrations.gitlab.outcomes import outcome_of
from server.integrations.gitlab.words import TOKEN
from server.integrations.types import TRY_SECONDS, Target, Tools
from server.model.deliveries import Outcome, OutcomeKind

if TYPE_CHECKING:
    from gitlab import Gitlab
    from gitlab.v4.objects import Project

PAGE = 100
"""Items of a page: the most that GitLab gives."""
REQUEST_SECONDS = 15.0
"""For one request: GitLab waits ten seconds for the lock of a commit's statuses before it answers."""
_LEAST_SECONDS = 0.05
UNREADABLE = (AttributeError, LookupError, TypeError, ValueError)
"""What reading an answer raises that is JSON, but not what GitLab's API describes."""

_log = structlog.get_logger("server.integrations")


@dataclass(slots=True)
class Access:
    """A client, and what its last answer said in its headers."""

    client: Gitlab
    target: Target
    now: Callable[[], datetime]
    ends_at: datetime
    """When the requests together have taken as long as they may."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def project(self, number: int) -> Project:
        """Return a project by its number, without a request."""
        return self.client.projects.get(number, lazy=True)

    def hear(self, response: Any, *_: Any, **__: Any) -> None:
        """Keep the headers of an answer, which python-gitlab hands on with no error, and shorten the next request."""
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        left = (self.ends_at - self.now()).total_seconds()
        self.client.timeout = min(max(left, _LEAST_SECONDS), REQUEST_SECONDS)


def open_access(target: Target, tools: Tools, seconds: float = TRY_SECONDS) -> Access:
    """Return a client for requests that together take `seconds`.

    Raises:
        EgressRefusedError: nothing will be sent there.
    """
    from server.egress.gitlab import gitlab_client

    token = target.credentials.get(TOKEN, "")
    client = gitlab_client(tools.transport, target.host, private_token=token, seconds=REQUEST_SECONDS)
    client.per_page = PAGE
    access = Access(client, target, tools.now, tools.now() + timedelta(seconds=seconds))
    client.session.hooks["response"].append(access.hear)
    return access


def ask(target: Target, tools: Tools, need: str, attempt: int, work: Callable[[Access], Outcome]) -> Outcome:
    """Do something with a client and return its outcome, or what its failure means.

    `need`: scope and role that are asked for, as GitLab names them.
    """
    from gitlab import GitlabError

    try:
        access = open_access(target, tools)
        try:
            return work(access)
        except GitlabError as error:
            return outcome_of(error, need, attempt, access.headers)
        except UNREADABLE as error:
            return unreadable(error)
    except EgressError as error:
        return no_answer(error)
    except RefusedError as error:
        return error.outcome


def unreadable(error: Exception) -> Outcome:
    """Return what an answer means that is none of GitLab's: a page of whatever stands before it, say.

    Whether a defect of ours is behind it, the log can tell.
    """
    *_, last = traceback.extract_tb(error.__traceback__)
    _log.warning("gitlab-answer-unreadable", error=type(error).__name__, where=f"{last.filename}:{last.lineno}")
    detail = "expected what GitLab's API describes, found something else; is the address GitLab's own?"
    return Outcome(OutcomeKind.RETRY, "answer-unreadable", detail, blames_target=True)
