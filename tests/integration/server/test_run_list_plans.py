"""Every list of runs walks an index in the server's order: no whole table, no sort, whatever the filters are."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest

from chainloop_ci.api.runs import RunState
from server.model.run_filters import RunFilter
from server.store import run_lists
from server.store.run_queries import MAX_SEPARATE, Window, find_window, run_queries
from server.wiring import Services
from tests.integration.server.conftest import EPOCH
from tests.integration.server.plans import Plans, plan_of, whole_tables_and_sorts

pytestmark = pytest.mark.engine("sqlite")

SINCE, UNTIL = EPOCH - timedelta(days=1), EPOCH
SHA = "0123456789abcdef0123456789abcdef01234567"
DIGEST = "sha256:" + "a" * 64
CHOICES = {
    "workflow_ids": (None, ("w",), ("w", "x")),
    "project_id": (None, "p"),
    "token_ids": (None, ("t",)),
    "runner": (None, "GITHUB_ACTION"),
    "commits": (None, (SHA,)),
    "digest": (None, DIGEST),
    "since": (None, SINCE),
    "until": (None, UNTIL),
}


def combinations() -> list[dict[str, object]]:
    return [dict(zip(CHOICES, values, strict=True)) for values in product(*CHOICES.values())]


@pytest.mark.parametrize("before", [None, 1000])
@pytest.mark.parametrize("state", [None, *RunState])
def test_no_combination_of_filters_reads_a_whole_table_or_sorts(
    services: Services, state: RunState | None, before: int | None
) -> None:
    bad: dict[str, list[str]] = {}
    with services.database.read() as connection:
        for filters in combinations():
            wanted = RunFilter(state=state, **filters)  # type: ignore[arg-type]
            window = find_window(connection, "o", since=wanted.since, until=wanted.until, before=before)
            for query in run_queries("o", wanted, window, EPOCH):
                found = whole_tables_and_sorts(plan_of(connection, query.limit(51)))
                if found:
                    bad[str(wanted)] = found

    assert bad == {}


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, "ix_runs_organization (organization_id=?)"),
        ({"state": RunState.SUCCESS}, "ix_runs_state (organization_id=? AND state=?)"),
        ({"workflow_ids": ("w",)}, "ix_runs_workflow (workflow_id=?)"),
        ({"workflow_ids": ("w",), "state": RunState.SUCCESS}, "ix_runs_workflow (workflow_id=?)"),
        ({"workflow_ids": ("w",), "state": RunState.ERROR}, "ix_runs_workflow_state (workflow_id=? AND state=?)"),
        ({"workflow_ids": ("w",), "runner": "GENERIC"}, "ix_runs_workflow (workflow_id=?)"),
        ({"project_id": "p", "state": RunState.ERROR}, "ix_runs_project_state (project_id=? AND state=?)"),
        ({"token_ids": ("t",)}, "ix_runs_token (token_id=?)"),
        ({"token_ids": ("t",), "state": RunState.CANCELED}, "ix_runs_token_state (token_id=? AND state=?)"),
        ({"token_ids": ("t",), "project_id": "p"}, "ix_runs_token (token_id=?)"),
        ({"runner": "GENERIC"}, "ix_runs_runner (organization_id=? AND runner_type=?)"),
        (
            {"runner": "GENERIC", "state": RunState.ERROR},
            "ix_runs_runner_state (organization_id=? AND runner_type=? AND state=?)",
        ),
    ],
)
def test_the_narrowest_filter_says_which_index_is_walked(
    services: Services, filters: dict[str, object], index: str
) -> None:
    wanted = RunFilter(**filters)  # type: ignore[arg-type]

    with services.database.read() as connection:
        plans = [plan_of(connection, query.limit(51)) for query in run_queries("o", wanted, Window(), EPOCH)]

    assert [plan[0] for plan in plans] == [f"SEARCH workflow_runs USING INDEX {index}"]


@pytest.mark.parametrize("filters", [{}, {"workflow_ids": ("w",)}, {"state": RunState.SUCCESS}])
def test_runs_of_a_commit_are_found_by_what_the_ci_system_named_and_by_what_was_attested(
    services: Services, filters: dict[str, object]
) -> None:
    wanted = RunFilter(commits=(SHA,), **filters)  # type: ignore[arg-type]

    with services.database.read() as connection:
        plans = [plan_of(connection, query.limit(51)) for query in run_queries("o", wanted, Window(), EPOCH)]

    assert [plan[0] for plan in plans] == [
        "SEARCH workflow_runs USING INDEX ix_runs_commit (organization_id=? AND ci_head_sha=?)",
        "SEARCH workflow_runs USING INDEX ix_runs_attested_commit (organization_id=? AND attested_commit=?)",
    ]


@pytest.mark.parametrize("filters", [{}, {"workflow_ids": ("w",)}, {"state": RunState.ERROR}, {"commits": (SHA,)}])
def test_runs_with_a_digest_are_found_by_it_alone(services: Services, filters: dict[str, object]) -> None:
    wanted = RunFilter(digest=DIGEST, **filters)  # type: ignore[arg-type]

    with services.database.read() as connection:
        plans = [plan_of(connection, query.limit(51)) for query in run_queries("o", wanted, Window(last=8), EPOCH)]

    assert [plan[0] for plan in plans] == [
        "SEARCH run_materials USING INDEX ix_run_materials_digest (organization_id=? AND digest=? AND run_sequence<?)",
        "SEARCH run_artifacts USING INDEX ix_run_artifacts_digest (organization_id=? AND digest=? AND run_sequence<?)",
        "SEARCH workflow_runs USING INDEX ix_runs_attestation (organization_id=? AND attestation_digest=? AND rowid<?)",
    ]


def test_more_workflows_of_one_name_than_are_asked_one_by_one_are_walked_in_order(services: Services) -> None:
    wanted = RunFilter(workflow_ids=tuple(f"w{number}" for number in range(MAX_SEPARATE + 1)))

    with services.database.read() as connection:
        plans = [plan_of(connection, query.limit(51)) for query in run_queries("o", wanted, Window(last=8), EPOCH)]

    assert len(plans) == 1
    assert whole_tables_and_sorts(plans[0]) == []


def test_the_commits_that_begin_so_are_found_step_by_step(services: Services) -> None:
    with services.database.read() as connection, Plans(connection) as plans:
        run_lists.find_commits(connection, "o", "0123456", limit=11)

        steps = plans.steps()

    assert steps == [
        f"SEARCH workflow_runs USING INDEX {index} (organization_id=? AND {column}>? AND {column}<?)"
        for index, column in (("ix_runs_commit", "ci_head_sha"), ("ix_runs_attested_commit", "attested_commit"))
    ]
