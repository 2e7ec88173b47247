from __future__ import annotations

import io
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chainloop_ci.client.http import HttpClient
from chainloop_ci.client.operator import AuditFilter, Operator, Paging, RunFilter, is_id
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import DigestMismatchError, NotFoundError, UnreachableError, UsageError
from tests.unit.client.test_control_plane import RUN, RUN_DOCUMENT, reply
from tests.unit.stub_server import Reply, StubServer

CONTENT = b"content" * 1000
DIGEST = sha256_digest(CONTENT)


def token(name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"id-of-{name}", "name": name, "role": "read", "scope": {"kind": "organization"}, "createdBy": "admin",
        "createdAt": "2026-11-20T00:00:00Z", **more,
    }  # fmt: skip


def workflow(project: str) -> dict[str, Any]:
    return {
        "id": RUN, "name": "build", "project": project, "organization": "acme", "contract": "c", "contractRevision": 1,
        "createdAt": "2026-11-20T00:00:00Z",
    }  # fmt: skip


def listed(*items: dict[str, Any], cursor: str | None = None) -> Reply:
    return reply({"items": items, **({"nextCursor": cursor} if cursor else {})})


@pytest.fixture
def operator(client: HttpClient) -> Operator:
    """Return the adapter in front of the stub."""
    return Operator(client)


def test_runs_are_asked_for_by_every_filter(operator: Operator, stub: StubServer) -> None:
    stub.replies = [listed(RUN_DOCUMENT, cursor="next")]
    wanted = RunFilter("build", "demo", "success", "c0ffee", "sha256:x", "GENERIC", "ci", "2026-01-01", "2026-02-01")

    found = operator.list_runs(wanted, Paging(10, "before"))

    query = {name: values[0] for name, values in parse_qs(urlsplit(stub.seen[0].path).query).items()}
    assert query == {
        "workflow": "build", "project": "demo", "state": "success", "commit": "c0ffee", "digest": "sha256:x",
        "runner": "GENERIC", "token": "ci", "since": "2026-01-01", "until": "2026-02-01", "limit": "10",
        "cursor": "before",
    }  # fmt: skip
    assert ([run.id for run in found.items], found.next_cursor) == ([RUN], "next")


def asked(stub: StubServer) -> tuple[str, dict[str, str]]:
    parts = urlsplit(stub.seen[-1].path)
    return parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}


def test_a_graph_is_asked_for_with_its_depth(operator: Operator, stub: StubServer) -> None:
    node = {"digest": DIGEST, "kind": "ARTIFACT", "downloadable": True, "createdAt": "2026-11-20T00:00:00Z"}
    stub.replies = [reply({"node": node, "references": [], "depth": 3})]

    graph = operator.discover(DIGEST, "ARTIFACT", 3, Paging(10, "before"))

    assert asked(stub) == (
        f"/api/v1/referrers/{DIGEST}", {"kind": "ARTIFACT", "depth": "3", "limit": "10", "cursor": "before"},
    )  # fmt: skip
    assert (graph.node.key, graph.depth) == ((DIGEST, "ARTIFACT"), 3)


def test_the_activity_of_a_token_is_asked_for_by_time(operator: Operator, stub: StubServer) -> None:
    stub.replies = [listed({"at": "2026-11-20T00:00:00Z", "action": "run.begun", "subject": RUN})]

    found = operator.list_activity("id", Paging(10), since="2026-01-01", until="2026-02-01")

    assert asked(stub) == (
        "/api/v1/api-tokens/id/activity", {"since": "2026-01-01", "until": "2026-02-01", "limit": "10"},
    )  # fmt: skip
    assert [item.subject for item in found.items] == [RUN]


def test_audit_records_are_asked_for_by_every_filter(operator: Operator, stub: StubServer) -> None:
    stub.replies = [listed()]

    operator.list_audit(AuditFilter("ci", "token.created", "2026-01-01", "2026-02-01"), Paging())

    assert asked(stub) == (
        "/api/v1/audit-records",
        {"token": "ci", "action": "token.created", "since": "2026-01-01", "until": "2026-02-01"},
    )


def test_a_run_is_found_by_the_digest_of_its_attestation(operator: Operator, stub: StubServer) -> None:
    detail = {"run": RUN_DOCUMENT, "workflow": workflow("demo")}
    stub.replies = [listed({**RUN_DOCUMENT, "attestationDigest": DIGEST}), reply(detail)]

    assert operator.get_run_by_digest(DIGEST).run.id == RUN
    assert stub.seen[1].path == f"/api/v1/workflow-runs/{RUN}"


