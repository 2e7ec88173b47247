"""Routes of projects."""

from __future__ import annotations

from typing import Any

from chainloop_ci.api.workflows import Project, ProjectRequest
from server.model.principal import OPERATORS, READERS
from server.routes.endpoints import PAGING, Call, Endpoint


def _list(call: Call) -> Any:
    return call.services.projects.list(call.principal, call.paging)


def _create(call: Call) -> Any:
    return call.services.projects.create(call.principal, call.body)


def _get(call: Call) -> Any:
    return call.services.projects.get(call.principal, call.path["name"])


_TAG = "projects"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/projects",
        READERS,
        _list,
        "List projects by name.",
        _TAG,
        answer=Project,
        is_list=True,
        query=PAGING,
    ),
    Endpoint(
        "POST",
        "/projects",
        OPERATORS,
        _create,
        "Create a project.",
        _TAG,
        answer=Project,
        body=ProjectRequest,
        status=201,
    ),
    Endpoint("GET", "/projects/<name>", READERS, _get, "Show a project.", _TAG, answer=Project),
)
