"""Requests made to hurt: each is refused with a reason, in a small answer, and never as a fault of the server."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from chainloop_ci.errors import MAX_FINDINGS
from server.routes.endpoints import Endpoint
from server.routes.table import ENDPOINTS, PUBLIC_ENDPOINTS
from tests.integration.server.conftest import Tenant
from tests.integration.server.jobs import Job

SMALL_ANSWER_BYTES = 256 * 1024


@pytest.mark.parametrize("junk", [b"{}", b"1", b'{"sig":""}'])
def test_t30_a_bundle_of_junk_signatures_gets_a_small_answer_and_a_small_row(job: Job, junk: bytes) -> None:
    job.begin()
    bundle = job.key.bundle(b"{}").replace(b'"signatures":[', b'"signatures":[' + (junk + b",") * 20_000)

    answer = job.push(bundle)

    assert answer.status_code == 422
    assert len(answer.data) < SMALL_ANSWER_BYTES
    assert len(answer.json["findings"]) <= MAX_FINDINGS + 1
    assert len(job.api.get(job.path).data) < SMALL_ANSWER_BYTES


def test_t30_a_bundle_of_unknown_fields_names_them_once(job: Job) -> None:
    job.begin()
    fields = b"".join(b'"k%d":1,' % number for number in range(5_000))

    answer = job.push(job.key.bundle(b"{}").replace(b"{", b"{" + fields, 1))

    assert answer.status_code == 422
    assert len(answer.data) < SMALL_ANSWER_BYTES


def test_t30_a_list_over_its_limit_is_refused_without_looking_into_it(api: Any, acme: Tenant) -> None:
    body = {"name": "k", "publicKey": "x", "projects": [1] * 50_000}

    answer = api(acme.token("admin")).post("/verification-keys", json=body)

    assert answer.status_code == 422
    assert len(answer.data) < SMALL_ANSWER_BYTES


@pytest.mark.parametrize(
    "path",
    [
        "/contracts/app-build/revisions/9223372036854775808",
        "/contracts/app-build/revisions/0",
        "/workflow-runs?since=0001-01-01T00:00:00Z",
        "/workflow-runs?until=9999-12-31T23:59:59Z",
        "/workflow-runs?limit=0",
        "/workflow-runs?limit=99999999999999999999",
        "/workflow-runs?cursor=AAAA",
    ],
)
def test_t42_numbers_and_times_out_of_range_are_refused_with_a_reason(api: Any, acme: Tenant, path: str) -> None:
    answer = api(acme.token("read")).get(path)

    assert 400 <= answer.status_code < 500
    assert answer.json["detail"]


@pytest.mark.parametrize("noun", ["projects", "workflows", "contracts"])
def test_t42_a_cursor_with_half_a_character_is_refused(api: Any, acme: Tenant, noun: str) -> None:
    read = api(acme.token("read"))
    cursor = read.get(f"/{noun}?limit=1").json["nextCursor"]
    binding = json.loads(base64.urlsafe_b64decode(cursor + "=="))[0]
    broken = base64.urlsafe_b64encode(json.dumps([binding, "\ud800"]).encode()).decode().rstrip("=")

    answer = read.get(f"/{noun}?limit=1&cursor={broken}")

    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize(
    "change",
    [
        {"runnerUrl": "javascript:alert(1)"},
        {"runnerUrl": "https://ci.example/\x1b[31m"},
        {"projectVersion": "1\n::set-output name=x::y"},
        {"clientVersion": "1\x00"},
        {"ci": {"provider": "evil provider"}},
        {"ci": {"provider": "github", "serverUrl": "javascript:x"}},
        {"ci": {"provider": "github", "headSha": "zz"}},
        {"ci": {"provider": "github", "job": "a\x1b[2Jb"}},
    ],
)
def test_t46_control_characters_and_foreign_schemes_are_refused_at_init(job: Job, change: dict[str, object]) -> None:
    answer = job.begin(**change)

    assert answer.status_code == 422
    assert job.api.get(job.path).status_code == 404


_READING = [endpoint for endpoint in (*ENDPOINTS, *PUBLIC_ENDPOINTS) if endpoint.method == "GET"]
_SOME = {"uuid": "5f0c2f6e-2f0b-4c56-9a0e-6f1f3c0e7a11", "int": "1", "digest": "sha256:" + 64 * "0"}
_SOME["anydigest"] = _SOME["digest"]


def _fill(path: str, text: str) -> str:
    """Return the path with something in each of its places, `text` where any text may stand."""
    return re.sub(r"<(?:(\w+):)?\w+>", lambda place: _SOME[place[1]] if place[1] else text, path)


@pytest.mark.parametrize("endpoint", _READING, ids=lambda endpoint: endpoint.path)
def test_t42_a_nul_where_a_text_is_looked_up_is_no_fault_of_the_server(
    api: Any, acme: Tenant, instance_token: str, endpoint: Endpoint
) -> None:
    paths = [_fill(endpoint.path, "a%00b")]
    paths += [f"{_fill(endpoint.path, 'build')}?{query.name}=a%00b" for query in endpoint.query]

    answers = [api(secret).get(path) for path in paths for secret in (acme.token("admin"), instance_token)]

    assert [answer.status_code for answer in answers if answer.status_code >= 500] == []


@pytest.mark.parametrize("noun", ["projects", "workflows", "contracts"])
def test_t42_a_cursor_with_a_nul_is_refused(api: Any, acme: Tenant, noun: str) -> None:
    read = api(acme.token("read"))
    cursor = read.get(f"/{noun}?limit=1").json["nextCursor"]
    binding, *key = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    broken = base64.urlsafe_b64encode(json.dumps([binding, *["\0" for _ in key]]).encode()).decode().rstrip("=")

    answer = read.get(f"/{noun}?limit=1&cursor={broken}")

    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (2**31, [404, 404, 404, 201]),
        (2**53 - 1, [404, 422, 404, 201]),
        (2**53, [404, 422, 422, 422]),
    ],
)
def test_t42_numbers_that_one_engine_keeps_and_another_would_not_are_answered_alike(
    api: Any, acme: Tenant, job: Any, number: int, expected: list[int]
) -> None:
    asked = [
        api(acme.token("read")).get(f"/contracts/app-build/revisions/{number}").status_code,
        api(acme.token("operate"))
        .patch("/workflows/" + acme.workflows["app/build"], json={"minimumRevision": number})
        .status_code,
        job.begin(contractRevision=number).status_code,
        job.begin(ci={**job.ci_of_attempt(1), "runAttempt": number}).status_code,
    ]

    assert asked == expected


def test_t42_what_a_ci_system_says_may_be_longer_than_usual(api: Any, acme: Tenant, job: Any) -> None:
    long = dict.fromkeys(("runId", "jobIndex", "event", "pullRequest", "job", "ref", "runnerName"), "x" * 4096)

    answer = job.begin(ci={**job.ci_of_attempt(1), **long})

    assert answer.status_code == 201, answer.text
    assert job.api.get(job.path).json["run"]["ci"]["runId"] == long["runId"]
