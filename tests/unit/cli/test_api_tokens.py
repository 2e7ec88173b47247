from __future__ import annotations

import json

import pytest

from tests.unit.cli.answers import RUN, page, reply, token

SECRET = "clp_secret"


def test_create_shows_the_secret_once_and_says_so(operate, stub) -> None:
    stub.replies = [reply({"token": token(), "secret": SECRET}, 201)]

    result = operate("organization", "api-token", "create", "--name", "ci", "--role", "attest", "--expiration", "30d")

    assert json.loads(stub.seen[0].body) == {
        "name": "ci", "role": "attest", "expiresInSeconds": 2592000, "description": "",
    }  # fmt: skip
    assert f"│ Token      │ {SECRET}" in result.out
    assert "shown this once" in result.err
    assert SECRET not in result.err


def test_r1_a_token_bound_to_a_workflow_attests(operate, stub) -> None:
    stub.replies = [reply({"token": token(), "secret": SECRET}, 201)]

    result = operate(
        "organization",
        "api-token",
        "create",
        "--name",
        "ci",
        "--project",
        "bedrock",
        "--workflow",
        "release",
        "-o",
        "json",
    )

    assert json.loads(stub.seen[0].body)["role"] == "attest"
    assert (result.json["secret"], result.json["token"]["name"]) == (SECRET, "ci")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--name", "x"), "--role"),
        (("--role", "read"), "--name"),
        (("--name", "x", "--role", "instance"), "role"),
        (("--name", "x", "--role", "read", "--expiration", "1y"), "--expiration: expected a duration"),
    ],
)
def test_create_refuses_what_is_incomplete(operate, stub, options: tuple[str, ...], said: str) -> None:
    result = operate("organization", "api-token", "create", *options)

    assert result.status == 2
    assert said in result.err


def test_r6_list_shows_role_scope_and_last_use(operate, stub) -> None:
    used = token(lastUsedAt="2022-11-07T15:13:06Z", lastUsedAddress="192.0.2.7")
    ended = token(name="old", revokedAt="2022-11-04T00:00:00Z", scope={"kind": "project", "project": "bedrock"})
    expired = token(name="late", expiresAt="2022-11-04T00:00:00Z", scope={"kind": "organization"})
    stub.replies = [page(used, ended, expired)]

    result = operate("organization", "api-token", "ls")

    assert "bedrock/release │ active" in result.out
    assert "07 Nov 22 15:13 UTC │ 192.0.2.7" in result.out
    assert "bedrock/*       │ revoked" in result.out
    assert "organization    │ expired" in result.out


def test_r6_rotate_finds_the_token_by_name_and_sends_the_overlap(operate, stub) -> None:
    stub.replies = [page(token()), reply({"token": token(), "secret": SECRET})]

    result = operate("organization", "api-token", "rotate", "ci", "--overlap", "24h")

    assert stub.seen[1].path == f"/api/v1/api-tokens/{RUN}/rotate"
    assert json.loads(stub.seen[1].body) == {"overlapSeconds": 86400}
    assert SECRET in result.out


def test_revoke_ends_the_token(operate, stub) -> None:
    stub.replies = [page(token()), reply(token(revokedAt="2022-11-04T00:00:00Z"))]

    result = operate("organization", "api-token", "revoke", "ci")

    assert (result.status, stub.seen[1].path) == (0, f"/api/v1/api-tokens/{RUN}/revoke")
    assert "INF token revoked, and the open runs that it began name=ci" in result.err


@pytest.mark.parametrize(("typed", "status", "requests"), [("y\n", 0, 2), ("n\n", 1, 1), ("\n", 1, 1)])
def test_a_person_is_asked_first_and_no_is_not_success(operate, stub, typed: str, status: int, requests: int) -> None:
    stub.replies = [page(token()), reply(token())]

    result = operate("organization", "api-token", "revoke", "ci", typed=typed)

    assert (result.status, len(stub.seen)) == (status, requests)


