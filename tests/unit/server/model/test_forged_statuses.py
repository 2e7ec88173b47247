from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from server.model.forged_statuses import CHECK_RUN, Author, SeenStatus
from server.model.integrations import StoredRegistration
from tests.unit.server.model.verdict_cases import NOW

STATUS = {"surface": "status", "sha": "a" * 40, "context": "chainloop/app/build", "state": "success", "statusId": 5}
CHECK = {**STATUS, "surface": CHECK_RUN, "checkRunId": 6, "appId": 12, "by": "chainloop[bot]"}
REGISTRATION = StoredRegistration("r", "o", "github", "forge", NOW, "t")
APP = replace(REGISTRATION, facts={"app": "Chainloop"}, settings={"appId": 12})
TOKEN = replace(REGISTRATION, facts={"login": "Robot"})


def seen(facts: dict[str, Any], **changes: Any) -> SeenStatus:
    found = SeenStatus.of({**facts, **changes})
    assert found is not None
    return found


def author(registration: StoredRegistration) -> Author:
    found = Author.of(registration)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["surface", "sha", "context", "state", "statusId"])
def test_what_lacks_something_is_not_looked_at(name: str) -> None:
    assert SeenStatus.of({key: value for key, value in STATUS.items() if key != name}) is None


def test_a_check_run_has_a_number_of_its_own() -> None:
    assert (seen(CHECK).number, seen(STATUS).number) == ("6", "5")
    assert SeenStatus.of({**CHECK, "checkRunId": None}) is None


def test_of_texts_of_strangers_only_the_beginning_is_kept() -> None:
    found = seen(STATUS, state="s" * 999, by="b" * 999)

    assert (len(found.state), len(found.by)) == (64, 255)


@pytest.mark.parametrize(("by", "is_ours"), [("robot", True), ("ROBOT", True), ("mallory", False), ("", False)])
def test_r40_a_status_is_ours_by_the_login_of_the_token(by: str, is_ours: bool) -> None:
    assert author(TOKEN).wrote(seen(STATUS, by=by)) is is_ours


def test_r40_a_status_of_an_app_is_ours_by_the_login_that_github_gives_it() -> None:
    assert author(APP).wrote(seen(STATUS, by="chainloop[bot]"))
    assert not author(APP).wrote(seen(STATUS, by="chainloop"))


@pytest.mark.parametrize(("app_id", "is_ours"), [(12, True), ("12", True), (13, False), (None, False)])
def test_r40_a_check_run_is_ours_by_its_app_and_not_by_a_login(app_id: object, is_ours: bool) -> None:
    assert author(APP).wrote(seen(CHECK, appId=app_id)) is is_ours


def test_r40_a_token_makes_no_check_runs_so_that_none_is_ours() -> None:
    assert not author(TOKEN).wrote(seen(CHECK, by="robot"))


def test_who_a_registration_is_that_was_never_checked_is_not_known() -> None:
    assert Author.of(REGISTRATION) is None
