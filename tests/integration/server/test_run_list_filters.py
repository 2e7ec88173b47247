"""A page of runs holds exactly the runs that fit, for any filters together; judged by comparing every run with them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from chainloop_ci.api.runs import RunState
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import RequestInvalidError
from chainloop_ci.runners.types import CiIdentity
from server.model.run_filters import MAX_COMMITS, RunFilter
from server.model.runs import Run
from server.store import artifacts, run_lists, runs
from server.store.artifacts import RunArtifact
from server.store.tables import run_materials
from server.wiring import Services
from tests.integration.server.conftest import EPOCH, Tenant

RUNS = 120
SHAS = tuple(f"{number:040x}" for number in (1, 2, 2**100))
DIGESTS = tuple(sha256_digest(bytes([number])) for number in range(4))
TOKENS = ("t1", "t2")
RUNNERS = ("GITHUB_ACTION", "GENERIC")


@dataclass(frozen=True)
class Fact:
    """A run, and every digest that it has anything to do with."""

    run: Run
    digests: frozenset[str]


@pytest.fixture
def facts(services: Services, acme: Tenant) -> list[Fact]:
    """Write runs of every sort."""
    dice = random.Random(7)
    contracts = contract_ids(services)
    found = []
    with services.database.write() as connection:
        for number in range(RUNS):
            found.append(write_run(connection, acme, contracts, dice, number))
    with services.database.read() as connection:
        stored = {run.id: run for run in run_lists.load(connection, acme.id, range(1, RUNS + 1))}
    return [Fact(stored[fact.run.id], fact.digests) for fact in found]


def contract_ids(services: Services) -> dict[str, str]:
    with services.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT id, contract_id FROM workflows")
        return {row[0]: row[1] for row in rows}


def write_run(
    connection: Connection, acme: Tenant, contracts: dict[str, str], dice: random.Random, number: int
) -> Fact:
    where = dice.choice(sorted(acme.workflows))
    state = dice.choice(list(RunState))
    created = EPOCH - timedelta(minutes=RUNS - number, seconds=dice.choice((0, 0, 90)))
    attested = dice.choice(DIGESTS) if state is RunState.SUCCESS else None
    run = Run(
        id=f"{number:08}-0000-0000-0000-000000000000",
        organization_id=acme.id,
        project_id=acme.projects[where.split("/")[0]],
        workflow_id=acme.workflows[where],
        contract_id=contracts[acme.workflows[where]],
        contract_revision=1,
        contract_digest=DIGESTS[0],
        runner_type=dice.choice(RUNNERS),
        handle_sha256="",
        request_digest=DIGESTS[0],
        token_id=dice.choice(TOKENS),
        created_at=created,
        last_accepted_at=created,
        expires_at=EPOCH + timedelta(minutes=dice.choice((-5, 5))),
        ci=CiIdentity("github", head_sha=dice.choice((None, *SHAS))),
        attested_commit=dice.choice((None, *SHAS)),
        state=state,
        attestation_digest=attested,
    )
    runs.add(connection, run)
    materials = {name: dice.choice(DIGESTS) for name in ("one", "two")[: dice.randrange(3)]}
    owner = {"run_id": run.id, "organization_id": acme.id, "run_sequence": number + 1}
    for name, digest in materials.items():
        values = {"name": name, "type": "ARTIFACT", "digest": digest, "stored": "not stored", "content_check": ""}
        connection.execute(insert(run_materials).values(**owner, **values))
    uploads = dice.sample(DIGESTS, dice.randrange(2))
    for digest in uploads:
        artifacts.add_to_run(connection, RunArtifact(run.id, acme.id, digest, True, "f", created))
    return Fact(run, frozenset({*materials.values(), *uploads, *([attested] if attested else [])}))


def fits(fact: Fact, wanted: RunFilter, now: datetime) -> bool:
    run = fact.run
    asked: list[tuple[Any, bool]] = [
        (wanted.workflow_ids, run.workflow_id in (wanted.workflow_ids or ())),
        (wanted.project_id, run.project_id == wanted.project_id),
        (wanted.token_ids, run.token_id in (wanted.token_ids or ())),
        (wanted.commits, bool({run.ci.head_sha, run.attested_commit} & set(wanted.commits or ()))),
        (wanted.runner, run.runner_type == wanted.runner),
        (wanted.state, run.state_at(now) is wanted.state),
        (wanted.digest, wanted.digest in fact.digests),
        (wanted.since, wanted.since is None or run.created_at >= wanted.since),
        (wanted.until, wanted.until is None or run.created_at <= wanted.until),
    ]
    return all(fit for value, fit in asked if value is not None)


def pages(connection: Connection, acme: Tenant, wanted: RunFilter, limit: int) -> list[str]:
    found: list[str] = []
    before = None
    while True:
        page = run_lists.list_page(connection, acme.id, wanted, before=before, limit=limit, now=EPOCH)
        found += [run.id for run in page]
        if len(page) < limit:
            return found
        before = page[-1].sequence


@pytest.mark.parametrize("state", [None, *RunState])
def test_any_filters_together_find_exactly_the_runs_that_fit(
    services: Services, acme: Tenant, facts: list[Fact], state: RunState | None
) -> None:
    workflows = sorted(acme.workflows.values())
    choices = product(
        (None, (workflows[0],), (workflows[0], workflows[2]), (*(f"w{n}" for n in range(11)), workflows[1])),
        (None, acme.projects["app"]),
        (None, ("t1",)),
        (None, (SHAS[0],), SHAS[:2]),
        (None, "GENERIC"),
        (None, DIGESTS[1]),
        (None, EPOCH - timedelta(minutes=70)),
        (None, EPOCH - timedelta(minutes=30)),
    )
    wrong: dict[str, Any] = {}

    with services.database.read() as connection:
        for workflow, project, token, commits, runner, digest, since, until in random.Random(3).sample([*choices], 150):
            wanted = RunFilter(workflow, project, state, commits, digest, runner, token, since, until)
            expected = [fact.run.id for fact in reversed(facts) if fits(fact, wanted, EPOCH)]
            if (found := pages(connection, acme, wanted, 7)) != expected:
                wrong[str(wanted)] = (expected, found)

    assert wrong == {}


def test_times_are_exact_where_the_servers_order_is_another(
    services: Services, acme: Tenant, facts: list[Fact]
) -> None:
    wrong: dict[str, Any] = {}

    with services.database.read() as connection:
        for minutes in range(RUNS):
            moment = EPOCH - timedelta(minutes=minutes)
            for wanted in (RunFilter(since=moment), RunFilter(until=moment)):
                expected = [fact.run.id for fact in reversed(facts) if fits(fact, wanted, EPOCH)]
                if (found := pages(connection, acme, wanted, RUNS + 1)) != expected:
                    wrong[str(wanted)] = (expected, found)

    assert wrong == {}


def test_digits_of_a_commit_find_the_commits_that_begin_so(
    services: Services, api: Any, acme: Tenant, facts: list[Fact]
) -> None:
    with services.database.read() as connection:
        found = run_lists.find_commits(connection, acme.id, "0" * 30, limit=11)

    assert found == SHAS[:2]


def test_digits_that_many_commits_begin_with_are_refused(services: Services, acme: Tenant) -> None:
    from server.model.run_filters import require_few_commits

    commits = tuple(f"{number:040x}" for number in range(MAX_COMMITS + 1))

    with pytest.raises(RequestInvalidError, match="type more of its digits"):
        require_few_commits("0000000", commits)


def test_runs_of_another_organization_are_never_among_them(
    services: Services, rival: Tenant, facts: list[Fact]
) -> None:
    with services.database.read() as connection:
        for wanted in (
            RunFilter(),
            RunFilter(token_ids=TOKENS),
            RunFilter(commits=SHAS),
            RunFilter(digest=DIGESTS[0]),
            RunFilter(workflow_ids=(facts[0].run.workflow_id,)),
            RunFilter(project_id=facts[0].run.project_id),
        ):
            assert run_lists.list_page(connection, rival.id, wanted, before=None, limit=5, now=EPOCH) == []
