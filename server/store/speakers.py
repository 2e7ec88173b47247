"""R44: which organization speaks under a name on a repository. The queries that look at all organizations: they answer
whether somebody else does, and who that is never leaves the services.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, delete, insert, select, update

from server.model.sources import StoredSource
from server.store.event_tables import registration_repositories, registrations
from server.store.source_tables import status_contexts


def find_speaker(connection: Connection, forge: str, repository_id: str, context: str) -> str | None:
    """Return the one organization that may say something under this name there, or None: nobody does yet.

    Whose registration lists the repository speaks under every name, the roll-up's too: it alone has a credential, and
    there is one. Where none does, names are kept for whose workflows had them first.
    """
    return _find_listing(connection, forge, repository_id) or _find_owner(connection, forge, repository_id, context)


def claim_context(connection: Connection, source: StoredSource, context: str) -> bool:
    """Take a name on the source's repository for its organization; False: another one speaks under it."""
    if source.repository_id is None:
        raise ValueError("nobody owns contexts of a repository that its forge has not told of")
    named = {"forge": source.forge, "repository_id": source.repository_id, "context": context}
    if find_speaker(connection, **named) not in (None, source.organization_id):
        return False
    owner = _find_owner(connection, **named)
    if owner is None:
        connection.execute(insert(status_contexts).values(**named, organization_id=source.organization_id))
    elif owner != source.organization_id:
        # It had a registration once; whoever has one now speaks.
        known = and_(*(status_contexts.c[name] == value for name, value in named.items()))
        connection.execute(update(status_contexts).where(known).values(organization_id=source.organization_id))
    return True


def release_contexts(connection: Connection, source: StoredSource, contexts: Sequence[str]) -> None:
    """Let others have names that the organization owns on the source's repository."""
    columns = status_contexts.c
    own = (columns.organization_id == source.organization_id, columns.forge == source.forge)
    named = (columns.repository_id == source.repository_id, columns.context.in_(contexts))
    connection.execute(delete(status_contexts).where(*own, *named))


def _find_listing(connection: Connection, forge: str, repository_id: str) -> str | None:
    place = registration_repositories.c
    query = (
        select(place.organization_id)
        .join(registrations, registrations.c.id == place.registration_id)
        .where(
            # By the number first, which has an index: http and https lead to the same forge.
            place.host.in_([f"https://{forge}", f"http://{forge}"]),
            place.repository_id == repository_id,
            registrations.c.removed_at.is_(None),
        )
        .order_by(registrations.c.created_at, registrations.c.id)
        .limit(1)
    )
    return connection.execute(query).scalar()


def _find_owner(connection: Connection, forge: str, repository_id: str, context: str) -> str | None:
    columns = status_contexts.c
    named = (columns.forge == forge, columns.repository_id == repository_id, columns.context == context)
    return connection.execute(select(columns.organization_id).where(*named)).scalar()
