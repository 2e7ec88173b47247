"""Routes of sources: where the code of workflows lives."""

from __future__ import annotations

from typing import Any

from chainloop_ci.api.sources import Source, SourceChange, SourceRequest, WorkflowSource
from server.model.principal import OPERATORS, READERS
from server.routes.endpoints import PAGING, Answer, Call, Endpoint


def _list(call: Call) -> Any:
    return call.services.sources.list(call.principal, call.paging)


def _change(call: Call) -> Any:
    return call.services.sources.change(call.principal, call.path["source_id"], call.body)


def _get(call: Call) -> Any:
    return call.services.sources.get(call.principal, call.path["workflow_id"])


def _put(call: Call) -> Any:
    placed = call.services.sources.put(call.principal, call.path["workflow_id"], call.body)
    return Answer(placed.source, 201 if placed.is_new else 200)


def _delete(call: Call) -> Any:
    return call.services.sources.remove(call.principal, call.path["workflow_id"])


_TAG = "sources"
_OF_WORKFLOW = "/workflows/<uuid:workflow_id>/source"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/sources",
        READERS,
        _list,
        "List the repositories and jobs that workflows come from, newest first.",
        _TAG,
        answer=Source,
        is_list=True,
        query=PAGING,
    ),
    Endpoint(
        "PATCH",
        "/sources/<uuid:source_id>",
        OPERATORS,
        _change,
        "Change what holds for a repository and all workflows that come from it; takes a token of the organization.",
        _TAG,
        answer=Source,
        body=SourceChange,
    ),
    Endpoint(
        "GET",
        _OF_WORKFLOW,
        READERS,
        _get,
        "Show a workflow's source; where none is registered, the one that its first attestation claimed.",
        _TAG,
        answer=WorkflowSource,
    ),
    Endpoint(
        "PUT",
        _OF_WORKFLOW,
        OPERATORS,
        _put,
        "Register where a workflow's code lives, and which runs of it must attest.",
        _TAG,
        answer=WorkflowSource,
        body=SourceRequest,
        status=201,
        is_repeatable=True,
    ),
    Endpoint(
        "DELETE", _OF_WORKFLOW, OPERATORS, _delete, "Take the registered source from a workflow.", _TAG, status=204
    ),
)
