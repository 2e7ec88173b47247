"""Events of what forges told, with everything that is asked because of them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.record import to_dict
from server.model.events import Event, EventKind
from server.model.forge_answers import HeadQuestion
from server.model.forge_facts import Head
from server.model.sources import StoredSource
from server.model.verdict_content import ForgeRepository
from server.store import sources


def head_seen(
    connection: Connection, source: StoredSource, head: Head, event_id: str, now: datetime, before: str | None = None
) -> Event:
    """Return the event of a head that a forge told of; `before` is the commit that its branch had until then.

    Its facts are the question that integrations ask the forge (`HeadQuestion`).
    """
    address = source.address
    files = {bound.expected.ci_file for bound, _, _ in sources.list_bindings(connection, source)}
    question = HeadQuestion(
        source_id=source.id,
        repository=ForgeRepository(address.kind.value, address.host, source.repository_id or "", address.repository),
        sha=head.sha,
        branch=head.branch or None,
        base_branch=head.base_branch,
        before=before,
        pull_request=int(head.pull_request) if head.pull_request.isdecimal() else None,
        event=head.event,
        ci_files=tuple(sorted(file for file in files if file)),
    )
    facts = to_dict(question)
    return Event(event_id, source.organization_id, EventKind.HEAD_SEEN, now, head.sha, facts=facts)
