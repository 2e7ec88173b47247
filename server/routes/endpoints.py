"""Endpoints: one record per route, from which requests are checked, OpenAPI is written and R1's matrix is tested.

An endpoint says which roles may call it; whether the thing it names lies in the token's scope is the service's check.
Those that need no token stand in a table of their own (`table.PUBLIC_ENDPOINTS`).
Routes that are not endpoints stand in `public.py` (health, the documents: no token) and `metrics.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chainloop_ci.api.access import Role
from chainloop_ci.api.limits import DEFAULT_PAGE, MAX_BODY_BYTES, MAX_PAGE
from server.model.paging import Paging
from server.model.principal import Principal

if TYPE_CHECKING:
    from server.wiring import Services


@dataclass(frozen=True, slots=True)
class Query:
    """A query parameter."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string", "maxLength": 255})


@dataclass(frozen=True, slots=True)
class Header:
    """A request header that the route reads."""

    name: str
    description: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated and checked request."""

    principal: Principal
    services: Services
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any = None
    """The request record, or None."""

    @property
    def paging(self) -> Paging:
        """Return the part of a list that the request asks for (`PAGING` among the endpoint's query parameters)."""
        return Paging(int(self.query["limit"]), self.query.get("cursor"))

    @property
    def organization_id(self) -> str:
        """Return the organization that everything in this request belongs to."""
        return self.principal.organization_id


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler returns when its status or headers are not the endpoint's usual ones."""

    value: Any
    """A record, a `Page`, or None for an answer without a body."""
    status: int | None = None
    """None: the endpoint's."""
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Any]
"""Returns a record, a `Page` of records, None (no body), an `Answer`, or a Flask response as it is."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one route."""

    method: str
    path: str
    """Below `/api/v1`, with Flask converters: `/workflow-runs/<uuid:run_id>/cancel`."""
    roles: frozenset[Role]
    handler: Handler
    summary: str
    tag: str
    answer: type | None = None
    """The record of the answer; for a list, of its items."""
    body: type | None = None
    status: int = 200
    is_repeatable: bool = False
    """What is new is answered with `status`, what was there already with 200."""
    is_list: bool = False
    """The answer is `{items, nextCursor}`."""
    query: tuple[Query, ...] = ()
    headers: tuple[Header, ...] = ()
    raw_body: str | None = None
    """Media types, separated by commas, of a body that is not JSON; the handler reads `flask.request` itself."""
    max_body_bytes: int | None = MAX_BODY_BYTES
    """A larger body is answered with 413; None: the handler limits what it reads."""
    raw_answer: str | None = None
    """Media type of an answer that is not JSON."""
    needs_organization: bool = True
    is_public: bool = False
    """It asks for no token: nobody's principal is in its `Call`, which reaches nothing."""


PAGING = (
    Query("limit", "Items per page.", {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": DEFAULT_PAGE}),
    Query("cursor", "`nextCursor` of the page before.", {"type": "string", "maxLength": 255}),
)