@pytest.mark.parametrize("runs", [(), (RUN_DOCUMENT,)], ids=["no run", "a run with such a material"])
def test_a_digest_of_no_attestation_is_not_found(
    operator: Operator, stub: StubServer, runs: tuple[dict[str, Any], ...]
) -> None:
    stub.replies = [listed(*runs)]

    with pytest.raises(NotFoundError, match=DIGEST):
        operator.get_run_by_digest(DIGEST)


def test_a_name_is_looked_for_on_every_page(operator: Operator, stub: StubServer) -> None:
    stub.replies = [listed(token("a"), cursor="2"), listed(token("b"))]

    assert operator.find_token("b").id == "id-of-b"
    assert "cursor=2" in stub.seen[1].path


@pytest.mark.parametrize("named", ["a", "id-of-a"])
def test_a_revoked_token_is_found_too(operator: Operator, stub: StubServer, named: str) -> None:
    stub.replies = [listed(token("a", revokedAt="2026-11-20T00:00:00Z"))]

    assert operator.find_token(named).revoked_at is not None


@pytest.mark.parametrize(
    ("find", "said"),
    [
        (lambda operator: operator.find_token("x"), "organization api-token list"),
        (lambda operator: operator.find_key("x"), "organization key list"),
        (lambda operator: operator.find_workflow("x", None), "workflow list"),
    ],
)
def test_what_is_not_there_comes_with_the_list_of_what_is(operator: Operator, stub: StubServer, find, said) -> None:
    stub.replies = [listed()]

    with pytest.raises(NotFoundError, match=r"there is no .* 'x'") as caught:
        find(operator)

    assert said in str(caught.value.hint)


def test_a_name_that_several_have_must_be_narrowed(operator: Operator, stub: StubServer) -> None:
    stub.replies = [listed(workflow("one"), workflow("two"))]

    with pytest.raises(UsageError) as caught:
        operator.find_workflow("build", None)

    assert "--project" in str(caught.value.hint)


def test_a_workflow_is_asked_for_by_id_or_by_name(operator: Operator, stub: StubServer) -> None:
    stub.replies = [reply(workflow("demo")), listed(workflow("demo"))]

    operator.find_workflow(RUN, None)
    operator.find_workflow("build", "demo")

    assert [seen.path for seen in stub.seen] == [
        f"/api/v1/workflows/{RUN}",
        "/api/v1/workflows?project=demo&name=build&limit=200",
    ]


def test_only_a_uuid_is_an_id() -> None:
    assert is_id(RUN)
    assert not is_id("build")
    assert not is_id(RUN.upper())


def test_an_attestation_is_the_bytes_that_its_digest_names(operator: Operator, stub: StubServer) -> None:
    raw = Reply(200, CONTENT, {"Content-Type": "application/vnd.dev.sigstore.bundle.v0.3+json"})
    stub.replies = [raw, Reply(200, b"other", raw.headers)]

    assert operator.get_attestation(DIGEST) == CONTENT
    with pytest.raises(DigestMismatchError):
        operator.get_attestation(DIGEST)


def test_an_artifact_comes_with_its_name_and_size(operator: Operator, stub: StubServer) -> None:
    stub.replies = [Reply(200, CONTENT, {"Content-Disposition": 'attachment; filename="app.bin"'})]
    sink = io.BytesIO()

    with operator.artifact(DIGEST) as download:
        received = download.save(sink)

    assert (download.filename, download.size_bytes) == ("app.bin", len(CONTENT))
    assert (sink.getvalue(), received.digest) == (CONTENT, DIGEST)


def test_an_artifact_that_breaks_off_is_unreachable(operator: Operator, stub: StubServer) -> None:
    stub.replies = [Reply(200, CONTENT, {}, cut=100)]

    with pytest.raises(UnreachableError, match="lost after 100 bytes"), operator.artifact(DIGEST) as download:
        download.save(io.BytesIO())


def test_an_absent_artifact_is_not_found(operator: Operator, stub: StubServer) -> None:
    body = json.dumps({"code": "not-found", "detail": "no artifact"}).encode()
    stub.replies = [Reply(404, body)]

    with pytest.raises(NotFoundError, match="no artifact"), operator.artifact(DIGEST):
        pass
