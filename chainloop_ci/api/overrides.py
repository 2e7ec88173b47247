"""What an operator decides against the rules, with a reason, on the wire (R39)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from chainloop_ci.api.limits import COMMIT_PATTERN, UUID_PATTERN
from chainloop_ci.api.record import about
from chainloop_ci.api.words import OverrideKind
from chainloop_ci.records import record

MAX_REASON = 500
_REASON = about("For people; it is shown wherever the decision counts.", minLength=1, maxLength=MAX_REASON)


@record
class OverrideRequest:
    """Block a workflow, distrust a run, or let a commit pass."""

    kind: Annotated[OverrideKind, about("What is decided.")]
    reason: Annotated[str, _REASON]
    workflow_id: Annotated[str | None, about("Of `block` and `override`.", pattern=UUID_PATTERN)] = None
    run_id: Annotated[str | None, about("Of `distrust`.", pattern=UUID_PATTERN)] = None
    commit: Annotated[str | None, about("Of `override`: the whole hash.", pattern=COMMIT_PATTERN)] = None
    until: Annotated[
        datetime | None, about("When it ends by itself: required of `override`, possible for `block`.")
    ] = None


@record
class OverrideEnd:
    """End what was decided."""

    reason: Annotated[str, _REASON]


@record
class Override:
    """A decision of an operator; it changes init, gate and statuses, and no stored byte."""

    id: str
    kind: OverrideKind
    workflow_id: str
    workflow: str
    project: str
    reason: str
    set_at: datetime
    in_force: Annotated[bool, about("Neither ended nor past its end.")]
    set_by: Annotated[str, about("Id of the token.")] = ""
    set_by_name: str = ""
    run_id: str | None = None
    commit: str | None = None
    until: datetime | None = None
    ended_at: datetime | None = None
    ended_by: Annotated[str | None, about("Id of the token; left out when it ended by itself.")] = None
    ended_reason: str | None = None
