"""Projects, workflows and contracts on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from chainloop_ci.api.limits import (
    LINES_PATTERN,
    MAX_NAME,
    MAX_RUN_EXPIRY_SECONDS,
    MIN_RUN_EXPIRY_SECONDS,
    NAME_PATTERN,
)
from chainloop_ci.api.record import about
from chainloop_ci.api.sources import SourceRequest
from chainloop_ci.contract.types import ContractFormat
from chainloop_ci.digests import Digest
from chainloop_ci.records import record


@record
class ProjectRequest:
    """Create a project."""

    name: Annotated[str, about("DNS-1123 label.", pattern=NAME_PATTERN, maxLength=MAX_NAME)]


@record
class Project:
    """A group of workflows."""

    id: str
    name: str
    created_at: datetime
    workflows: Annotated[int, about("How many it has.")] = 0


@record
class WorkflowRequest:
    """Create a workflow; its project is created when it is new."""

    name: Annotated[str, about("DNS-1123 label, unique in its project.", pattern=NAME_PATTERN, maxLength=MAX_NAME)]
    project: Annotated[str, about("DNS-1123 label.", pattern=NAME_PATTERN, maxLength=MAX_NAME)]
    contract: Annotated[
        str | None,
        about(
            "Name of a contract; left out, an empty one named `<project>-<workflow>` is made.",
            maxLength=MAX_NAME * 2 + 1,
        ),
    ] = None
    team: Annotated[str, about("For people.", maxLength=100)] = ""
    description: Annotated[str, about("For people.", pattern=LINES_PATTERN, maxLength=500)] = ""
    run_expiry_seconds: Annotated[
        int | None,
        about("R15; None: the organization's.", minimum=MIN_RUN_EXPIRY_SECONDS, maximum=MAX_RUN_EXPIRY_SECONDS),
    ] = None
    source: Annotated[SourceRequest | None, about("Where its code lives.")] = None


@record
class WorkflowChange:
    """Change a workflow; what is left out stays."""

    contract: Annotated[str | None, about("Name of another contract.", maxLength=MAX_NAME * 2 + 1)] = None
    team: Annotated[str | None, about("For people.", maxLength=100)] = None
    description: Annotated[str | None, about("For people.", pattern=LINES_PATTERN, maxLength=500)] = None
    run_expiry_seconds: Annotated[
        int | None, about("R15.", minimum=MIN_RUN_EXPIRY_SECONDS, maximum=MAX_RUN_EXPIRY_SECONDS)
    ] = None
    minimum_revision: Annotated[
        int | None, about("R19: runs may not be pinned to older ones; 0: the enforced one.", minimum=0, maximum=2**31)
    ] = None
    public_contract: Annotated[
        bool | None, about("Whether anybody who knows the address may read the contract; on again, it is a new one.")
    ] = None
    public_verdict: Annotated[
        bool | None, about("R47: whether anybody who knows a verdict's page may see its state, name and time.")
    ] = None


@record
class Workflow:
    """A CI workflow that attests."""

    id: str
    name: str
    project: str
    organization: str
    contract: str
    contract_revision: Annotated[int, about("The newest.")]
    created_at: datetime
    team: str = ""
    description: str = ""
    runs_count: int = 0
    last_run_id: str | None = None
    last_run_state: str | None = None
    last_run_late: Annotated[
        bool, about("R20: whether the last run was begun after its job; `success` is then not corroborated.")
    ] = False
    last_run_distrusted: Annotated[
        bool, about("R39: whether an operator does not trust the last run; `success` then counts nowhere.")
    ] = False
    last_run_at: datetime | None = None
    last_runner_type: str | None = None
    run_expiry_seconds: int | None = None
    minimum_revision: Annotated[int | None, about("R19: set by an operator; None: the enforced one.")] = None
    public_contract_id: Annotated[
        str | None, about("Of `public/contracts/{id}`, where the contract is read without a token; None: nowhere.")
    ] = None
    public_verdict: Annotated[
        bool, about("R47: anybody who knows a verdict's page may see its state, name and time.")
    ] = False


@record
class Contract:
    """A contract without its content."""

    name: str
    latest_revision: int
    digest: Annotated[Digest, about("Of the newest revision's bytes.")]
    format: ContractFormat
    created_at: datetime
    updated_at: datetime
    description: str = ""
    workflows: Annotated[int, about("How many workflows use it.")] = 0


@record
class ContractRevision:
    """One immutable revision of a contract."""

    name: str
    revision: int
    latest_revision: int
    digest: Digest
    format: ContractFormat
    raw_body: Annotated[str, about("The exact bytes, base64.", maxLength=2**21)]
    document: Annotated[dict[str, object], about("The normalised contract.")]
    created_at: datetime
    created_by: str = ""
    warnings: tuple[str, ...] = ()
    changed: Annotated[bool, about("In the answer to a PUT: whether a new revision was made.")] = False
    enforced_from: Annotated[
        datetime | None, about("R38: from when on new runs have to meet it, unless a newer one is enforced by then.")
    ] = None


@record
class RevisionSummary:
    """A revision of a contract without its content, as lists show it."""

    revision: int
    digest: Digest
    format: ContractFormat
    created_at: datetime
    created_by: str = ""
    enforced_from: Annotated[datetime | None, about("R38: from when on new runs have to meet it.")] = None
