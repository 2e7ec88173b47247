from datetime import UTC, datetime, timedelta

from chainloop_ci.api.runs import RunState
from server.model.workflows import MAX_CONTRACT_NAME, LastRun, automatic_contract_name

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def test_an_automatic_contract_is_named_after_project_and_workflow():
    assert automatic_contract_name("app", "build", 1) == "app-build"
    assert automatic_contract_name("app", "build", 2) == "app-build-2"


def test_an_automatic_name_stays_within_its_limit_and_form():
    name = automatic_contract_name("a" * 63, "b" * 63, 10)

    assert len(name) <= MAX_CONTRACT_NAME
    assert name.endswith("b-10")


def test_r15_an_overdue_last_run_is_shown_as_expired():
    run = LastRun("r1", RunState.INITIALIZED, NOW, NOW + timedelta(hours=6), "GITHUB_ACTION")

    assert run.state_at(NOW) is RunState.INITIALIZED
    assert run.state_at(NOW + timedelta(hours=6)) is RunState.EXPIRED
