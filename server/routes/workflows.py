"""Routes of workflows, and of what a job asks before it begins."""

from __future__ import annotations

from typing import Any

from chainloop_ci.api.limits import MAX_NAME
from chainloop_ci.api.runs import CraftingContext
from chainloop_ci.api.workflows import Workflow, WorkflowChange, WorkflowRequest
from server.model.principal import ATTESTERS, OPERATORS, READERS
from server.model.workflows import MAX_CONTRACT_NAME, WorkflowFilters
from server.routes.endpoints import PAGING, Call, Endpoint, Query


def _list(call: Call) -> Any:
    filters = WorkflowFilters(
        name=call.query.get("name"), project=call.query.get("project"), contract=call.query.get("contract")
    )
    return call.services.workflows.list(call.principal, filters, call.paging)


def _create(call: Call) -> Any:
    return call.services.workflows.create(call.principal, call.body)


def _get(call: Call) -> Any:
    return call.services.workflows.get(call.principal, call.path["workflow_id"])


def _change(call: Call) -> Any:
    return call.services.workflows.change(call.principal, call.path["workflow_id"], call.body)


def _delete(call: Call) -> Any:
    return call.services.workflows.delete(call.principal, call.path["workflow_id"])


def _crafting_context(call: Call) -> Any:
    revision = call.query.get("contractRevision")
    return call.services.crafting.context(
        call.principal, call.query.get("workflow"), call.query.get("project"), int(revision) if revision else None
    )


_TAG = "workflows"
_NAME = {"type": "string", "minLength": 1, "maxLength": MAX_NAME}

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/workflows",
        READERS,
        _list,
        "List workflows with their last run, newest first.",
        _TAG,
        answer=Workflow,
        is_list=True,
        query=(
            Query("name", "Only workflows of this name.", _NAME),
            Query("project", "Only those of this project.", _NAME),
            Query("contract", "Only those that use this contract.", {**_NAME, "maxLength": MAX_CONTRACT_NAME}),
            *PAGING,
        ),
    ),
    Endpoint(
        "POST",
        "/workflows",
        OPERATORS,
        _create,
        "Create a workflow, with its project and an empty contract where they are missing.",
        _TAG,
        answer=Workflow,
        body=WorkflowRequest,
        status=201,
    ),
    Endpoint("GET", "/workflows/<uuid:workflow_id>", READERS, _get, "Show a workflow.", _TAG, answer=Workflow),
    Endpoint(
        "PATCH",
        "/workflows/<uuid:workflow_id>",
        OPERATORS,
        _change,
        "Change a workflow; what is left out stays.",
        _TAG,
        answer=Workflow,
        body=WorkflowChange,
    ),
    Endpoint(
        "DELETE",
        "/workflows/<uuid:workflow_id>",
        OPERATORS,
        _delete,
        "Delete a workflow that never had a run.",
        _TAG,
        status=204,
    ),
    Endpoint(
        "GET",
        "/crafting-context",
        ATTESTERS,
        _crafting_context,
        "Return all that a job needs to begin a run: workflow, pinned contract revision, store, limits.",
        _TAG,
        answer=CraftingContext,
        query=(
            Query("workflow", "Name; a token bound to a workflow leaves it out.", _NAME),
            Query("project", "Name; left out where the token or the workflow's name says it.", _NAME),
            Query("contractRevision", "Left out: the newest.", {"type": "integer", "minimum": 1}),
        ),
    ),
)
