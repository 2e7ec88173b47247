"""List the repositories of forges, and say which of them no workflow comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from sqlalchemy import Connection

from chainloop_ci.api.inventories import RepositoryInventory, UncoveredRepository
from chainloop_ci.api.paging import Page
from server.integrations.types import Integration
from server.model.integrations import RegistrationState, StoredRegistration
from server.model.inventories import Inventory, RepositoryPage
from server.model.paging import Paging, bind
from server.model.principal import Principal
from server.services.third_parties import AT_ONCE, ThirdParties
from server.store import inventories, registrations
from server.store.database import Database

LONGEST = timedelta(seconds=60)
"""After so long a sweep begins no other page: runs expire by the same dispatcher."""


class InventorySweep:
    """The use case of the dispatcher: page after page, each written down, so that the next sweep goes on there."""

    def __init__(self, database: Database, now: Callable[[], datetime], third_parties: ThirdParties) -> None:
        self._database = database
        self._now = now
        self._third_parties = third_parties
        self._last = ""

    def list_all(self) -> Iterator[Mapping[str, int]]:
        """Bring every list that is due to its end, a few forges at a time; yield after every page of theirs.

        Each time it begins behind those that were asked last: lists that never end leave time for others.
        """
        until = self._now() + LONGEST
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="inventory") as pool:
            for found in self._groups():
                with self._database.read() as connection:
                    due = [item for item in found if self._is_due(connection, item)]
                while due and self._now() < until:
                    self._last = found[-1].id
                    begun = [self._begin(item) for item in due]
                    pages = list(pool.map(self._ask, due, begun))
                    due = [each[0] for each in zip(due, begun, pages, strict=True) if self._note(*each)]
                    yield _counts(pages)

    def _groups(self) -> Iterator[Sequence[StoredRegistration]]:
        """Yield all registrations by id, a few at a time, from those on that come after the last that were asked."""
        first = after = self._last
        is_round = not first
        while True:
            with self._database.read() as connection:
                found = registrations.list_kept_of_all(connection, after=after, limit=AT_ONCE)
            group = [item for item in found if not (is_round and first) or item.id <= first]
            if group:
                yield group
                after = group[-1].id
            elif is_round:
                return
            else:
                after, is_round = "", True

    def _is_due(self, connection: Connection, registration: StoredRegistration) -> bool:
        known = self._third_parties.integrations.get(registration.kind)
        if known is None or known.list_repositories is None or registration.state is not RegistrationState.ACTIVE:
            return False
        inventory = inventories.find(connection, registration)
        return inventory is None or inventory.is_due(self._now())

    def _begin(self, registration: StoredRegistration) -> Inventory:
        with self._database.read() as connection:
            known = inventories.find(connection, registration)
        new = Inventory(registration.id, registration.organization_id, registration.host)
        return (known or new).started(self._now())

    def _ask(self, registration: StoredRegistration, begun: Inventory) -> RepositoryPage:
        """Return the next page; that there is none is a finding."""
        list_repositories = self._third_parties.integrations[registration.kind].list_repositories
        if list_repositories is None:
            raise ValueError(f"{registration.kind} lists no repositories")
        return self._third_parties.ask(
            registration,
            lambda target, tools: list_repositories(target, begun.after, tools).storable(),
            lambda finding: RepositoryPage(finding=finding).storable(),
        )

    def _note(self, registration: StoredRegistration, begun: Inventory, page: RepositoryPage) -> bool:
        """Write a page down, and tell whether the list goes on."""
        now = self._now()
        with self._database.write() as connection:
            kept = registrations.find(connection, registration.organization_id, registration.id)
            if kept is None or kept.removed_at is not None or _lists_otherwise(kept, registration):
                # Somebody changed it meanwhile: the page is of what it was.
                return False
            if page.finding:
                inventories.save(connection, begun.failed(page.finding, now))
                return False
            inventories.put(connection, registration, page.repositories, begun.begun_at or now)
            further = begun.turned(page, now)
            inventories.save(connection, further)
            if further.begun_at is None and further.listed_at is not None:
                inventories.forget_unseen(connection, registration, further.listed_at)
            return further.begun_at is not None


class Inventories:
    """Use cases of operators."""

    def __init__(self, database: Database, integrations: Mapping[str, Integration]) -> None:
        self._database = database
        self._kinds = listing_kinds(integrations)

    def list_uncovered(self, principal: Principal, paging: Paging) -> Page[UncoveredRepository]:
        """Return repositories that no workflow comes from, by their addresses.

        Raises:
            NotAllowedError: the token does not reach the whole organization.
        """
        principal.require_reach(project_id=None)
        binding = bind("uncovered", principal.organization_id)
        after = paging.after(binding, ("", ""))
        with self._database.read() as connection:
            found = inventories.list_uncovered(
                connection, principal.organization_id, after=after, limit=paging.limit + 1
            )
        page = paging.page(found, binding, lambda item: (item.address.key, item.repository.repository_id))
        return Page(tuple(item.api() for item in page.items), page.next_cursor)

    def list(self, principal: Principal) -> Page[RepositoryInventory]:
        """Return every registration that lists repositories, with how old its list is.

        Raises:
            NotAllowedError: the token does not reach the whole organization.
        """
        principal.require_reach(project_id=None)
        with self._database.read() as connection:
            found = inventories.list_facts(connection, principal.organization_id, self._kinds)
        return Page(tuple(item.api() for item in found))


def listing_kinds(integrations: Mapping[str, Integration]) -> tuple[str, ...]:
    """Return the kinds of integrations that list repositories."""
    return tuple(kind for kind, item in sorted(integrations.items()) if item.list_repositories is not None)


def forget_repositories_of(connection: Connection, before: StoredRegistration, after: StoredRegistration) -> None:
    """Forget what was listed for a registration that looks at other accounts now, or elsewhere."""
    if _lists_otherwise(before, after):
        inventories.forget(connection, before)


def _lists_otherwise(one: StoredRegistration, other: StoredRegistration) -> bool:
    return one.host != other.host or frozenset(one.repositories) != frozenset(other.repositories)


def _counts(pages: Sequence[RepositoryPage]) -> Mapping[str, int]:
    return {
        "pages": sum(not page.finding for page in pages),
        "repositories": sum(len(page.repositories) for page in pages),
        "failed": sum(bool(page.finding) for page in pages),
    }
