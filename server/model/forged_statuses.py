"""Statuses and check runs under our names that somebody else wrote (R40). Pure.

Anybody with write access can set any status: what we said there is told again, and people hear of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from server.model.integrations import StoredRegistration

MAX_CORRECTIONS = 20
"""Of one context of one commit (R40): GitHub takes no more than 1 000 statuses of it, and whoever overwrites ours each
time will not be stopped by another one."""
SHOWN = timedelta(days=7)
"""So long `integration registered describe` and `doctor` speak of one."""
CHECK_RUN = "check-run"
"""The surface of a check run; the other one is `status`."""


@dataclass(frozen=True, slots=True)
class SeenStatus:
    """A status or a check run under one of our names, as a verified webhook tells of it."""

    surface: str
    sha: str
    context: str
    number: str
    """The forge's own, of the status or check run."""
    state: str
    by: str
    """Login of who wrote it."""
    app_id: str | None = None
    """Of a check run: the App that it belongs to."""

    @classmethod
    def of(cls, facts: Mapping[str, object]) -> SeenStatus | None:
        """Return what the facts of a `status.seen` event say, or None where they lack something."""
        surface = str(facts.get("surface") or "")
        number = facts.get("checkRunId" if surface == CHECK_RUN else "statusId")
        words = [facts.get(name) for name in ("sha", "context", "state")]
        if not surface or not number or not all(words):
            return None
        sha, context, state = map(str, words)
        app_id = facts.get("appId")
        by = str(facts.get("by") or "")
        return cls(surface, sha, context, str(number), state[:64], by[:255], str(app_id) if app_id else None)


@dataclass(frozen=True, slots=True)
class Author:
    """Who a registration writes as."""

    login: str
    app_id: str | None = None
    """Of a registration that speaks as an App."""

    @classmethod
    def of(cls, registration: StoredRegistration) -> Author | None:
        """Return what the last check of a registration found, or None where it did not."""
        app, login = registration.facts.get("app"), registration.facts.get("login")
        if app:
            number = registration.settings.get("appId")
            return cls(f"{app}[bot]".lower(), str(number) if number else None)
        return cls(str(login).lower()) if login else None

    def wrote(self, seen: SeenStatus) -> bool:
        """Tell whether it is ours. Whoever else uses the same account cannot be told from us."""
        if seen.surface == CHECK_RUN:
            return self.app_id is not None and seen.app_id == self.app_id
        return seen.by.lower() == self.login


@dataclass(frozen=True, slots=True)
class ForgedStatus:
    """A row of `forged_statuses`."""

    organization_id: str
    source_id: str
    sha: str
    context: str
    surface: str
    number: str
    state: str
    by: str
    at: datetime
    is_corrected: bool
    """Whether what we said was told again; False: it was told often enough, and people have to look."""
