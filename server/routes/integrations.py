"""Routes of integrations: what there is, registrations, attachments, deliveries, events."""

from __future__ import annotations

from typing import Any

from chainloop_ci.api.integrations import (
    Attachment,
    AttachmentRequest,
    AvailableIntegration,
    Delivery,
    DeliveryDetail,
    EventRecord,
    Registration,
    RegistrationChange,
    RegistrationRequest,
)
from chainloop_ci.api.limits import UUID_PATTERN
from server.model.deliveries import DeliveryFilter, DeliveryState
from server.model.events import EventKind
from server.model.principal import ADMINS, OPERATORS, READERS
from server.routes.endpoints import PAGING, Call, Endpoint, Query

_REGISTRATION = Query("registration", "Name or id of a registration.")
_RUN = Query("run", "Id of a workflow run.", {"type": "string", "pattern": UUID_PATTERN})
_EVENT = Query("event", "Kind of event, like `run.failed`.", {"type": "string", "enum": [*map(str, EventKind)]})
_STATE = Query("state", "State of the delivery.", {"type": "string", "enum": [*map(str, DeliveryState)]})


def _available(call: Call) -> Any:
    return call.services.integrations.registrations.available()


def _list(call: Call) -> Any:
    return call.services.integrations.registrations.list(call.principal, call.paging)


def _register(call: Call) -> Any:
    return call.services.integrations.registrations.register(call.principal, call.body)


def _get(call: Call) -> Any:
    return call.services.integrations.registrations.get(call.principal, call.path["registration_id"])


def _change(call: Call) -> Any:
    return call.services.integrations.registrations.change(call.principal, call.path["registration_id"], call.body)


def _remove(call: Call) -> Any:
    return call.services.integrations.registrations.remove(call.principal, call.path["registration_id"])


def _check(call: Call) -> Any:
    return call.services.integrations.registrations.check(call.principal, call.path["registration_id"])


def _pause(call: Call) -> Any:
    return call.services.integrations.registrations.pause(call.principal, call.path["registration_id"])


def _resume(call: Call) -> Any:
    return call.services.integrations.registrations.resume(call.principal, call.path["registration_id"])


def _list_attachments(call: Call) -> Any:
    return call.services.integrations.attachments.list(call.principal, call.query.get("registration"), call.paging)


def _attach(call: Call) -> Any:
    return call.services.integrations.attachments.attach(call.principal, call.body)


def _detach(call: Call) -> Any:
    return call.services.integrations.attachments.detach(call.principal, call.path["attachment_id"])


def _list_deliveries(call: Call) -> Any:
    state = call.query.get("state")
    wanted = DeliveryFilter(
        state=DeliveryState(state) if state else None, run_id=call.query.get("run"), kind=call.query.get("event")
    )
    return call.services.integrations.deliveries.list(
        call.principal, wanted, call.query.get("registration"), call.paging
    )


def _get_delivery(call: Call) -> Any:
    return call.services.integrations.deliveries.get(call.principal, call.path["delivery_id"])


def _replay(call: Call) -> Any:
    return call.services.integrations.deliveries.replay(call.principal, call.path["delivery_id"])


def _list_events(call: Call) -> Any:
    kind = call.query.get("event")
    return call.services.integrations.deliveries.list_events(
        call.principal, EventKind(kind) if kind else None, call.query.get("run"), call.paging
    )


_TAG = "integrations"
_ONE = "/registrations/<uuid:registration_id>"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/integrations",
        READERS,
        _available,
        "List the integrations that this server knows, with the schemas of their settings.",
        _TAG,
        answer=AvailableIntegration,
        is_list=True,
    ),
    Endpoint(
        "GET",
        "/registrations",
        READERS,
        _list,
        "List registered integrations, newest first, without credentials.",
        _TAG,
        answer=Registration,
        is_list=True,
        query=PAGING,
    ),
    Endpoint(
        "POST",
        "/registrations",
        ADMINS,
        _register,
        "Register an integration; its third party is asked whether settings and credentials will do.",
        _TAG,
        answer=Registration,
        body=RegistrationRequest,
        status=201,
    ),
    Endpoint("GET", _ONE, READERS, _get, "Show a registration.", _TAG, answer=Registration),
    Endpoint(
        "PATCH",
        _ONE,
        ADMINS,
        _change,
        "Change a registration; another address needs all credentials anew (R44). What waits goes on.",
        _TAG,
        answer=Registration,
        body=RegistrationChange,
    ),
    Endpoint(
        "DELETE",
        _ONE,
        ADMINS,
        _remove,
        "Remove a registration with its credentials and attachments.",
        _TAG,
        status=204,
    ),
    Endpoint(
        "POST",
        f"{_ONE}/check",
        ADMINS,
        _check,
        "Ask the third party again whether settings and credentials will do.",
        _TAG,
        answer=Registration,
    ),
    Endpoint("POST", f"{_ONE}/pause", ADMINS, _pause, "Send nothing until it is resumed.", _TAG, answer=Registration),
    Endpoint("POST", f"{_ONE}/resume", ADMINS, _resume, "Go on, with what waited first.", _TAG, answer=Registration),
    Endpoint(
        "GET",
        "/attachments",
        READERS,
        _list_attachments,
        "List who is told what happens where, oldest first.",
        _TAG,
        answer=Attachment,
        is_list=True,
        query=(_REGISTRATION, *PAGING),
    ),
    Endpoint(
        "POST",
        "/attachments",
        OPERATORS,
        _attach,
        "Let a registration be told what happens in the organization, a project or a workflow.",
        _TAG,
        answer=Attachment,
        body=AttachmentRequest,
        status=201,
    ),
    Endpoint(
        "DELETE",
        "/attachments/<uuid:attachment_id>",
        OPERATORS,
        _detach,
        "Tell it nothing more.",
        _TAG,
        status=204,
    ),
    Endpoint(
        "GET",
        "/deliveries",
        READERS,
        _list_deliveries,
        "List what was told, or waits to be told, newest first.",
        _TAG,
        answer=Delivery,
        is_list=True,
        query=(_REGISTRATION, _STATE, _RUN, _EVENT, *PAGING),
    ),
    Endpoint(
        "GET",
        "/deliveries/<uuid:delivery_id>",
        READERS,
        _get_delivery,
        "Show a delivery with its content and every try.",
        _TAG,
        answer=DeliveryDetail,
    ),
    Endpoint(
        "POST",
        "/deliveries/<uuid:delivery_id>/replay",
        OPERATORS,
        _replay,
        "Tell it again, with the same content.",
        _TAG,
        answer=Delivery,
    ),
    Endpoint(
        "GET",
        "/events",
        READERS,
        _list_events,
        "List what happened, newest first.",
        _TAG,
        answer=EventRecord,
        is_list=True,
        query=(_RUN, _EVENT, *PAGING),
    ),
)
