from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from chainloop_ci.cli.audit import render_detail
from tests.unit.cli.answers import DIGEST, RUN, page, token


def entry(**more: Any) -> dict[str, Any]:
    return {
        "at": "2022-11-07T15:13:06Z", "action": "key.registered", "subject": DIGEST, "tokenId": RUN,
        "tokenName": "admin", "address": "192.0.2.7", "detail": {"name": "release"}, **more,
    }  # fmt: skip


def done(**more: Any) -> dict[str, Any]:
    return {
        "at": "2022-11-07T15:03:58Z", "action": "run.begun", "subject": RUN, "project": "bedrock",
        "workflow": "release", "address": "192.0.2.9", "detail": {"state": "success", "uploads": [DIGEST]}, **more,
    }  # fmt: skip


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│").split("│")]


def query(stub, number: int = -1) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(stub.seen[number].path).query))


def test_audit_records_are_listed_with_who_did_it_from_where(operate, stub) -> None:
    stub.replies = [page(entry())]

    lines = operate("organization", "audit", "list").out.splitlines()

    assert cells(lines[1]) == ["AT", "TOKEN", "FROM", "ACTION", "SUBJECT", "DETAIL"]
    assert cells(lines[3]) == ["07 Nov 22 15:13 UTC", "admin", "192.0.2.7", "key.registered", DIGEST, "name=release"]


def test_describe_is_another_name_of_activity(operate, stub) -> None:
    stub.replies = [page(token()), page(done())]

    result = operate("organization", "api-token", "describe", "ci")

    assert result.status == 0
    assert "run.begun" in result.out


def test_a_token_that_is_gone_is_shown_by_its_id(operate, stub) -> None:
    stub.replies = [page(entry(tokenName=""))]

    assert cells(operate("organization", "audit", "ls").out.splitlines()[3])[1] == RUN


def test_every_filter_of_audit_records_reaches_the_control_plane(operate, stub) -> None:
    stub.replies = [page()]

    result = operate(
        "organization", "audit", "list", "--token-name", "ci", "--action", "contract.revised", "--since", "2022-11-07",
        "--until", "2022-11-08", "--limit", "5", "--next", "c",
    )  # fmt: skip

    assert query(stub) == {
        "token": "ci", "action": "contract.revised", "since": "2022-11-07T00:00:00Z", "until": "2022-11-08T00:00:00Z",
        "limit": "5", "cursor": "c",
    }  # fmt: skip
    assert "no record fits these options" in result.err


def test_an_activity_shows_the_token_and_what_it_did(operate, stub) -> None:
    known = token(id=RUN, name="ci", lastUsedAt="2022-11-07T16:00:00Z", lastUsedAddress="192.0.2.7")
    stub.replies = [page(known), page(done())]

    result = operate("organization", "api-token", "activity", "ci", "--since", "2022-11-07")

    assert urlsplit(stub.seen[1].path).path.endswith(f"/api-tokens/{RUN}/activity")
    assert query(stub) == {"since": "2022-11-07T00:00:00Z"}
    for text in ("ci", "192.0.2.7", "07 Nov 22 16:00 UTC", f"state=success uploads={DIGEST}"):
        assert text in result.out
    rows = [cells(line) for line in result.out.splitlines()]
    assert ["AT", "ACTION", "WORKFLOW", "FROM", "SUBJECT", "DETAIL"] in rows
    assert ["07 Nov 22 15:03 UTC", "run.begun", "bedrock/release", "192.0.2.9", RUN] in [row[:5] for row in rows]


def test_an_activity_as_a_document_has_the_token_its_items_and_the_cursor(operate, stub) -> None:
    stub.replies = [page(token(id=RUN, name="ci")), page(done(), cursor="more")]

    document = operate("organization", "api-token", "activity", "ci", "-o", "json").json

    assert list(document) == ["token", "items", "nextCursor"]
    assert (document["token"]["name"], document["items"][0]["subject"]) == ("ci", RUN)


def test_a_token_without_activity_says_so(operate, stub) -> None:
    stub.replies = [page(token(name="ci")), page()]

    result = operate("organization", "api-token", "activity", "ci")

    assert "this token did nothing in that time" in result.err


def test_an_unknown_token_has_no_activity(operate, stub) -> None:
    stub.replies = [page()]

    result = operate("organization", "api-token", "activity", "nobody")

    assert result.status != 0
    assert "nobody" in result.err


@pytest.mark.parametrize(
    ("detail", "text"),
    [
        ({}, ""),
        ({"state": "success", "refusedStores": 2}, "state=success refusedStores=2"),
        ({"team": {"from": "", "to": "core"}}, "team=→core"),
        ({"expiry": {"from": None, "to": 60}}, "expiry=none→60"),
        ({"uploads": ["a", "b"]}, "uploads=a,b"),
        ({"organizationWide": False}, "organizationWide=false"),
        ({"scope": {"kind": "workflow", "project": "p", "workflow": None}}, "scope=workflow/p"),
    ],
)
def test_details_are_rendered_on_one_line(detail: dict[str, object], text: str) -> None:
    assert render_detail(detail) == text


def test_an_action_that_there_is_not_is_a_usage_error_with_the_nearest(operate, stub) -> None:
    result = operate("organization", "audit", "list", "--action", "contract.revise")

    assert (result.status, stub.seen) == (2, [])
    assert "did you mean contract.revised?" in result.err
