"""R3, R4: who has to have signed what is stored."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from server.wiring import Services
from tests.integration.server.conftest import Tenant
from tests.integration.server.jobs import Job, Key, register_key
from tests.integration.server.lies import META, assert_refused, edited, put
from tests.integration.server.lies import honest as honest


def test_r4_an_unknown_key_is_refused_with_the_keys_that_count(services: Services, honest: Job) -> None:
    bundle = Key().bundle(honest.payload())

    answer = assert_refused(services, honest, bundle, "/dsseEnvelope/signatures/0/sig", "signer-unknown")

    assert honest.key.public.key_id in answer.json["detail"]


def test_r3_a_key_of_another_workflow_does_not_count(services: Services, honest: Job, api: Any, acme: Tenant) -> None:
    other = Key()
    register_key(api, acme, other, "deploy", workflows=["app/deploy"])

    bundle = other.bundle(honest.payload())

    assert_refused(services, honest, bundle, "/verificationMaterial/publicKey/hint", "key-out-of-scope")


def test_r3_a_key_of_another_organization_is_unknown(services: Services, honest: Job, api: Any, rival: Tenant) -> None:
    other = Key()
    register_key(api, rival, other, "theirs", organizationWide=True)

    bundle = other.bundle(honest.payload())

    assert_refused(services, honest, bundle, "/dsseEnvelope/signatures/0/sig", "signer-unknown")


@pytest.mark.parametrize(("end", "code"), [("retire", "key-retired"), ("revoke", "key-revoked")])
def test_r3_an_ended_key_does_not_count(
    services: Services, honest: Job, api: Any, acme: Tenant, end: str, code: str
) -> None:
    api(acme.token("admin")).post(f"/verification-keys/{honest.key.public.key_id}/{end}")

    bundle = honest.key.bundle(honest.payload())

    assert_refused(services, honest, bundle, "/verificationMaterial/publicKey/hint", code)


def test_r3_a_key_does_not_count_before_it_is_valid(services: Services, honest: Job, api: Any, acme: Tenant) -> None:
    later = Key()
    register_key(api, acme, later, "later", workflows=["app/build"], validFrom="2027-01-01T00:00:00Z")

    bundle = later.bundle(honest.payload())

    assert_refused(services, honest, bundle, "/verificationMaterial/publicKey/hint", "key-not-yet-valid")


@pytest.mark.parametrize("scope", [{"projects": ["app"]}, {"organizationWide": True}])
def test_r3_a_key_of_the_project_or_the_organization_counts(
    honest: Job, api: Any, acme: Tenant, scope: dict[str, object]
) -> None:
    wide = Key()
    register_key(api, acme, wide, "wide", **scope)

    answer = honest.push(wide.bundle(honest.payload()))

    assert answer.json["verified"] is True


def test_a_hint_does_not_decide_which_key_is_tried(honest: Job) -> None:
    named_otherwise = edited(
        honest.key.bundle(honest.payload()),
        put("verificationMaterial", "publicKey", "hint", value=base64.b64encode(b"\x00" * 32).decode()),
    )

    answer = honest.push(named_otherwise)

    assert answer.json["verified"] is True


@pytest.fixture
def lenient(honest: Job, api: Any, acme: Tenant) -> Job:
    """Return the honest job in an organization that accepts unsigned attestations."""
    api(acme.token("admin")).patch(f"/organizations/{acme.name}", json={"acceptUnsigned": True})
    return honest


@pytest.mark.parametrize("signed", [True, False])
def test_r4_where_unsigned_is_accepted_the_run_ends_as_unverified_error(lenient: Job, signed: bool) -> None:
    bundle = Key().bundle(lenient.payload())
    if not signed:
        bundle = edited(bundle, put("dsseEnvelope", "signatures", value=[]))

    answer = lenient.push(bundle)

    run = lenient.api.get(lenient.path).json["run"]
    assert answer.status_code == 201, answer.text
    assert answer.json["verified"] is False
    assert answer.json["verification"]["key"]["result"] == "not shown"
    assert (run["state"], run["reason"]) == ("error", "unverified")


def test_r4_a_lie_is_refused_where_unsigned_is_accepted_too(services: Services, lenient: Job) -> None:
    bundle = Key().bundle(lenient.payload(put(*META, "project", value="other")))

    assert_refused(services, lenient, bundle, "/predicate/metadata/project", "claim-differs")


def test_r4_a_revoked_key_is_refused_where_unsigned_is_accepted_too(
    services: Services, lenient: Job, api: Any, acme: Tenant
) -> None:
    api(acme.token("admin")).post(f"/verification-keys/{lenient.key.public.key_id}/revoke")

    bundle = lenient.key.bundle(lenient.payload())

    assert_refused(services, lenient, bundle, "/verificationMaterial/publicKey/hint", "key-revoked")


def test_r4_retiring_the_last_key_changes_nothing(services: Services, honest: Job, api: Any, acme: Tenant) -> None:
    api(acme.token("admin")).post(f"/verification-keys/{honest.key.public.key_id}/retire")
    bundle = edited(Key().bundle(honest.payload()), put("dsseEnvelope", "signatures", value=[]))

    assert_refused(services, honest, bundle, "/dsseEnvelope/signatures", "signature-count")
