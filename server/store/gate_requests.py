"""Queries of deployments that wait for the word of a gate."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from server.model.gate_requests import GateState, StoredGateRequest
from server.store.gate_tables import gate_requests
from server.store.times import from_text, optional_text, optional_time, to_text

_COLUMNS = gate_requests.c
_PLAIN = (
    "organization_id",
    "registration_id",
    "host",
    "repository_id",
    "repository",
    "ci_run_id",
    "environment",
    "sha",
)
_KEY = ("organization_id", "registration_id", "repository_id", "ci_run_id", "environment")


def put(connection: Connection, request: StoredGateRequest) -> None:
    """Write a deployment, in the place of what was known of it."""
    connection.execute(delete(gate_requests).where(*(_COLUMNS[name] == getattr(request, name) for name in _KEY)))
    connection.execute(
        insert(gate_requests).values(
            **{name: getattr(request, name) for name in _PLAIN},
            state=request.state.value,
            requested_at=to_text(request.requested_at),
            answered_at=optional_text(request.answered_at),
        )
    )


def list_waiting(connection: Connection, organization_id: str, sha: str) -> list[StoredGateRequest]:
    """Return the deployments of a commit that wait, the oldest first."""
    own = (_COLUMNS.organization_id == organization_id, _COLUMNS.sha == sha)
    waiting = select(gate_requests).where(*own, _COLUMNS.state == GateState.WAITING.value)
    return [_record(row) for row in connection.execute(waiting.order_by(_COLUMNS.requested_at, _COLUMNS.ci_run_id))]


def _record(row: Row[Any]) -> StoredGateRequest:
    return StoredGateRequest(
        **{name: getattr(row, name) for name in _PLAIN},
        state=GateState(row.state),
        requested_at=from_text(row.requested_at),
        answered_at=optional_time(row.answered_at),
    )