def test_an_unknown_name_is_an_error_with_the_name(operate, stub) -> None:
    stub.replies = [page()]

    result = operate("organization", "api-token", "revoke", "nobody")

    assert result.status == 1
    assert "no API token 'nobody'" in result.err
    assert "api-token list" in result.err


def test_revoking_again_succeeds_and_says_so(operate, stub) -> None:
    stub.replies = [page(token(revokedAt="2022-11-04T00:00:00Z"))]

    result = operate("organization", "api-token", "revoke", "ci", typed="")

    assert (result.status, len(stub.seen)) == (0, 1)
    assert "token was revoked already" in result.err


def test_with_json_the_log_says_which_field_is_the_secret(operate, stub) -> None:
    stub.replies = [reply({"token": token(), "secret": SECRET}, 201)]

    result = operate("organization", "api-token", "create", "--name", "ci", "--role", "read", "-o", "json")

    assert result.json["secret"] == SECRET
    assert "the secret is in the field `secret`, shown this once" in result.err


def test_a_workflow_may_be_named_with_its_project(operate, stub) -> None:
    stub.replies = [reply({"token": token(), "secret": SECRET}, 201)]

    operate("organization", "api-token", "create", "--name", "ci", "--workflow", "bedrock/release")

    sent = json.loads(stub.seen[0].body)
    assert (sent["project"], sent["workflow"], sent["role"]) == ("bedrock", "release", "attest")


def test_a_workflow_without_a_project_is_refused_with_what_to_type(operate, stub) -> None:
    result = operate("organization", "api-token", "create", "--name", "ci", "--workflow", "release")

    assert (result.status, stub.seen) == (2, [])
    assert "add --project, or write --workflow PROJECT/release" in result.err


LATER = "2099-11-07T15:13:06Z"


def test_r6_rotate_says_until_when_the_old_secret_works(operate, stub) -> None:
    rotated = token(previousExpiresAt=LATER)
    stub.replies = [page(token()), reply({"token": rotated, "secret": SECRET})] * 2

    shown = operate("organization", "api-token", "rotate", "ci", "--overlap", "24h")
    document = operate("organization", "api-token", "rotate", "ci", "--overlap", "24h", "-o", "json").json

    assert "│ Old Secret Until │ 07 Nov 99 15:13 UTC" in shown.out
    assert 'WRN the old secret works as well name=ci until="07 Nov 99 15:13 UTC"' in shown.err
    assert document["token"]["previousExpiresAt"] == LATER


def test_r6_rotate_without_overlap_says_nothing_of_an_old_secret(operate, stub) -> None:
    stub.replies = [page(token()), reply({"token": token(), "secret": SECRET})]

    result = operate("organization", "api-token", "rotate", "ci")

    assert "old secret" not in (result.out + result.err).lower()


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({"previousExpiresAt": LATER}, "active, old secret until 07 Nov 99 15:13 UTC"),
        ({"previousExpiresAt": "2022-11-04T00:00:00Z"}, "active"),
        ({"previousExpiresAt": LATER, "expiresAt": "2022-11-04T00:00:00Z"}, "expired"),
        ({"previousExpiresAt": LATER, "revokedAt": "2022-11-04T00:00:00Z"}, "revoked"),
    ],
)
def test_r6_the_list_says_which_tokens_have_two_secrets(operate, stub, more: dict[str, str], state: str) -> None:
    stub.replies = [page(token(**more))]

    assert f" │ {state} " in operate("organization", "api-token", "list").out


@pytest.mark.parametrize(("ended", "said"), [({"endedRuns": 3}, "name=ci ended-runs=3"), ({}, "name=ci\n")])
def test_r6_revoke_says_how_many_open_runs_it_ended(operate, stub, ended: dict[str, int], said: str) -> None:
    stub.replies = [page(token()), reply(token(revokedAt="2022-11-04T00:00:00Z", **ended))]

    assert said in operate("organization", "api-token", "revoke", "ci").err
