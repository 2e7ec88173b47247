"""What tokens did, on the wire: audit records, and the activity of one token."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from typing import Annotated

from chainloop_ci.api.record import about
from chainloop_ci.records import record


@record
class AuditEntry:
    """A change of a right, a key, a setting, or of something that another token began."""

    at: datetime
    action: Annotated[str, about("What was done: `token.created`, `contract.revised`, …")]
    subject: Annotated[str, about("Id or name of what was changed.")]
    token_id: Annotated[str, about("Who did it; `server` for the operator's command line.")]
    token_name: str = ""
    address: Annotated[str, about("Where the request came from.")] = ""
    detail: Annotated[dict[str, object], about("Names and values, old and new; never a secret.")] = field(
        default_factory=dict
    )


@record
class Activity:
    """One thing that a token did: begin a run, be refused, change something."""

    at: datetime
    action: Annotated[str, about("`run.begun`, `init.refused`, `store.refused`, or an action of the audit records.")]
    subject: Annotated[str, about("Id of the run, or of what was changed.")]
    project: str = ""
    workflow: str = ""
    address: str = ""
    detail: Annotated[dict[str, object], about("What came of it.")] = field(default_factory=dict)
