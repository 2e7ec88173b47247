from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chainloop_ci.api.access import Role, ScopeKind
from chainloop_ci.errors import ConflictError
from server.model.tokens import StoredToken

NOW = datetime(2026, 11, 20, tzinfo=UTC)
TOKEN = StoredToken("t1", "ci", Role.ATTEST, "new", NOW, "t0", organization_id="o1", organization="acme")


def test_r6_a_fresh_token_works():
    assert TOKEN.why_not("new", NOW) is None


def test_r6_an_expired_token_says_when_it_ended():
    token = replace(TOKEN, expires_at=NOW)

    assert token.why_not("new", NOW) == "this token expired at 2026-11-20T00:00:00Z"
    assert token.why_not("new", NOW - timedelta(seconds=1)) is None


def test_r6_a_revoked_token_is_over_for_both_secrets():
    token = TOKEN.rotated("newer", 3600, NOW).revoked(NOW)

    assert token.why_not("newer", NOW) == token.why_not("new", NOW) == "this token was revoked"


def test_r6_the_old_secret_works_until_the_overlap_ends():
    token = TOKEN.rotated("newer", 3600, NOW)

    assert token.why_not("new", NOW + timedelta(seconds=3599)) is None
    assert token.why_not("new", NOW + timedelta(seconds=3600)) == (
        "this token was rotated at 2026-11-20T00:00:00Z, and its old secret worked until 2026-11-20T01:00:00Z"
    )
    assert token.why_not("newer", NOW + timedelta(days=1)) is None


def test_r6_without_overlap_the_old_secret_ends_at_once():
    token = TOKEN.rotated("newer", 0, NOW)

    assert token.why_not("new", NOW) == "this token was rotated at 2026-11-20T00:00:00Z; this is its old secret"
    assert token.previous_secret_sha256 == "new"
    assert token.why_not("newer", NOW) is None


def test_r6_a_rotation_by_an_older_server_has_no_time():
    token = replace(TOKEN.rotated("newer", 3600, NOW), rotated_at=None)

    assert token.why_not("new", NOW + timedelta(days=1)).startswith("this token was rotated, and its old secret worked")


def test_r6_a_second_rotation_ends_the_first_secret():
    token = TOKEN.rotated("second", 3600, NOW).rotated("third", 3600, NOW)

    assert (token.secret_sha256, token.previous_secret_sha256) == ("third", "second")


@pytest.mark.parametrize("ended", [TOKEN.revoked(NOW), replace(TOKEN, expires_at=NOW)])
def test_r6_an_ended_token_cannot_be_rotated(ended):
    with pytest.raises(ConflictError):
        ended.rotated("newer", 0, NOW)


def test_r6_revoking_again_keeps_the_first_time():
    once = TOKEN.revoked(NOW)

    assert once.revoked(NOW + timedelta(days=1)) == once


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, ScopeKind.ORGANIZATION),
        ({"project_id": "p1", "project": "app"}, ScopeKind.PROJECT),
        ({"project_id": "p1", "project": "app", "workflow_id": "w1", "workflow": "build"}, ScopeKind.WORKFLOW),
        ({"organization_id": None}, ScopeKind.INSTANCE),
    ],
)
def test_the_scope_is_the_narrowest_that_is_set(changes, kind):
    assert replace(TOKEN, **changes).scope.kind is kind


def test_the_wire_form_has_no_secret():
    assert "new" not in str(TOKEN.api())


def test_r6_the_wire_form_says_until_when_the_old_secret_works():
    rotated = TOKEN.rotated("newer", 3600, NOW)

    assert rotated.api().previous_expires_at == NOW + timedelta(hours=1)
    assert rotated.rotated("newest", 0, NOW).api().previous_expires_at is None
    assert rotated.revoked(NOW).api().previous_expires_at is None
