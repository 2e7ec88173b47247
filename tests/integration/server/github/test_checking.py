"""What GitHub says of a registration: who it is, what it lacks, and whether a verdict is enforced (R40, R44)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from server.integrations.github.checking import parse_expiry
from server.integrations.github.entry import GITHUB
from server.integrations.types import Checked
from server.model.integrations import BoundRepository
from tests.integration.server.github.conftest import CONTEXT, Scene
from tests.unit.stub_server import Reply, stub_server


def check(scene: Scene, **settings: Any) -> Checked:
    target = replace(scene.target, settings={**scene.target.settings, **settings})
    return GITHUB.check(target, scene.tools)


def with_token(scene: Scene, **options: Any) -> None:
    secret = scene.forge.token("another", **options)
    scene.target = replace(scene.target, credentials={"token": secret})


def test_names_become_numbers_and_the_credential_is_told(by_token: Scene) -> None:
    checked = check(by_token, repositories=["Octo-Org/App"])

    assert checked.findings == ()
    assert checked.repositories == (BoundRepository(by_token.forge.url, by_token.place.id, "octo-org/app"),)
    assert (checked.facts["login"], checked.facts["tokenKind"]) == ("robot", "classic")


def test_r40_a_token_is_advisory_and_says_so(by_token: Scene) -> None:
    """R40: in token mode the status is advisory; an App that is the expected source is enforced."""
    assert "advisory" in str(check(by_token).facts["enforcement"])


def test_the_end_of_a_token_is_known(by_token: Scene) -> None:
    end = datetime(2027, 1, 30, 10, tzinfo=UTC)
    with_token(by_token, expires_at=end)

    assert check(by_token).credential_expires_at == end


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-12-30 10:00:00 UTC", datetime(2026, 12, 30, 10, tzinfo=UTC)),
        ("2026-12-30 10:00:00 -0700", datetime(2026, 12, 30, 17, tzinfo=UTC)),
        ("", None),
        ("soon", None),
    ],
)
def test_the_header_of_a_tokens_end_is_read(text: str, found: datetime | None) -> None:
    assert parse_expiry(text) == found


def test_a_token_that_may_not_write_is_found_out(by_token: Scene) -> None:
    with_token(by_token, can_push=False)

    assert any("write access" in finding for finding in check(by_token).findings)


def test_a_classic_token_without_the_scope_is_told_so(by_token: Scene) -> None:
    by_token.repository.is_private = False
    with_token(by_token, scopes=("repo:status", "public_repo"))

    assert any("scope «repo»" in finding for finding in check(by_token).findings)


def test_a_fine_grained_token_is_told_what_it_lacks(by_token: Scene) -> None:
    rights = {"metadata": "read", "statuses": "write"}
    with_token(by_token, kind="fine-grained", permissions=rights, repositories=[by_token.repository])

    findings = check(by_token).findings

    assert [
        need for need in ("Actions: read", "Pull requests: read") if not any(need in each for each in findings)
    ] == []


def test_r44_a_repository_that_is_not_shown_is_not_bound(by_token: Scene) -> None:
    """R44: the list holds what the credential can show, and nothing that was only named."""
    checked = check(by_token, repositories=["octo-org/app", "octo-org/none"])

    assert [bound.name for bound in checked.repositories] == ["octo-org/app"]
    assert [finding.partition(":")[0] for finding in checked.findings] == ["octo-org/none"]


def test_a_token_that_is_not_taken_is_a_finding(by_token: Scene) -> None:
    by_token.forge.revoke(by_token.target.credentials["token"])

    checked = check(by_token)

    assert checked.repositories == ()
    assert "Bad credentials" in checked.findings[0]


def test_a_forge_that_does_not_answer_is_a_finding(by_token: Scene) -> None:
    by_token.target = replace(by_token.target, host="http://127.0.0.1:9")

    assert "cannot be reached" in check(by_token).findings[0]


def test_a_host_that_is_no_github_is_a_finding(by_token: Scene) -> None:
    with stub_server() as page:
        page.replies = [Reply(200, b"<html>welcome</html>")]
        by_token.target = replace(by_token.target, host=page.url)
        findings = check(by_token).findings

    assert findings == ("what answers there is no API of GitHub: give the forge's base address",)


def test_an_app_is_told_with_its_permissions(by_app: Scene) -> None:
    checked = check(by_app)

    assert checked.findings == ()
    assert (checked.facts["app"], checked.facts["account"]) == ("chainloop-app", "octo-org")
    assert [bound.repository_id for bound in checked.repositories] == [by_app.place.id]


def test_a_permission_that_the_app_lacks_is_named(by_app: Scene) -> None:
    (installed,) = by_app.forge.installations.values()
    installed.permissions = {**installed.permissions, "checks": "read"}

    assert any("«Checks: write»" in finding for finding in check(by_app).findings)


def test_r44_an_app_binds_only_what_its_installation_has(by_app: Scene) -> None:
    """R44: a public repository can be read by everybody, and belongs to no installation by that."""
    by_app.forge.repository("octo-org/public")

    checked = check(by_app, repositories=["octo-org/app", "octo-org/public"])

    assert [bound.name for bound in checked.repositories] == ["octo-org/app"]


def test_an_installation_of_another_app_is_a_finding(by_app: Scene) -> None:
    checked = check(by_app, installationId=424242)

    assert checked.repositories == ()
    assert len(checked.findings) == 1


@pytest.mark.parametrize("by_ruleset", [True, False])
def test_r40_a_required_check_that_any_source_satisfies_is_reported(by_app: Scene, by_ruleset: bool) -> None:
    """R40: «any source» is said where the rules can be read; only the App's own checks are enforced."""
    (installed,) = by_app.forge.installations.values()
    installed.permissions = {**installed.permissions, "administration": "read"}
    by_app.forge.protect(by_app.repository, "main", {CONTEXT: None, "tests": None}, by_ruleset=by_ruleset)
    (finding,) = check(by_app).warnings
    assert "any source" in finding
    assert CONTEXT in finding

    by_app.forge.protect(by_app.repository, "main", {CONTEXT: by_app.app}, by_ruleset=by_ruleset)
    assert (check(by_app).findings, check(by_app).warnings) == ((), ())


def test_r40_a_required_check_of_another_app_is_reported(by_app: Scene) -> None:
    """R40: what this registration tells would not count."""
    other = by_app.forge.app("other", b"", {})
    by_app.forge.protect(by_app.repository, "main", {CONTEXT: other}, by_ruleset=True)

    (finding,) = check(by_app).warnings

    assert "another App" in finding
