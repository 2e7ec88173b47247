"""What a gate is asked, and what it answers, on the wire (R33, R36)."""

from __future__ import annotations

from typing import Annotated

from chainloop_ci.api.limits import COMMIT_PATTERN, MAX_NAME
from chainloop_ci.api.record import about
from chainloop_ci.digests import Digest
from chainloop_ci.records import record

MAX_GATE_WORKFLOWS = 50
"""That one gate names."""
WORKFLOW_PATTERN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


@record
class GateRequest:
    """Ask whether a commit, or content of a digest, may pass: exactly one of the two."""

    workflows: Annotated[
        tuple[str, ...],
        about(
            "`project/workflow`, each of which has to agree. Of a commit they may be left out: then all workflows are "
            "required that are registered for its repository, branch and event.",
            maxItems=MAX_GATE_WORKFLOWS,
            items={"type": "string", "pattern": WORKFLOW_PATTERN, "maxLength": 2 * MAX_NAME + 1},
        ),
    ] = ()
    commit: Annotated[str | None, about("The whole hash.", pattern=COMMIT_PATTERN)] = None
    digest: Annotated[Digest | None, about("Of content that the workflows have attested as their output.")] = None
    source: Annotated[
        str | None,
        about("Where the commit is, when no workflow is named and several sources know it: `github:acme/app`."),
    ] = None


@record
class GateReason:
    """What is said of one workflow that is required."""

    workflow: Annotated[str, about("`project/workflow`; empty: it is about none of them.")]
    approved: bool
    code: Annotated[str, about("Stable: the kind of a verdict, or why there is none.")]
    message: str
    run_id: Annotated[str | None, about("The run that decided.")] = None


@record
class GateAnswer:
    """Whether it may pass at this moment, with a reason for each workflow that is required."""

    approved: bool
    reasons: tuple[GateReason, ...]
    commit: str | None = None
    digest: Digest | None = None
