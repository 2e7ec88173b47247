"""The contract that is read without a token: what it shows to whom, and when no more."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.integration.server.conftest import Tenant
from tests.integration.server.jobs import CONTRACT, put_contract


@pytest.fixture
def switch(api: Any, acme: Tenant) -> Any:
    """Return what makes the contract of `acme`'s workflow public, or not, and returns its id."""
    put_contract(api, acme)

    def change(is_public: bool, role: str = "operate") -> Any:
        path = f"/workflows/{acme.workflows['app/build']}"
        return api(acme.token(role)).patch(path, json={"publicContract": is_public})

    return change


def read(client: FlaskClient, public_id: str, **headers: str) -> Any:
    return client.get(f"/api/v1/public/contracts/{public_id}", headers=headers)


def test_anybody_who_knows_the_address_reads_the_exact_bytes_and_nothing_else(client: FlaskClient, switch: Any) -> None:
    public_id = switch(True).json["publicContractId"]

    answer = read(client, public_id)

    assert (answer.status_code, answer.data, answer.mimetype) == (200, CONTRACT, "application/yaml")
    assert "acme" not in str(answer.headers)
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_newest_revision_is_shown(client: FlaskClient, switch: Any, api: Any, acme: Tenant) -> None:
    public_id = switch(True).json["publicContractId"]
    put_contract(api, acme, CONTRACT + b"# more\n")

    assert read(client, public_id).data == CONTRACT + b"# more\n"


def test_the_same_again_keeps_the_address_and_off_and_on_makes_a_new_one(client: FlaskClient, switch: Any) -> None:
    first = switch(True).json["publicContractId"]
    same = switch(True).json["publicContractId"]
    off = switch(False)
    second = switch(True).json["publicContractId"]

    assert same == first
    assert off.json.get("publicContractId") is None
    assert second != first
    assert (read(client, first).status_code, read(client, second).status_code) == (404, 200)


def test_a_contract_that_is_not_public_looks_like_one_that_never_was(client: FlaskClient, switch: Any) -> None:
    public_id = switch(True).json["publicContractId"]
    switch(False)
    never = "00000000-0000-4000-8000-000000000000"

    ended, absent = read(client, public_id), read(client, never)

    assert (ended.status_code, absent.status_code) == (404, 404)
    assert ended.json["detail"].replace(public_id, "") == absent.json["detail"].replace(never, "")


def test_a_workflow_s_own_id_leads_nowhere(client: FlaskClient, switch: Any, acme: Tenant) -> None:
    switch(True)

    assert read(client, acme.workflows["app/build"]).status_code == 404


@pytest.mark.parametrize("role", ["attest", "read"])
def test_r1_only_an_operator_makes_a_contract_public(switch: Any, role: str) -> None:
    assert switch(True, role).status_code == 403


def test_a_bad_token_is_no_hindrance_and_no_help(client: FlaskClient, switch: Any) -> None:
    public_id = switch(True).json["publicContractId"]

    assert read(client, public_id, Authorization="Bearer clp_nobody").data == CONTRACT


def test_who_made_it_public_is_written_down(switch: Any, api: Any, acme: Tenant) -> None:
    public_id = switch(True).json["publicContractId"]

    records = api(acme.token("admin")).get("/audit-records")

    changes = [record["detail"] for record in records.json["items"] if record["action"] == "workflow.changed"]
    assert [change["hasPublicContract"] for change in changes] == [{"from": False, "to": True}]
    assert public_id not in records.text


def test_it_is_only_read(client: FlaskClient, switch: Any) -> None:
    public_id = switch(True).json["publicContractId"]

    assert client.put(f"/api/v1/public/contracts/{public_id}", data=b"x").status_code == 405


def test_the_document_says_that_it_needs_no_token(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json

    operation = document["paths"]["/api/v1/public/contracts/{public_id}"]["get"]

    assert operation["security"] == []
    assert not {"401", "403"} & set(operation["responses"])
