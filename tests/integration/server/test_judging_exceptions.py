"""R38 and R39: what the server says of commits when requirements have a date, and when operators decide."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from server.services.passed_dates import PassedDates
from server.store.times import to_text
from server.wiring import Services
from tests.integration.server.conftest import EPOCH, Clock, Tenant
from tests.integration.server.jobs import COMMIT, CONTRACT, Job
from tests.integration.server.judged import Repository

STRICTER = CONTRACT.replace(b"  envAllowList:", b"    - {name: scan, type: SARIF}\n  envAllowList:")
DATE = EPOCH + timedelta(days=14)


@pytest.fixture
def repository(services: Services, api: Any, acme: Tenant) -> Repository:
    found = Repository(services, api, acme)
    found.register()
    return found


@pytest.fixture
def attested(repository: Repository, job: Job) -> Repository:
    """Return a repository whose commit is attested, by the forge's word too."""
    repository.see_head()
    repository.see_run()
    job.begin()
    job.add_everything()
    assert job.push().status_code == 201
    repository.end_run()
    assert repository.kind() == "success"
    return repository


@pytest.fixture
def apply(api: Any, acme: Tenant) -> Callable[..., Any]:
    def apply(raw: bytes, date: str = "") -> Any:
        query = f"?enforceFrom={date}" if date else ""
        headers = {"Content-Type": "application/yaml"}
        return api(acme.token("operate")).put(f"/contracts/app-build{query}", data=raw, headers=headers)

    return apply


@pytest.fixture
def decide(api: Any, acme: Tenant) -> Callable[..., Any]:
    def decide(kind: str, **fields: Any) -> Any:
        about = {} if kind == "distrust" else {"workflowId": acme.workflows["app/build"]}
        answer = api(acme.token("operate")).post("/overrides", json={"kind": kind, "reason": "why", **about, **fields})
        assert answer.status_code == 201, answer.text
        return answer.json["id"]

    return decide


@pytest.fixture
def end(api: Any, acme: Tenant) -> Callable[[str], Any]:
    return lambda ident: api(acme.token("operate")).post(f"/overrides/{ident}/end", json={"reason": "over"})


def description(repository: Repository) -> str:
    said = repository.said()
    assert said
    return said.description


def test_r38_a_status_says_what_will_be_required_and_fails_from_the_date_on(
    attested: Repository, apply: Any, clock: Clock
) -> None:
    apply(STRICTER, to_text(DATE))
    before, said_before = attested.kind(), description(attested)
    clock.advance(days=13, hours=23)
    still = attested.kind()
    clock.advance(hours=1)

    assert (before, still, attested.kind()) == ("upcoming", "upcoming", "not-met")
    assert said_before == "met; required from 2026-12-04 12:00 UTC by rev 3, 1 material missing"
    assert "required since 2026-12-04 12:00 UTC by rev 3" in description(attested)


def test_r38_a_date_that_is_moved_moves_the_status(
    attested: Repository, apply: Any, clock: Clock, services: Services
) -> None:
    apply(STRICTER, to_text(DATE))
    assert attested.kind() == "upcoming"
    apply(STRICTER, to_text(DATE + timedelta(days=14)))
    clock.advance(days=15)
    later = attested.kind()
    apply(STRICTER, "now")
    PassedDates(services.database, clock, services.world.new_id).notice_some()

    assert (later, attested.kind()) == ("upcoming", "not-met")


def test_r19_a_revision_that_is_enforced_at_once_leaves_alone_what_was_attested_before(
    attested: Repository, apply: Any
) -> None:
    apply(STRICTER)

    assert attested.kind() == "success"


def test_r38_who_has_it_already_is_not_told_of_it(attested: Repository, apply: Any, clock: Clock) -> None:
    apply(CONTRACT + b"# the same, with a date\n", to_text(DATE))
    clock.advance(days=15)

    assert attested.kind() == "success"


def test_r39_a_block_fails_a_commit_until_it_ends(attested: Repository, decide: Any, end: Any) -> None:
    blocked = decide("block")
    during, said = attested.kind(), description(attested)
    end(blocked)

    assert (during, attested.kind()) == ("blocked", "success")
    assert said == "the workflow is blocked by an operator"


def test_r39_an_override_lets_a_commit_pass_until_its_end(
    repository: Repository, job: Job, decide: Any, clock: Clock
) -> None:
    repository.see_head()
    clock.advance(hours=1)
    before = repository.kind()
    decide("override", commit=COMMIT, until=to_text(clock() + timedelta(days=1)))
    during = repository.kind()
    clock.advance(days=1)

    assert (before, during, repository.kind()) == ("missing", "overridden", "missing")


def test_r39_an_override_is_for_its_commit_alone(repository: Repository, job: Job, decide: Any, clock: Clock) -> None:
    repository.see_head()
    clock.advance(hours=1)
    decide("override", commit="f" * 40, until=to_text(clock() + timedelta(days=1)))

    assert repository.kind() == "missing"


def test_r39_a_distrusted_run_fails_its_commit_until_it_is_trusted_again(
    attested: Repository, job: Job, decide: Any, end: Any
) -> None:
    distrusted = decide("distrust", runId=job.run_id)
    during = attested.kind()
    end(distrusted)

    assert (during, attested.kind()) == ("distrusted", "success")
