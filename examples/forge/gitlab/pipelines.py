"""Pipelines, jobs, accounts and tokens of GitLab. Source: REST documentation, «Pipelines API», «Jobs API»."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from examples.forge.exchange import Answer
from examples.forge.gitlab.documents import full_pipeline, job, moment, pages, pipeline, user, user_id
from examples.forge.gitlab.refusals import not_found
from examples.forge.gitlab.world import Pipeline
from examples.forge.server import Call, Route

if TYPE_CHECKING:
    from examples.forge.gitlab.forge import FakeGitLab


def listed(forge: FakeGitLab, call: Call) -> Answer:
    """Answer pipelines, newest first, by commit, ref, status and source."""
    query = call.request.query
    found = [
        one
        for one in sorted(forge.project_of(call).pipelines.values(), key=lambda each: -each.id)
        if query.get("sha") in (None, one.sha)
        and query.get("ref") in (None, one.ref)
        and query.get("status") in (None, one.status)
        and query.get("source") in (None, one.source)
    ]
    page, headers = pages(forge, call, found)
    return Answer(200, [pipeline(forge, one) for one in page], headers)


def _pipeline_of(forge: FakeGitLab, call: Call) -> Pipeline:
    found = forge.project_of(call).pipelines.get(call.number("pipeline_id"))
    if found is None:
        raise not_found("")
    return found


def get(forge: FakeGitLab, call: Call) -> Answer:
    """Answer one pipeline."""
    return Answer(200, full_pipeline(forge, _pipeline_of(forge, call)))


def list_jobs(forge: FakeGitLab, call: Call) -> Answer:
    """Answer the jobs of a pipeline; statuses of others are none. Retried ones with `include_retried`."""
    one = _pipeline_of(forge, call)
    wanted = one.jobs if call.request.query.get("include_retried") in ("true", "True", "1") else one.current
    page, headers = pages(forge, call, [each for each in wanted if not each.is_status])
    return Answer(200, [job(forge, one, each) for each in page], headers)


def get_job(forge: FakeGitLab, call: Call) -> Answer:
    """Answer one job."""
    number = call.number("job_id")
    for one in forge.project_of(call).pipelines.values():
        for each in one.jobs:
            if each.id == number and not each.is_status:
                return Answer(200, job(forge, one, each))
    raise not_found("")


def get_user(forge: FakeGitLab, call: Call) -> Answer:
    """Answer the account behind a token."""
    return Answer(200, {**user(forge, call.who.user), "email": f"{call.who.user}@users.example", "is_admin": False})


def get_token(forge: FakeGitLab, call: Call) -> Answer:
    """Answer what GitLab knows of the token that asks; any scope may."""
    token = call.who
    document: dict[str, Any] = {
        "id": token.id,
        "name": token.name,
        "revoked": token.is_revoked,
        "created_at": moment(token.at),
        "description": None,
        "scopes": list(token.scopes),
        "user_id": user_id(token.user),
        "last_used_at": moment(token.used_at),
        "active": True,
        "expires_at": token.expires_at.date().isoformat() if token.expires_at else None,
    }
    return Answer(200, document)


def get_version(forge: FakeGitLab, call: Call) -> Answer:
    """Answer the version."""
    return Answer(200, {"version": forge.version, "revision": "0000000"})


BASE = "/projects/{id}"
ROUTES = (
    Route("GET", f"{BASE}/pipelines", listed, "read"),
    Route("GET", f"{BASE}/pipelines/{{pipeline_id}}", get, "read"),
    Route("GET", f"{BASE}/pipelines/{{pipeline_id}}/jobs", list_jobs, "read"),
    Route("GET", f"{BASE}/jobs/{{job_id}}", get_job, "read"),
    Route("GET", "/user", get_user, "person"),
    Route("GET", "/version", get_version, "person"),
    Route("GET", "/personal_access_tokens/self", get_token, "any-scope"),
)
