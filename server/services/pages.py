"""The use cases of the pages for people."""

from __future__ import annotations

from dataclasses import dataclass

from server.auth.page_sessions import PageSessions
from server.services.overview import Overview
from server.services.verdict_pages import VerdictPages


@dataclass(frozen=True, slots=True)
class Pages:
    """The use cases of the pages for people."""

    sessions: PageSessions
    verdicts: VerdictPages
    overview: Overview
