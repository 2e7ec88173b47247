from __future__ import annotations

from typing import Any

import pytest

from server.model.event_repository import EventRepository, repository_of
from server.model.events import Event, EventKind
from tests.unit.server.model.test_runs import START


def found(**facts: Any) -> EventRepository | None:
    return repository_of(Event("e", "o", EventKind.RUN_SUCCEEDED, START, "r", facts=facts))


def test_a_verdict_names_its_repository_by_number() -> None:
    told = {"kind": "github", "host": "https://github.com", "id": "7", "name": "acme/app"}

    assert found(repository=told) == EventRepository("https://github.com", "7", "acme/app")


def test_a_run_claims_one_by_name() -> None:
    claimed = {"provider": "github", "serverUrl": "https://GHE.corp.test/", "repository": "acme/app"}

    assert found(ci=claimed) == EventRepository("https://ghe.corp.test", None, "acme/app")


@pytest.mark.parametrize("facts", [{}, {"ci": {"provider": "none"}}, {"ci": {"serverUrl": "https://h"}}, {"ci": "x"}])
def test_what_names_none_is_about_none(facts: dict[str, Any]) -> None:
    assert found(**facts) is None
