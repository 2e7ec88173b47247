"""Webhooks that are signed as they should be, and made to keep others out (T30, R46)."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import event

from tests.integration.server.webhooks import handle, make_hook

MOMENT = "2026-11-20 12:00:00 UTC"


@pytest.fixture
def hook(api, client, clock, acme):
    return make_hook(api, client, clock, acme, "gitlab:acme/app")


def pipeline(status, jobs=5000):
    build = {"status": status, "created_at": MOMENT, "started_at": MOMENT, "finished_at": MOMENT}
    return {
        "object_attributes": {"id": 77, "sha": "a" * 40, "status": "running", "created_at": MOMENT},
        "project": {"id": 7, "path_with_namespace": "acme/app"},
        "builds": [{"id": number, "name": f"job {number}", **build} for number in range(jobs)],
    }


@pytest.mark.parametrize("status", ["running", "success"])
def test_t30_a_pipeline_of_thousands_of_jobs_takes_few_statements(hook, services, status):
    hook.gitlab("Pipeline Hook", pipeline("created"))
    handle(services)
    statements = []
    event.listen(services.database.engine, "before_cursor_execute", lambda *what: statements.append(what[2]))

    hook.gitlab("Pipeline Hook", pipeline(status))
    began = time.monotonic()
    handle(services)

    assert len(statements) < 200
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("pieces", [b"{},", b"[],", b"1,"])
def test_t30_a_body_of_millions_of_values_is_not_parsed(hook, pieces):
    body = b'{"x": [' + pieces * 2_000_000 + b"0]}"

    answer = hook.send(
        body, {"Content-Type": "application/json", "X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": hook.secret}
    )

    assert answer.status_code == 400
    assert answer.json["code"] == "webhook-invalid"
