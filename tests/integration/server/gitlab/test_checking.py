"""What an administrator is told of a registration: who the token is, what it lacks, and that GitLab only advises."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.integrations.gitlab.entry import GITLAB
from server.integrations.types import Checked
from server.model.integrations import BoundRepository
from tests.integration.server.gitlab.conftest import Scene


def check(scene: Scene, *names: str, **token: Any) -> Checked:
    secret = scene.forge.token("checked", **token)
    asked = tuple(BoundRepository(scene.forge.url, "", name) for name in names or (scene.project.path,))
    return GITLAB.check(replace(scene.target, credentials={"token": secret}, repositories=asked), scene.tools)


def test_a_token_that_will_do_has_no_findings_and_resolves_its_projects(scene: Scene) -> None:
    ends = datetime.now(UTC) + timedelta(days=30)

    checked = check(scene, "GROUP/app", expires_at=ends)

    assert checked.findings == ()
    assert checked.repositories == (BoundRepository(scene.forge.url, str(scene.project.id), "group/app"),)
    assert checked.credential_expires_at == ends.replace(hour=0, minute=0, second=0, microsecond=0)
    assert (checked.facts["login"], checked.facts["scopes"]) == ("robot", ["api"])


def test_r40_a_verdict_on_gitlab_is_said_to_be_advisory(scene: Scene) -> None:
    facts = check(scene).facts

    assert str(facts["enforcement"]).startswith("advisory: any Developer can set the same status")
    assert facts["projects"] == {
        "group/app": {"pipelinesMustSucceed": True, "statusChecksMustSucceed": False, "mayManageWebhooks": True}
    }


def test_projects_may_stand_in_the_settings(scene: Scene) -> None:
    target = replace(scene.target, settings={"repositories": ["group/app"]}, repositories=())

    assert [item.name for item in GITLAB.check(target, scene.tools).repositories] == ["group/app"]


@pytest.mark.parametrize(
    ("token", "finding"),
    [
        ({"scopes": ("read_api",)}, "give the token the scope «api»: it has read_api"),
        ({"level": 20}, "group/app: a status takes the role Developer; the token has Reporter"),
        ({"level": 0}, "group/app: the token shows no such project"),
    ],
)
def test_what_a_token_lacks_is_a_finding_that_says_what_to_do(
    scene: Scene, token: dict[str, Any], finding: str
) -> None:
    findings = check(scene, **token).findings

    assert len(findings) == 1
    assert findings[0].startswith(finding)


def test_a_role_that_gitlab_does_not_tell_is_a_warning(scene: Scene) -> None:
    """A group that the project is shared with gives roles, and so does being an administrator."""
    scene.project.is_private = False

    checked = check(scene, level=0)

    assert (checked.findings, len(checked.warnings)) == ((), 1)
    assert checked.warnings[0].startswith("group/app: a status takes the role Developer")


def test_a_project_that_is_not_there_does_not_hide_the_others(scene: Scene) -> None:
    checked = check(scene, "group/nothing", "group/app")

    assert [finding.partition(":")[0] for finding in checked.findings] == ["group/nothing"]
    assert [item.name for item in checked.repositories] == ["group/app"]


def test_a_token_that_is_not_taken_is_a_finding_without_the_token(scene: Scene) -> None:
    secret = scene.target.credentials["token"]
    scene.forge.revoke(secret)

    checked = GITLAB.check(scene.target, scene.tools)

    assert len(checked.findings) == 1
    assert "does not take the token" in checked.findings[0]
    assert secret not in repr(checked)


@pytest.mark.parametrize("host", ["http://10.0.0.1", "http://127.0.0.1:9"])
def test_a_gitlab_that_cannot_be_reached_is_a_finding(scene: Scene, host: str) -> None:
    checked = GITLAB.check(replace(scene.target, host=host), scene.tools)

    assert len(checked.findings) == 1
    assert host in checked.findings[0]
