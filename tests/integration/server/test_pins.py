"""Which revision of a contract is in force, and what a workflow brings with it, as the store finds them (R19)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import pytest

from server.model.contracts import StoredRevision
from server.model.pins import Pin
from server.model.revisions import Enforcement
from server.store import contracts, pins
from server.wiring import Services
from tests.integration.server.conftest import EPOCH, Tenant

DAY = timedelta(days=1)
FIRST = Enforcement(1, EPOCH)
"""Of the contract that every workflow has."""


@pytest.fixture
def find(services: Services, acme: Tenant) -> Callable[..., Pin]:
    """Return what finds the pin of `acme`'s workflow `app/build` at a time, after revisions with dates were added."""

    def find(now: datetime, added: Iterable[Enforcement] = (), revision: int | None = None) -> Pin:
        with services.database.write() as connection:
            pin = pins.find(connection, acme.id, acme.workflows["app/build"], None, EPOCH)
            assert pin and pin.revision
            for item in added:
                contracts.add_revision(connection, _dated(pin.revision, item))
            found = pins.find(connection, acme.id, acme.workflows["app/build"], revision, now)
            assert found
            return found

    return find


def _dated(like: StoredRevision, item: Enforcement) -> StoredRevision:
    raw = like.raw_body + f"# {item.revision}\n".encode()
    return StoredRevision(
        like.contract_id,
        like.organization_id,
        like.name,
        item.revision,
        item.revision,
        raw,
        like.format,
        like.digest,
        EPOCH,
        like.created_by,
        item.enforced_from,
    )


@pytest.mark.parametrize(
    ("after", "revision"),
    [(-DAY, None), (timedelta(0), 1), (DAY - timedelta(seconds=1), 1), (DAY, 2), (2 * DAY, 3)],
)
def test_r19_the_enforced_revision_is_the_newest_whose_date_has_passed(
    find: Callable[..., Pin], after: timedelta, revision: int | None
) -> None:
    pin = find(EPOCH + after, (Enforcement(2, EPOCH + DAY), Enforcement(3, EPOCH + 2 * DAY)))

    assert (pin.enforced and pin.enforced.revision) == revision


def test_r19_a_newer_revision_counts_before_an_older_one_with_a_later_date(find: Callable[..., Pin]) -> None:
    pin = find(EPOCH + DAY, (Enforcement(2, EPOCH + DAY), Enforcement(3, EPOCH)))

    assert pin.enforced == Enforcement(3, EPOCH)


@pytest.mark.parametrize(("asked", "found"), [(None, 1), (1, 1), (2, 2), (3, None), (0, None)])
def test_r38_the_revision_in_force_is_found_or_the_one_that_is_asked_for(
    find: Callable[..., Pin], asked: int | None, found: int | None
) -> None:
    pin = find(EPOCH, (Enforcement(2, EPOCH + DAY),), asked)

    assert (pin.revision and pin.revision.revision) == found
    assert pin.enforced == FIRST


def test_a_workflow_of_another_organization_is_not_found(services: Services, acme: Tenant, rival: Tenant) -> None:
    with services.database.read() as connection:
        pin = pins.find(connection, rival.id, acme.workflows["app/build"], None, EPOCH)

    assert pin is None
