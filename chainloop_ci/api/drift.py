"""What has drifted from what operators asked for, on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from chainloop_ci.api.record import about
from chainloop_ci.api.words import DriftKind
from chainloop_ci.records import record


@record
class DriftItem:
    """One thing that an operator has to look at."""

    kind: DriftKind
    since: datetime
    message: Annotated[str, about("What is so, for people.")]
    advice: Annotated[str, about("What to do about it, for people.")]
    project: str
    workflow: str
    workflow_id: str
    team: str = ""
    commit: Annotated[str | None, about("Of `unattested` and of overrides of a commit.")] = None
    run_id: Annotated[str | None, about("The last run, or the one that is distrusted.")] = None
    verdict_id: Annotated[str | None, about("Of `unattested`: under which its page is found.")] = None
    override_id: Annotated[str | None, about("Of `override`.")] = None
    until: Annotated[datetime | None, about("Of `override`: when it ends by itself.")] = None
