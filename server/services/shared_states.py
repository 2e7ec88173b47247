"""The crafting state that the jobs of a run share: kept as it came, sealed by the client (R14-R16).

Writers take turns by the digest of the bytes that they have seen last; who is late is told so and reads again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.runs import KeptState, RunState, StateLocation
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import NotFoundError, PreconditionFailedError, RequestInvalidError
from server.errors import QuotaExceededError
from server.model.principal import Principal
from server.model.runs import Run
from server.services.run_access import get_held_run, require_living_token
from server.store import commit_verdicts, organizations, run_states, runs
from server.store.database import Database


@dataclass(frozen=True, slots=True)
class StateDownload:
    """A state on its way out."""

    raw: bytes
    digest: Digest
    sealed_for: str
    """The run whose jobs wrote it."""
    run_id: str
    """The run that goes on with it: the newest of its successors (R16)."""
    run_state: RunState
    expires_at: datetime


class SharedStates:
    """Use cases of shared states."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def save(
        self,
        principal: Principal,
        run_id: str,
        raw: bytes,
        handle: str | None,
        *,
        expected: Digest | None,
        present: int | None = None,
    ) -> tuple[KeptState, bool]:
        """Keep the state of an open run and prolong its life (R15); tell whether it is the first one.

        `expected` is the digest of the bytes that it takes the place of; None: there must be none. The same bytes again
        get the same answer. `present` is how many required materials it has, as the job says; None: it does not. That
        stands in a status that is pending either way (R30), and decides nothing.

        Raises:
            PreconditionFailedError: others have changed it since it was read; nothing was written.
            NotAllowedError: the handle is missing or wrong.
            RunEndedError: the run has ended.
            ConflictError: the run keeps its state in a file of its job.
            RequestInvalidError: there are no bytes.
            QuotaExceededError: the organization has used up its bytes.
            NotAuthenticatedError: the token ended while the bytes came.
        """
        if not raw:
            raise RequestInvalidError("expected a state, found no bytes")
        digest = sha256_digest(raw)
        with self._database.write() as connection:
            now = self._now()
            run = _get_open(connection, principal, run_id, handle, now)
            known = run_states.find_digest(connection, run.organization_id, run.id)
            if known != digest:
                _require_expected(run, known, expected)
                _require_quota(connection, run, len(raw))
                run_states.save(connection, run, raw, digest, now, present=present, is_new=known is None)
                _judge_soon(connection, run, now)
            kept = run.accepted(now)
            runs.save(connection, kept)
        return KeptState(run.id, digest, len(raw), kept.expires_at), known is None

    def get(self, principal: Principal, run_id: str, handle: str | None) -> StateDownload:
        """Return the state of a run, or of the newest run that goes on with it (R16).

        An ended run has it still, for a while: its successor begins with it.

        Raises:
            NotFoundError: there is no such run, or no state of it.
            NotAllowedError: the handle is missing or wrong.
        """
        now = self._now()
        with self._database.read() as connection:
            newest = runs.find_newest(connection, get_held_run(connection, principal, run_id, handle))
            found = run_states.find_newest(connection, newest)
        if found is None:
            raise _no_state(newest, now)
        return StateDownload(found.raw, found.digest, found.run_id, newest.id, newest.state_at(now), newest.expires_at)


def require_unchanged(connection: Connection, run: Run, expected: Digest | None) -> None:
    """Refuse to end a run with an attestation of a state that has changed since; None: the client says of none.

    What a client leaves out is its own loss: it has the run's handle, and could name the newest state as well.

    Raises:
        PreconditionFailedError: a job has changed the state after the attestation was made of it.
    """
    if expected is not None:
        _require_expected(run, run_states.find_digest(connection, run.organization_id, run.id), expected)


def _no_state(run: Run, now: datetime) -> NotFoundError:
    """Return why there is nothing to go on with."""
    init = f"chainloop attestation init --workflow {run.names.workflow} --project {run.names.project} --remote-state"
    if run.state_location is not StateLocation.SHARED:
        why, hint = "it was begun with a state file of its job", f"begin one whose state is shared: `{init}`"
    elif run.is_open_at(now):
        why, hint = "the job that began it has not ended well", f"begin another one: `{init}`"
    else:
        ended = f"it ended as {run.state_at(now).value}"
        why, hint = f"{ended}, and what its jobs shared was forgotten since", f"begin a new run: `{init}`"
    return NotFoundError(f"workflow run {run.id} has no shared state: {why}", hint=hint)


def _get_open(connection: Connection, principal: Principal, run_id: str, handle: str | None, now: datetime) -> Run:
    require_living_token(connection, principal, now)
    run = get_held_run(connection, principal, run_id, handle)
    run.require_open(now)
    run.require_shared()
    return run


def _judge_soon(connection: Connection, run: Run, now: datetime) -> None:
    """Let the dispatcher judge the commit of a run again: what is missing now stands in its status."""
    if run.commit:
        commit_verdicts.make_commit_due(connection, run.organization_id, run.workflow_id, run.commit, now)


def _require_expected(run: Run, known: Digest | None, expected: Digest | None) -> None:
    if known == expected:
        return
    raise PreconditionFailedError(
        f"the shared state of workflow run {run.id} has the digest {known or 'none yet'}, expected was "
        f"{expected or 'none yet'}: another job has changed it meanwhile; nothing was written",
        hint="read it again, make the change again and send it with the new digest; the `chainloop` command does so",
    )


def _require_quota(connection: Connection, run: Run, size_bytes: int) -> None:
    organization = organizations.find(connection, run.organization_id)
    if organization is None or not organization.quota_bytes:
        return
    used = organization.used_bytes + run_states.sum_bytes(connection, run.organization_id, except_run=run.id)
    left = max(0, organization.quota_bytes - used)
    if size_bytes > left:
        raise QuotaExceededError(
            f"the organization may store {organization.quota_bytes} bytes and has {left} left, this state has "
            f"{size_bytes}",
            hint="an administrator raises the quota; states of ended runs are forgotten by themselves",
        )
