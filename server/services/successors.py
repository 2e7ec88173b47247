"""Go on with an ended run in a later attempt of the same CI run (R16)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.runs import SuccessorRequest, WorkflowRun
from server.model.principal import Principal
from server.model.runs import Run
from server.services.revision_rules import get_pin, require_unblocked
from server.services.run_access import (
    get_held_run,
    list_with_requirements,
    require_living_token,
    require_open_place,
)
from server.services.run_events import begin_run
from server.store import artifacts, runs
from server.store.database import Database


class Successors:
    """The use case; `max_open_runs` bounds what one token may have open at once, 0 is no bound."""

    def __init__(
        self, database: Database, now: Callable[[], datetime], new_id: Callable[[], str], *, max_open_runs: int = 0
    ) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id
        self._max_open_runs = max_open_runs

    def open(
        self, principal: Principal, run_id: str, request: SuccessorRequest, handle: str | None
    ) -> tuple[WorkflowRun, bool]:
        """Return the run that goes on with `run_id`, and tell whether it is new.

        That is the newest of its successors while it is open: the jobs of one attempt all ask, and get the same one.
        A new one has pin, handle and uploads of the run before it, which stays as it ended.

        Raises:
            RunEndedError: it has ended, and it is no later attempt of its CI run that asks.
            ConflictError: the run keeps its state in a file of its job.
            NotAllowedError: the handle is missing or wrong.
            LimitExceededError: the token has as many open runs as it may have.
            NotAuthenticatedError: the token has ended meanwhile.
            WorkflowBlockedError: an operator has blocked the workflow (R39).
        """
        with self._database.write() as connection:
            now = self._now()
            require_living_token(connection, principal, now)
            asked = get_held_run(connection, principal, run_id, handle)
            newest = runs.find_newest(connection, asked)
            newest.require_shared()
            is_new = not newest.is_open_at(now)
            if is_new:
                newest = self._begin(connection, principal, newest, request, now)
            else:
                newest.require_joiner(asked, request.ci, now)
            asks = list_with_requirements(connection, [newest])
        answer = newest.api(now, has_requirements=asks[newest.contract_id, newest.contract_revision])
        return answer, is_new

    def _begin(
        self, connection: Connection, principal: Principal, ended: Run, request: SuccessorRequest, now: datetime
    ) -> Run:
        ended.require_rerun(request.ci, now)
        require_unblocked(get_pin(connection, principal, ended.workflow_id, None, now))
        require_open_place(connection, principal, now, self._max_open_runs)
        begun = ended.succeeded_by(
            self._new_id(),
            request.ci,
            token_id=principal.token_id,
            token_name=principal.token_name,
            address=principal.address[:64],
            now=now,
        )
        successor = begin_run(connection, begun, now, self._new_id)
        artifacts.pass_on(connection, ended, successor)
        return successor
