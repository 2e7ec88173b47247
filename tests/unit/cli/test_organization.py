from __future__ import annotations

import json

import pytest

from tests.unit.cli.answers import organization, page, problem, reply

WHOAMI = {"tokenId": "t", "tokenName": "admin", "role": "admin", "scope": {"kind": "organization"}}


def test_create_sends_the_name_and_shows_what_was_made(operate, stub) -> None:
    stub.replies = [reply(organization(), 201)]

    result = operate("organization", "create", "acme")

    assert (result.status, json.loads(stub.seen[0].body)) == (0, {"name": "acme"})
    assert "│ Name            │ acme " in result.out
    assert "INF organization created name=acme" in result.err


def test_list_has_its_alias_and_its_columns(operate, stub) -> None:
    stub.replies = [page(organization())]

    result = operate("org", "ls")

    assert "│ NAME │ ID" in result.out
    assert "03 Nov 22 22:31 UTC" in result.out


def test_describe_without_a_name_is_about_the_token_s_own(operate, stub) -> None:
    stub.replies = [reply({**WHOAMI, "organization": "acme"}), reply(organization())]

    result = operate("organization", "describe", "-o", "json")

    assert (result.status, stub.seen[1].path) == (0, "/api/v1/organizations/acme")
    assert result.json["runExpirySeconds"] == 21600


def test_describe_asks_for_a_name_when_the_token_has_no_organization(operate, stub) -> None:
    stub.replies = [reply(WHOAMI)]

    result = operate("organization", "describe")

    assert result.status == 2
    assert "--org" in result.err


def test_update_changes_only_what_was_typed(operate, stub) -> None:
    stub.replies = [reply(organization(acceptUnsigned=True))]

    result = operate(
        "organization", "update", "acme", "--accept-unsigned", "true", "--run-expiry", "8h", "--quota", "10GB"
    )

    assert (stub.seen[0].method, json.loads(stub.seen[0].body)) == (
        "PATCH",
        {"acceptUnsigned": True, "runExpirySeconds": 28800, "quotaBytes": 10**10},
    )
    assert "never a success" in result.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "nothing to change"),
        (("--run-expiry", "soon"), "--run-expiry: expected a duration"),
        (("--run-expiry", "10s"), "--run-expiry: expected 1m to 30d, found '10s'"),
        (("--run-expiry", "31d"), "--run-expiry: expected 1m to 30d, found '31d'"),
        (("--quota", "much"), "--quota: expected a size"),
        (("--cas-backend", "s3"), "cas-backend"),
        (("--accept-unsigned", "maybe"), "accept-unsigned"),
    ],
)
def test_update_refuses_what_it_cannot_read(operate, stub, options: tuple[str, ...], said: str) -> None:
    result = operate("organization", "update", "acme", *options)

    assert result.status == 2
    assert said in result.err
    assert stub.seen == []


def test_a_refusal_of_the_control_plane_keeps_its_text_hint_and_status(operate, stub) -> None:
    stub.replies = [problem(403, "not-allowed", "needs the role instance", hint="ask the operator")]

    result = operate("organization", "create", "acme", "-o", "json")

    assert result.status == 5
    assert result.json["error"]["code"] == "not-allowed"
    assert "hint: ask the operator" in result.err


def test_without_a_token_nothing_is_asked(operate, stub) -> None:
    result = operate("organization", "list", env={"CHAINLOOP_TOKEN": ""})

    assert result.status == 5
    assert "CHAINLOOP_TOKEN" in result.err
    assert stub.seen == []
