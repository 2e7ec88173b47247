from dataclasses import replace
from datetime import UTC, datetime, timedelta

from chainloop_ci.api.access import ScopeKind
from chainloop_ci.digests import sha256_digest
from server.model.keys import KeyScope, StoredKey

NOW = datetime(2026, 11, 20, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
KEY = StoredKey(
    id=sha256_digest(b"key"),
    organization_id="o1",
    name="ci",
    algorithm="ed25519",
    public_key="PEM",
    created_at=NOW,
    created_by="t1",
    valid_from=NOW,
    scopes=(KeyScope("p1", "app", "w1", "build"), KeyScope("p2", "lib")),
)


def test_r3_a_key_bound_to_one_workflow_does_not_cover_another():
    assert KEY.covers("p1", "w1")
    assert not KEY.covers("p1", "w2")


def test_r3_a_key_bound_to_a_project_covers_its_workflows():
    assert KEY.covers("p2", "w9")


def test_r3_a_key_without_scope_covers_nothing_unless_it_is_organization_wide():
    bare = replace(KEY, scopes=())

    assert not bare.covers("p1", "w1")
    assert replace(bare, organization_wide=True).covers("p1", "w1")


def test_r3_a_key_counts_from_its_first_day_until_it_ends():
    assert not KEY.usable_at(NOW - timedelta(seconds=1))
    assert KEY.usable_at(NOW)
    assert not KEY.retired(LATER).usable_at(LATER)
    assert KEY.retired(LATER).usable_at(LATER - timedelta(seconds=1))
    assert not KEY.revoked(LATER).usable_at(LATER)


def test_r3_ending_again_keeps_the_first_time():
    assert KEY.retired(NOW).retired(LATER) == KEY.retired(NOW)
    assert KEY.revoked(NOW).revoked(LATER) == KEY.revoked(NOW)
    assert KEY.revoked(NOW).retired(LATER) == KEY.revoked(NOW)


def test_r3_a_retired_key_can_still_be_revoked():
    assert KEY.retired(NOW).revoked(LATER).revoked_at == LATER


def test_the_wire_form_names_scopes():
    assert [scope.kind for scope in KEY.api().scopes] == [ScopeKind.WORKFLOW, ScopeKind.PROJECT]
    assert [scope.kind for scope in replace(KEY, organization_wide=True).api().scopes] == [ScopeKind.ORGANIZATION]
