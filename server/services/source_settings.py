"""What was told and decided of a repository: what may be named there (R47), and who passes unattested (R35)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.source_address import SourceAddress, SourceKind
from server.model.integrations import StoredRegistration
from server.model.sources import StoredSource
from server.services.commit_facts import settings_of
from server.services.judging import REMEMBERED
from server.store import commit_verdicts, sources


def learn_visibility(
    connection: Connection, registration: StoredRegistration, visibility: Mapping[str, bool], now: datetime
) -> None:
    """Write down what a forge told of the repositories of a registration, by their ids, when it was asked about it."""
    for item in registration.repositories:
        is_public = visibility.get(item.repository_id)
        if is_public is None:
            continue
        address = SourceAddress(SourceKind(registration.kind), item.host, item.name)
        source = sources.find_by_address(connection, registration.organization_id, address)
        # Another repository may have the old name by now.
        if source is not None and source.repository_id == item.repository_id and source.is_public != is_public:
            save_source(connection, source, replace(source, is_public=is_public), now)


def save_source(connection: Connection, before: StoredSource, after: StoredSource, now: datetime) -> None:
    """Write a source down, and where something else follows from it than before have its commits judged again.

    So names that nobody but members was to read are taken out of statuses when the repository is opened.
    """
    sources.save(connection, after)
    if _decides(after) != _decides(before):
        owned = [workflow_id for workflow_id, _, _ in sources.names_from(connection, after)]
        commit_verdicts.make_due(connection, after.organization_id, owned, now - REMEMBERED, now)


def _decides(source: StoredSource) -> tuple[object, ...]:
    return settings_of(source), source.token_is_protected
