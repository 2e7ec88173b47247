"""Answers of a control plane, as the API gives them."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.stub_server import Reply

RUN = "a6ec0229-7796-46fc-8df2-a03f4bddab47"
WORKFLOW = "ca6d9718-fa49-4a20-9db9-a82080e79632"
DIGEST = "sha256:" + "a" * 64


def reply(document: Any, status: int = 200) -> Reply:
    """Return a JSON answer."""
    return Reply(status, json.dumps(document).encode())


def page(*items: Any, cursor: str | None = None) -> Reply:
    """Return one page of a list."""
    return reply({"items": items, **({"nextCursor": cursor} if cursor else {})})


def problem(status: int, code: str, detail: str, **more: Any) -> Reply:
    """Return a refusal."""
    body = json.dumps({"code": code, "detail": detail, "status": status, **more}).encode()
    return Reply(status, body, {"Content-Type": "application/problem+json"})


def organization(**more: Any) -> dict[str, Any]:
    """Return an organization."""
    return {
        "id": WORKFLOW, "name": "acme", "createdAt": "2022-11-03T22:31:00Z", "acceptUnsigned": False,
        "runExpirySeconds": 21600, "quotaBytes": 0, "casBackend": "filesystem", **more,
    }  # fmt: skip


def workflow(**more: Any) -> dict[str, Any]:
    """Return a workflow."""
    return {
        "id": WORKFLOW, "name": "release", "project": "bedrock", "organization": "acme", "contract": "release",
        "contractRevision": 2, "createdAt": "2022-11-03T12:24:00Z", "team": "core", "runsCount": 11,
        "lastRunState": "success", **more,
    }  # fmt: skip


def run(**more: Any) -> dict[str, Any]:
    """Return a run, as lists show it."""
    return {
        "id": RUN, "sequence": 7, "state": "success", "workflowId": WORKFLOW, "workflow": "release",
        "project": "bedrock", "organization": "acme", "contract": "release", "contractRevision": 1,
        "contractRevisionLatest": 2, "runnerType": "GITHUB_ACTION", "team": "core",
        "runnerUrl": "https://github.com/chainloop-dev/bedrock/actions/runs/3411479373",
        "createdAt": "2022-11-07T15:03:58Z", "expiresAt": "2022-11-07T21:03:58Z", "finishedAt": "2022-11-07T15:13:06Z",
        **more,
    }  # fmt: skip


def revision(**more: Any) -> dict[str, Any]:
    """Return a revision of a contract."""
    import base64

    raw = b"schemaVersion: v1\nmaterials:\n- {type: STRING, name: commit}\n"
    return {
        "name": "release", "revision": 1, "latestRevision": 2, "digest": DIGEST, "format": "yaml",
        "rawBody": base64.b64encode(raw).decode(), "createdAt": "2022-11-03T12:24:00Z",
        "document": {"schemaVersion": "v1", "materials": [{"type": "STRING", "name": "commit"}]}, **more,
    }  # fmt: skip


def token(**more: Any) -> dict[str, Any]:
    """Return an API token."""
    return {
        "id": RUN, "name": "ci", "role": "attest", "createdBy": "admin", "createdAt": "2022-11-03T12:24:00Z",
        "scope": {"kind": "workflow", "project": "bedrock", "workflow": "release"}, **more,
    }  # fmt: skip


def key(**more: Any) -> dict[str, Any]:
    """Return a verification key."""
    return {
        "id": DIGEST, "name": "release", "algorithm": "ecdsa-p256-sha256", "publicKey": "PEM", "createdBy": "admin",
        "createdAt": "2022-11-03T12:24:00Z", "validFrom": "2022-11-03T12:24:00Z",
        "scopes": [{"kind": "workflow", "project": "bedrock", "workflow": "release"}], **more,
    }  # fmt: skip
