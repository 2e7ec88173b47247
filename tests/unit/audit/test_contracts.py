"""What an audit file's contract revisions find wrong with an attestation."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from chainloop_ci.attestation.view import StatementView
from chainloop_ci.audit.contracts import Contracts

RAW = b"apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {name: app-build}\nspec: {}\n"
VIEW = StatementView(statement_type="", predicate_type="", workflow_name="build", run_id="r-1")
RUN = {"contract_id": "c-1", "contract_revision": 1, "ci_event": "push"}


@pytest.fixture
def contracts() -> Iterator[Contracts]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE contract_revisions (contract_id, revision, raw_body, format)")
        connection.execute("INSERT INTO contract_revisions VALUES ('c-1', 1, ?, 'yaml')", (RAW,))
        yield Contracts(connection)


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, []),
        ({"ci_event": "pull_request_target"}, ["event-not-allowed"]),
        ({"contract_revision": 2}, ["contract-missing"]),
        ({"contract_id": "c-2"}, ["contract-missing"]),
    ],
)
def test_a_run_is_judged_by_the_revision_that_it_names(
    contracts: Contracts, changes: dict[str, object], codes: list[str]
) -> None:
    found = [finding.code for finding in contracts.judge({**RUN, **changes}, VIEW)]

    assert found == codes
