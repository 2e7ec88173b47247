"""Routes of organizations."""

from __future__ import annotations

from typing import Any

from chainloop_ci.api.access import Organization, OrganizationRequest, OrganizationSettings
from server.model.principal import ADMINS, INSTANCE_ONLY, READERS
from server.routes.endpoints import PAGING, Call, Endpoint


def _list(call: Call) -> Any:
    return call.services.organizations.list(call.principal, call.paging)


def _create(call: Call) -> Any:
    return call.services.organizations.create(call.principal, call.body)


def _get(call: Call) -> Any:
    return call.services.organizations.get(call.principal, call.path["name"])


def _change(call: Call) -> Any:
    return call.services.organizations.change(call.principal, call.path["name"], call.body)


_TAG = "organizations"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/organizations",
        READERS,
        _list,
        "List the token's organization; all of them for an instance token.",
        _TAG,
        answer=Organization,
        is_list=True,
        query=PAGING,
        needs_organization=False,
    ),
    Endpoint(
        "POST",
        "/organizations",
        INSTANCE_ONLY,
        _create,
        "Create an organization.",
        _TAG,
        answer=Organization,
        body=OrganizationRequest,
        status=201,
        needs_organization=False,
    ),
    Endpoint(
        "GET",
        "/organizations/<name>",
        READERS,
        _get,
        "Show an organization and its settings.",
        _TAG,
        answer=Organization,
        needs_organization=False,
    ),
    Endpoint(
        "PATCH",
        "/organizations/<name>",
        ADMINS,
        _change,
        "Change an organization's settings.",
        _TAG,
        answer=Organization,
        body=OrganizationSettings,
        needs_organization=False,
    ),
)
