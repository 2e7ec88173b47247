"""All example payloads of GitHub, signed: each answered, each three times in random order with one end state (T48)."""

from __future__ import annotations

import json
import random

import pytest

from server.inbound.receivers import RECEIVERS, read
from server.model.inbound import ReceiverKind
from server.model.inbound_facts import facts_from_text, facts_to_text
from server.services.inbound_follow import InboundFollow
from server.store import sources
from tests.forges.payloads import examples
from tests.integration.server.webhooks import handle, make_hook

REPOSITORY = "Codertocat/Hello-World"
TABLES = ("heads", "ci_runs", "ci_jobs")
OWN_TIMES = {"seen_at"}


def state(services):
    """Return everything that webhooks wrote, without the server's own times."""
    found = {}
    with services.database.read() as connection:
        for table in TABLES:
            rows = connection.exec_driver_sql(f"SELECT * FROM {table}").mappings()  # our own names
            found[table] = sorted(
                repr(sorted((key, value) for key, value in row.items() if key not in OWN_TIMES)) for row in rows
            )
    return found


@pytest.fixture
def hook(api, client, clock, acme):
    return make_hook(api, client, clock, acme, f"github:{REPOSITORY}")


def test_every_payload_is_answered_with_2xx_whatever_it_says(hook):
    refused = [
        (each.name, answer.status_code)
        for each in examples()
        if not 200 <= (answer := hook.github(each.event, each.payload)).status_code < 300
    ]

    assert refused == []


def test_what_is_ours_in_the_payloads_is_written_down(hook, services, api, acme):
    for each in examples():
        hook.github(each.event, each.payload)
    handle(services)

    found = state(services)
    listed = api(acme.token("read")).get("/inbound-webhooks?limit=200&outcome=failed").json["items"]
    assert all(found[table] for table in TABLES)
    assert listed == []


def test_three_times_in_any_order_through_the_routes_ends_the_same(hook, services):
    own = [each for each in examples() if (each.payload.get("repository") or {}).get("full_name") == REPOSITORY]
    for each in own:
        hook.github(each.event, each.payload)
    handle(services)
    once = state(services)
    thrice = [*own, *own, *own]
    random.Random(46).shuffle(thrice)

    for number, each in enumerate(thrice):
        # Another body each time, so that nothing is taken for a repetition.
        hook.github(each.event, {**each.payload, "chainloop_test": number})
    handle(services)

    assert state(services) == once


@pytest.mark.parametrize("seed", range(5))
def test_in_any_order_from_the_beginning_the_end_is_the_same(seed, hook, services, clock):
    receiver, told = RECEIVERS[ReceiverKind.GITHUB], []
    for each in examples():
        payload = read(receiver, {"x-github-event": each.event}, "application/json", json.dumps(each.payload).encode())
        told.append(facts_from_text(facts_to_text(payload.facts)))
    follow = InboundFollow(clock, services.world.new_id)

    def play(order):
        with services.database.write() as connection:
            for table in TABLES:
                connection.exec_driver_sql(f"DELETE FROM {table}")  # our own names
            source = sources.find(connection, organization_of(connection), hook.source_id)
            for facts in order:
                follow.keep(connection, source, facts.of(source.organization_id, source.id, clock()))
        return state(services)

    shuffled = [*told, *told, *told]
    random.Random(seed).shuffle(shuffled)

    assert play(told) == play(shuffled)


def organization_of(connection):
    return connection.exec_driver_sql("SELECT organization_id FROM sources").scalar()


def test_nothing_is_told_twice_of_the_same_state(hook, services):
    for number in range(3):
        for each in examples():
            if each.event in ("push", "pull_request", "workflow_run", "workflow_job"):
                hook.github(each.event, {**each.payload, "chainloop_test": number})
        handle(services)
        with services.database.read() as connection:
            count = connection.exec_driver_sql(
                "SELECT count(*) FROM events WHERE kind IN ('head.seen', 'ci-run.seen')"
            ).scalar()
        if number == 0:
            first = count

    assert first > 0
    assert count == first
