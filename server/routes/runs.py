"""Routes of workflow runs."""

from __future__ import annotations

from typing import Any

from flask import request

from chainloop_ci.api.limits import HANDLE_HEADER
from chainloop_ci.api.runs import CancelRequest, RefusedInit, RunDetail, RunRequest, WorkflowRun
from server.model.principal import ATTESTERS, EVERYBODY, READERS
from server.model.run_filters import STATE_WORDS
from server.routes.endpoints import PAGING, Answer, Call, Endpoint, Header, Query
from server.routes.run_links import link_detail, link_page, link_run
from server.services.run_filters import RunQuery

HANDLE = Header(HANDLE_HEADER, "The run handle: what shows that the job which began the run is asking (R14).")
REQUIRED_HANDLE = Header(HANDLE.name, HANDLE.description, required=True)

_FILTERS = (
    Query("workflow", "Name or id of a workflow."),
    Query("project", "Name of a project."),
    Query("state", f"One of {', '.join(STATE_WORDS)}, in any case."),
    Query("commit", "Head commit, at least its first 7 digits."),
    Query("digest", "Digest of the attestation, of one of its materials, or of what the run uploaded or refers to."),
    Query("runner", "Runner type, like GITHUB_ACTION."),
    Query("token", "Name or id of the token that began the run."),
    Query("since", "RFC 3339 time: begun then or later."),
    Query("until", "RFC 3339 time: begun then or earlier."),
)


def _create(call: Call) -> Any:
    run, is_new = call.services.runs.create(call.principal, call.path["run_id"], call.body)
    return Answer(link_run(call, run), 201 if is_new else 200)


def _list(call: Call) -> Any:
    wanted = RunQuery(**{item.name: call.query.get(item.name) for item in _FILTERS})
    return link_page(call, call.services.runs.list(call.principal, wanted, call.paging))


def _get(call: Call) -> Any:
    return link_detail(call, call.services.runs.get(call.principal, call.path["run_id"]))


def _cancel(call: Call) -> Any:
    handle = request.headers.get(HANDLE_HEADER)
    return link_run(call, call.services.runs.cancel(call.principal, call.path["run_id"], call.body, handle))


def _refused_inits(call: Call) -> Any:
    return call.services.runs.list_refused_inits(call.principal, call.path["workflow_id"], call.paging)


_TAG = "workflow-runs"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "PUT",
        "/workflow-runs/<uuid:run_id>",
        ATTESTERS,
        _create,
        "Begin a run under an id of the client's choice; 201 when it is new, 200 for the same request again.",
        _TAG,
        answer=WorkflowRun,
        body=RunRequest,
        status=201,
        is_repeatable=True,
    ),
    Endpoint(
        "GET",
        "/workflow-runs",
        EVERYBODY,
        _list,
        "List runs, newest first in the server's order.",
        _TAG,
        answer=WorkflowRun,
        is_list=True,
        query=(*_FILTERS, *PAGING),
    ),
    Endpoint(
        "GET",
        "/workflow-runs/<uuid:run_id>",
        EVERYBODY,
        _get,
        "Show a run: its attestation, what was found out about it, and what was refused.",
        _TAG,
        answer=RunDetail,
    ),
    Endpoint(
        "POST",
        "/workflow-runs/<uuid:run_id>/cancel",
        ATTESTERS,
        _cancel,
        "End a run that will not be pushed; an operator needs no handle.",
        _TAG,
        answer=WorkflowRun,
        body=CancelRequest,
        headers=(HANDLE,),
    ),
    Endpoint(
        "GET",
        "/workflows/<uuid:workflow_id>/refused-inits",
        READERS,
        _refused_inits,
        "List inits that were refused because they came from another runner than the contract asks for.",
        _TAG,
        answer=RefusedInit,
        is_list=True,
        query=PAGING,
    ),
)
