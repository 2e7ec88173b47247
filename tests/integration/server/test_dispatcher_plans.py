"""What the dispatcher asks all the time, or in the one transaction that writes, walks an index that fits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from server.model.forge_facts import Head
from server.store import deliveries, events, forge_facts, inbound, runs
from server.wiring import Services
from tests.integration.server.conftest import Tenant
from tests.integration.server.plans import Plans

pytestmark = pytest.mark.engine("sqlite")

NOW = datetime(2026, 11, 30, 6, tzinfo=UTC)


def steps_of(services: Services, ask: Any) -> list[str]:
    """Return the steps of the plans of what `ask` asks."""
    with services.database.write() as connection, Plans(connection) as plans:
        ask(connection)
        return plans.steps()


def test_ci_runs_of_a_commit_are_found_among_all_of_their_source(services: Services) -> None:
    steps = steps_of(services, lambda connection: forge_facts.list_runs(connection, "source", "a" * 40))

    assert steps == ["SEARCH ci_runs USING INDEX ix_ci_runs_head (source_id=? AND head_sha=?)"]


def test_open_runs_of_a_ci_run_are_found_among_all_open_ones(services: Services, acme: Tenant) -> None:
    steps = steps_of(services, lambda connection: runs.list_open_of_ci_run(connection, acme.id, "github", "7", NOW))

    assert any("ix_runs_open_ci (organization_id=? AND ci_run_id=?)" in step for step in steps), steps


def test_the_newest_head_of_a_branch_is_found_without_reading_all(services: Services, acme: Tenant) -> None:
    head = Head("source", acme.id, "a" * 40, event="push", branch="main", seen_at=NOW, told_at=NOW)

    steps = steps_of(services, lambda connection: forge_facts.close_older_heads(connection, head))

    assert any("ix_heads_newest (source_id=? AND event=?)" in step for step in steps), steps
    assert any("ix_heads_open" in step for step in steps), steps


def test_what_waits_is_found_among_what_was_handled(services: Services, acme: Tenant) -> None:
    webhooks = steps_of(services, lambda connection: inbound.list_waiting(connection, acme.id, limit=50))
    news = steps_of(services, lambda connection: events.list_new(connection, acme.id, limit=50))

    assert webhooks == ["SEARCH inbound_deliveries USING INDEX ix_inbound_deliveries_waiting (organization_id=?)"]
    assert news == ["SEARCH events USING INDEX ix_events_new (organization_id=?)"]


def test_whose_things_wait_is_found_without_reading_what_waits(services: Services) -> None:
    webhooks = steps_of(services, lambda connection: inbound.list_owners(connection, "", 16))
    news = steps_of(services, lambda connection: events.list_owners(connection, "", 16))

    for steps, table, index in (
        (webhooks, "inbound_deliveries", "ix_inbound_deliveries_waiting"),
        (news, "events", "ix_events_new"),
    ):
        found = [step for step in steps if f" {table} " in step]
        assert found == [f"SEARCH {table} USING INDEX {index} (organization_id>?)"] * 2, steps


def test_whether_something_is_due_is_asked_of_each_registration_and_not_of_each_delivery(services: Services) -> None:
    steps = steps_of(services, lambda connection: deliveries.list_targets(connection, NOW))

    assert not any(step.startswith("SCAN deliveries") for step in steps), steps
    assert any("ix_deliveries_due (registration_id=? AND next_attempt_at<?)" in step for step in steps), steps
