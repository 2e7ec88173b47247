"""Who may touch a run: whose it is, whether it lies in the token's scope, who holds its handle; its contract."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.access import Role
from chainloop_ci.contract.types import Contract
from chainloop_ci.errors import (
    ContractInvalidError,
    LimitExceededError,
    NotAuthenticatedError,
    NotFoundError,
    ServerFaultError,
)
from server.model.contracts import StoredRevision
from server.model.pins import Pin
from server.model.principal import Principal
from server.model.runs import Run
from server.services.contract_documents import load_contract
from server.store import contracts, runs, tokens


def get_run(connection: Connection, principal: Principal, run_id: str) -> Run:
    """Return a run that the principal reaches.

    Raises:
        NotFoundError: there is none, or it belongs to another organization.
        NotAllowedError: it lies outside the token's scope.
    """
    run = runs.find(connection, principal.organization_id, run_id)
    if run is None:
        raise run_not_found(run_id)
    principal.require_reach(project_id=run.project_id, workflow_id=run.workflow_id)
    return run


def get_held_run(connection: Connection, principal: Principal, run_id: str, handle: str | None) -> Run:
    """Return a run whose handle was shown (R14).

    Raises:
        NotFoundError: there is none, or it belongs to another organization.
        NotAllowedError: outside the token's scope, or the handle is missing or wrong.
    """
    run = get_run(connection, principal, run_id)
    run.require_handle(handle)
    return run


def require_living_token(connection: Connection, principal: Principal, now: datetime) -> None:
    """Refuse a token that has ended while its request was in progress; its body may have taken hours (T41).

    Raises:
        NotAuthenticatedError: it was revoked or has expired.
    """
    owner = None if principal.role is Role.INSTANCE else principal.organization_id
    token = tokens.find(connection, owner, principal.token_id)
    why_not = token.why_not(token.secret_sha256, now) if token else "this token is not known here any more"
    if why_not:
        raise NotAuthenticatedError(f"{why_not}; nothing was kept", hint="repeat the request with another token")


def require_open_place(connection: Connection, principal: Principal, now: datetime, limit: int) -> None:
    """Keep one token from filling the server with runs that it never ends (T30); a limit of 0 is none.

    Raises:
        LimitExceededError: the token has as many open runs as it may have.
    """
    if limit and runs.count_open(connection, principal.token_id, now, limit=limit) >= limit:
        raise LimitExceededError(
            f"this token has {limit} open runs, which is as many as it may have; no run was begun",
            hint="end those that are not needed with `chainloop attestation reset`, or wait until they expire; "
            "the server's operator sets the limit with CHAINLOOP_MAX_OPEN_RUNS",
        )


def run_not_found(run_id: str) -> NotFoundError:
    """Return the one answer for a run that is absent and for one of another organization."""
    return NotFoundError(
        f"there is no workflow run {run_id}", hint="`chainloop workflow run list` names those of this token"
    )


def get_pinned_contract(connection: Connection, run: Run, pin: Pin | None = None) -> Contract:
    """Return the contract revision that a run is pinned to; `pin` is the one that was found for its workflow, if any.

    Raises:
        ServerFaultError: the revision is gone, or this version cannot read it any more.
    """
    stored = pin.revision if pin else None
    if stored is None or stored.contract_id != run.contract_id:
        # The workflow was given another contract since.
        stored = contracts.find_revision(connection, run.organization_id, run.contract_id, run.contract_revision)
    return _read_pinned(run, stored)


def list_with_requirements(connection: Connection, found: Sequence[Run]) -> dict[tuple[str, int], bool]:
    """Return, for each revision that runs of one organization are pinned to, whether it asks for anything (R37)."""
    if not found:
        return {}
    first_of = {(run.contract_id, run.contract_revision): run for run in found}
    stored = contracts.find_revisions(connection, found[0].organization_id, first_of)
    return {key: _read_pinned(run, stored.get(key)).has_requirements for key, run in first_of.items()}


def _read_pinned(run: Run, stored: StoredRevision | None) -> Contract:
    if stored is None:
        raise ServerFaultError(f"revision {run.contract_revision} of the contract of workflow run {run.id} is gone")
    try:
        return load_contract(stored.raw_body, stored.format).contract
    except ContractInvalidError as error:
        raise ServerFaultError(
            f"this version cannot read revision {run.contract_revision} of contract {run.names.contract}: {error}"
        ) from error
