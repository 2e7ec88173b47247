"""Which repositories a registration's credential shows: listed daily, page after page, by the dispatcher. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chainloop_ci.api.inventories import RepositoryInventory, UncoveredRepository
from chainloop_ci.api.source_address import SourceAddress, SourceKind
from server.model.stored_text import storable

EVERY = timedelta(hours=24)
"""How old a list becomes before the next one is begun."""
RETRY = timedelta(hours=1)
"""So long a forge is left alone that did not answer."""
STALE = timedelta(days=2)
"""A list that was not ended for so long is begun anew: what was listed first may be gone."""
MAX_PAGES = 200
"""Of one list, 20 000 repositories: whoever sees more is told that some are left out."""

MAX_ID = 64
"""Characters of the number of a repository."""
MAX_TEXT = 1024
"""Characters of a name, or of what a forge says is wrong."""


@dataclass(frozen=True, slots=True)
class ForgeRepository:
    """A repository as a forge lists it."""

    repository_id: str
    """The forge's own number."""
    name: str
    """Full name: `acme/app`, `group/sub/app`."""
    is_archived: bool = False
    is_fork: bool = False


@dataclass(frozen=True, slots=True)
class RepositoryPage:
    """One page of a list, or why there is none."""

    repositories: tuple[ForgeRepository, ...] = ()
    after: str | None = None
    """Where the next page begins, in the integration's own words; None: this is the last one."""
    finding: str = ""
    """What the forge says is wrong; nothing was listed then, and the page is asked for again later."""

    def storable(self) -> RepositoryPage:
        """Return it as every database takes it, without repositories whose name or number none would keep as it is.

        A forge may be anybody's own server, and what it says is written down beside what all others say.
        """
        kept = (item for item in self.repositories if _is_kept(item.repository_id, MAX_ID) and _is_kept(item.name))
        after = self.after if self.after is None else storable(self.after, MAX_TEXT)
        return RepositoryPage(tuple(kept), after, storable(self.finding, MAX_TEXT))


@dataclass(frozen=True, slots=True)
class Inventory:
    """A row of `inventories`: how far the list of a registration is."""

    registration_id: str
    organization_id: str
    host: str
    """Of the registration when the list was begun."""
    begun_at: datetime | None = None
    """Of the list that is under way; None: none is."""
    after: str = ""
    """Where it goes on."""
    pages: int = 0
    tried_at: datetime | None = None
    finding: str = ""
    """Why the last page was not there."""
    listed_at: datetime | None = None
    """When the last list that was ended had begun: everything in it is at least as new."""
    is_complete: bool = True
    """Whether that list has everything that the credential shows."""

    def is_due(self, now: datetime) -> bool:
        """Tell whether a page is to be asked for."""
        if self.finding and self.tried_at is not None and self.tried_at <= now < self.tried_at + RETRY:
            return False
        if self.begun_at is not None or self.listed_at is None:
            return True
        # A clock that was set back must not put it off for long.
        return not self.listed_at <= now < self.listed_at + EVERY

    def started(self, now: datetime) -> Inventory:
        """Return it with a list under way: the one that was begun, or a new one."""
        if self.begun_at is not None and self.begun_at <= now < self.begun_at + STALE:
            return self
        return replace(self, begun_at=now, after="", pages=0)

    def failed(self, finding: str, now: datetime) -> Inventory:
        """Return it after a page that did not come; the list goes on from there."""
        return replace(self, finding=finding, tried_at=now)

    def turned(self, page: RepositoryPage, now: datetime) -> Inventory:
        """Return it after a page: further, or at its end."""
        further = replace(self, finding="", tried_at=now, pages=self.pages + 1, after=page.after or "")
        if page.after is not None and further.pages < MAX_PAGES:
            return further
        return replace(
            further, begun_at=None, after="", pages=0, listed_at=self.begun_at, is_complete=page.after is None
        )


@dataclass(frozen=True, slots=True)
class InventoryFacts:
    """A registration that lists repositories, and what came of it."""

    registration_id: str
    registration: str
    kind: str
    host: str
    inventory: Inventory | None
    """None: nothing was listed yet."""
    repositories: int
    """How many are known."""

    def api(self) -> RepositoryInventory:
        """Return the wire form."""
        known = self.inventory
        return RepositoryInventory(
            registration_id=self.registration_id,
            registration=self.registration,
            kind=SourceKind(self.kind),
            url=self.host,
            repositories=self.repositories,
            listed_at=known.listed_at if known else None,
            is_complete=known.is_complete if known else True,
            finding=known.finding if known else "",
        )


@dataclass(frozen=True, slots=True)
class Uncovered:
    """A repository that no workflow comes from."""

    kind: str
    host: str
    repository: ForgeRepository
    registration_id: str
    registration: str
    first_seen_at: datetime
    seen_at: datetime

    @property
    def address(self) -> SourceAddress:
        """Return it as a source is named."""
        return SourceAddress(SourceKind(self.kind), self.host, self.repository.name)

    def api(self) -> UncoveredRepository:
        """Return the wire form."""
        return UncoveredRepository(
            source=str(self.address),
            repository_id=self.repository.repository_id,
            registration=self.registration,
            registration_id=self.registration_id,
            first_seen_at=self.first_seen_at,
            seen_at=self.seen_at,
            is_archived=self.repository.is_archived,
            is_fork=self.repository.is_fork,
        )


def _is_kept(text: str, limit: int = MAX_TEXT) -> bool:
    return bool(text) and storable(text, limit) == text
