from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from chainloop_ci import errors
from chainloop_ci.client.answers import BY_CODE, Answer, error_of, page, read_json, read_record
from chainloop_ci.errors import ChainloopError, ServerFaultError
from server import errors as server_errors


@dataclass(frozen=True)
class Thing:
    """A record."""

    some_name: str


def problem(status: int, **fields: object) -> Answer:
    headers = {"content-type": "application/problem+json; charset=utf-8"}
    return Answer("GET things", status, headers, json.dumps(fields).encode())


def subclasses(module: object) -> set[type[ChainloopError]]:
    return {
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, ChainloopError) and value is not ChainloopError
    }


@pytest.mark.parametrize("cls", sorted(subclasses(errors), key=lambda cls: cls.code))
def test_each_code_of_the_core_becomes_its_own_class(cls: type[ChainloopError]) -> None:
    error = error_of(problem(400, code=cls.code, detail="why", hint="do"), "https://cp")

    assert (type(error), error.message, error.hint) == (cls, "why", "do")


@pytest.mark.parametrize("cls", sorted(subclasses(server_errors), key=lambda cls: cls.code))
def test_each_code_of_the_control_plane_is_in_the_table(cls: type[ChainloopError]) -> None:
    assert cls.code in BY_CODE


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, errors.RequestInvalidError),
        (401, errors.NotAuthenticatedError),
        (403, errors.NotAllowedError),
        (404, errors.NotFoundError),
        (409, errors.ConflictError),
        (412, errors.PreconditionFailedError),
        (413, errors.LimitExceededError),
        (418, errors.ServerFaultError),
        (500, errors.ServerFaultError),
        (503, errors.UnreachableError),
    ],
)
def test_an_unknown_code_is_judged_by_its_status(status: int, cls: type[ChainloopError]) -> None:
    assert type(error_of(problem(status, code="of-the-future", detail="x"), "https://cp")) is cls


def test_findings_are_kept_whole() -> None:
    findings = [
        {"code": "missing", "message": "no sbom", "path": "/materials", "line": 3, "column": 4, "hint": "add it"},
        {"message": "odd", "line": "x"},
        "nonsense",
    ]

    error = error_of(problem(422, code="attestation-refused", detail="refused", findings=findings), "https://cp")

    assert error.findings == (
        errors.Finding("missing", "no sbom", "/materials", 3, 4, "add it"),
        errors.Finding("finding", "odd"),
    )


def test_a_fault_of_the_server_names_its_request() -> None:
    error = error_of(problem(500, code="server-fault", detail="defect", requestId="r-1"), "https://cp")

    assert "r-1" in str(error.hint)


def test_a_foreign_path_in_the_address_is_a_wrong_option() -> None:
    answer = problem(404, code="not-found", detail="nothing is at /docs/api/v1/whoami", hint="see /docs")

    error = error_of(answer, "http://cp.test:8080/docs")

    assert isinstance(error, errors.UsageError)
    assert "http://cp.test:8080/docs is not the address of a control plane" in error.message
    assert "--control-plane (CHAINLOOP_CONTROL_PLANE_API)" in str(error.hint)
    assert str(error.hint).endswith("the address without its path is meant: http://cp.test:8080")


def test_what_is_not_there_behind_a_proxy_with_a_path_is_not_found() -> None:
    answer = problem(404, code="not-found", detail="there is no workflow build", hint="look")

    error = error_of(answer, "https://cp.test/chainloop")

    assert (type(error), error.hint) == (errors.NotFoundError, "look")


def test_a_page_below_a_path_lets_the_path_be_looked_at() -> None:
    error = error_of(Answer("GET x", 404, {"Content-Type": "text/html"}, b"<html>"), "https://cp.test/wiki")

    assert "the address without its path is meant: https://cp.test, unless" in str(error.hint)


@pytest.mark.parametrize("document", [[], "text", 1, {"other": 1}])
def test_json_that_is_no_problem_is_not_ours(document: object) -> None:
    answer = Answer("GET x", 400, {"Content-Type": "application/json"}, json.dumps(document).encode())

    assert isinstance(error_of(answer, "https://cp"), ServerFaultError)


def test_an_unserved_address_is_unreachable() -> None:
    answer = Answer("GET x", 502, {"Content-Type": "text/html"}, b"<html>")

    assert isinstance(error_of(answer, "https://cp"), errors.UnreachableError)


def test_json_needs_its_media_type() -> None:
    with pytest.raises(ServerFaultError, match="text/html"):
        read_json(Answer("GET x", 200, {"Content-Type": "text/html"}, b"{}"))


def test_a_page_holds_records_and_a_cursor() -> None:
    found = page(Thing, {"items": [{"someName": "a", "new": 1}], "nextCursor": "c"})

    assert (found.items, found.next_cursor) == ((Thing("a"),), "c")


@pytest.mark.parametrize("document", [None, [], {}, {"items": {}}, {"items": [{}]}, {"items": ["x"]}])
def test_what_is_no_page_is_a_fault_of_the_server(document: object) -> None:
    with pytest.raises(ServerFaultError):
        page(Thing, document)


@pytest.mark.parametrize("document", [None, [], {}, "x"])
def test_a_record_that_lacks_something_is_a_fault_of_the_server(document: object) -> None:
    with pytest.raises(ServerFaultError, match="Thing"):
        read_record(Thing, document)


def test_a_field_of_another_kind_is_a_fault_of_the_server() -> None:
    with pytest.raises(ServerFaultError, match=r"not the Thing .* Thing\.someName: expected str, found int"):
        read_record(Thing, {"someName": 7})
