"""Crafting context, workflow runs, attestations and artifacts on the wire."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from chainloop_ci.api.access import Role
from chainloop_ci.api.limits import LINES_PATTERN, UUID_PATTERN
from chainloop_ci.api.overrides import Override
from chainloop_ci.api.problems import ProblemFinding
from chainloop_ci.api.record import about
from chainloop_ci.api.words import CancelTrigger
from chainloop_ci.api.workflows import ContractRevision, Workflow
from chainloop_ci.contract.upcoming import NewRequirement
from chainloop_ci.digests import Digest
from chainloop_ci.records import record
from chainloop_ci.runners.types import CiIdentity

MAX_UNMET = 100
"""Requirements that a request to end a run may name as not met."""
MAX_UNMET_CODE = 64
MAX_UNMET_MESSAGE = 500
"""Characters; what is longer is cut by who sends it."""


class RunState(StrEnum):
    """One-way: a run leaves `initialized` once (R15)."""

    INITIALIZED = "initialized"
    SUCCESS = "success"
    ERROR = "error"
    CANCELED = "canceled"
    EXPIRED = "expired"


class StateLocation(StrEnum):
    """Where the crafting state lives."""

    LOCAL = "local"
    SHARED = "shared"


class ContentPlace(StrEnum):
    """Where the content of a material is."""

    CAS = "cas"
    INLINE = "inline"
    NOT_STORED = "not stored"


class Proof(StrEnum):
    """What a check shows; `verified` is not among these words on purpose (R12)."""

    YES = "yes"
    NO = "no"
    CLAIMED = "claimed"
    NOT_SHOWN = "not shown"


@record
class CasDescription:
    """Where the content of a run goes."""

    id: str
    name: str
    max_bytes: int
    fallback: bool = False


@record
class CraftingContext:
    """All that a job needs to begin: one request before the run is created."""

    organization: str
    workflow: Workflow
    contract: ContractRevision
    cas: CasDescription
    token_id: str
    role: Role
    run_expiry_seconds: int
    has_verification_key: Annotated[bool, about("Whether any registered key may verify this workflow.")] = True
    upcoming: Annotated[
        tuple[ContractRevision, ...],
        about("R38: newer revisions; what only they ask for is a warning. The first to be enforced stands first."),
    ] = ()


_LINK_PATTERN = r"^(https?://[^\u0000-\u0020\u007f-\u009f\"<>\\^`{|}]+)?$"
_CI_PROPERTIES = {
    "provider": {"pattern": "^[a-z][a-z0-9-]{0,31}$"},
    "serverUrl": {"pattern": _LINK_PATTERN, "maxLength": 2048},
    "headSha": {"pattern": "^([0-9a-f]{40}|[0-9a-f]{64})?$"},
}
"""What `runners.types.CiIdentity`, which knows no wire, cannot say of its fields (T43, T46)."""


@record
class RunRequest:
    """Create a run under the id that the client chose (`PUT workflow-runs/{id}`); repeated, the same answer."""

    workflow_id: Annotated[str, about("UUID.", pattern=UUID_PATTERN)]
    contract_revision: Annotated[int, about("The pinned revision.", minimum=1)]
    contract_digest: Annotated[Digest, about("Of its bytes.")]
    runner_type: Annotated[str, about("As discovered; claimed.", maxLength=64)]
    handle_sha256: Annotated[
        str, about("SHA-256 of the run handle, 64 hexadecimal digits (R14).", pattern="^[0-9a-f]{64}$")
    ]
    ci: Annotated[CiIdentity, about("What the CI system says of the job.", properties=_CI_PROPERTIES)]
    state_location: Annotated[StateLocation, about("Local file or shared through the server.")] = StateLocation.LOCAL
    runner_url: Annotated[str, about("Link to the job; claimed.", pattern=_LINK_PATTERN, maxLength=2048)] = ""
    runner_environment: Annotated[str, about("`managed`, `self-hosted`, `unknown`; claimed.", maxLength=32)] = "unknown"
    project_version: Annotated[str, about("Version of the project.", maxLength=128)] = ""
    client_version: Annotated[str, about("Version of the client.", maxLength=64)] = ""
    late: Annotated[
        bool | None,
        about("R20: the job has ended, and its attestation was signed while the control plane did not answer."),
    ] = None
    """None: left out, so that an older control plane takes the request."""


@record
class UnmetRequirement:
    """One thing that kept the contract from being met, as the job's own command found it."""

    code: Annotated[str, about("Stable, kebab-case: `missing-material`.", maxLength=MAX_UNMET_CODE)]
    message: Annotated[str, about("One sentence for a person.", pattern=LINES_PATTERN, maxLength=MAX_UNMET_MESSAGE)]


@record
class CancelRequest:
    """End a run that will not be pushed."""

    trigger: Annotated[CancelTrigger, about("What ended it.")]
    reason: Annotated[str, about("For people.", pattern=LINES_PATTERN, maxLength=500)] = ""
    unmet: Annotated[
        tuple[UnmetRequirement, ...] | None,
        about("What the contract asks for and the job did not have; only with `failure`.", maxItems=MAX_UNMET),
    ] = None
    """Left out where there is nothing: an older server does not know it."""


@record
class SuccessorRequest:
    """Go on with an ended run in a later attempt of the same CI run (R16)."""

    ci: Annotated[CiIdentity, about("What the CI system says of the job that asks.", properties=_CI_PROPERTIES)]


@record
class KeptState:
    """A shared state that was kept; its content is the client's and sealed."""

    run_id: str
    digest: Annotated[Digest, about("Of the bytes that were sent.")]
    size_bytes: int
    expires_at: Annotated[datetime, about("When the run expires now (R15).")]


@record
class Check:
    """One line of a verification: a word and why."""

    result: Proof
    reason: str = ""


@record
class Verification:
    """What the server found out by itself about an attestation (R12)."""

    signature: Check
    key: Check
    runner: Check
    source: Check
    commit: Check
    contract: Check
    content: Check


@record
class Refusal:
    """A store that was refused; the run kept its state (R15)."""

    at: datetime
    code: str
    bundle_digest: str
    """Empty when the job's own command found the contract not met and sent nothing."""
    findings: tuple[ProblemFinding, ...]


@record
class RunMaterial:
    """A material of a stored attestation."""

    name: str
    type: str
    digest: str = ""
    filename: str = ""
    value: Annotated[str | None, about("STRING only.")] = None
    annotations: dict[str, object] = field(default_factory=dict)
    output: bool = False
    stored: Annotated[ContentPlace, about("Where its content is.")] = ContentPlace.NOT_STORED
    content_check: Annotated[str, about("`checked`, `not checked: <why>`, `not stored`.")] = ""


@record
class WorkflowRun:
    """A run, as lists show it."""

    id: str
    sequence: Annotated[int, about("The server's own order of runs (R18).")]
    state: RunState
    workflow_id: str
    workflow: str
    project: str
    organization: str
    contract: str
    contract_revision: int
    contract_revision_latest: int
    runner_type: str
    runner_url: str
    created_at: datetime
    expires_at: datetime
    reason: str = ""
    finished_at: datetime | None = None
    attestation_digest: Digest | None = None
    ci: CiIdentity | None = None
    runner_environment: Annotated[str, about("`managed`, `self-hosted`, `unknown`; claimed.")] = "unknown"
    state_location: StateLocation = StateLocation.LOCAL
    token_id: str = ""
    token_name: str = ""
    team: str = ""
    project_version: str = ""
    has_requirements: Annotated[bool, about("R37: whether the pinned contract asks for anything.")] = True
    view_url: Annotated[str, about("R47: the page of the run, for people; who opens it logs in.")] = ""
    refusals: Annotated[int, about("How many stores were refused.")] = 0
    commit: Annotated[str | None, about("The attested one, else the one that the CI system named; claimed.")] = None
    successor_of: Annotated[str | None, about("R16: the run of an earlier attempt that this one goes on with.")] = None
    late: Annotated[
        bool, about("R20: begun after its job, with what was signed while the control plane did not answer.")
    ] = False
    distrusted: Annotated[bool, about("R39: an operator does not trust it: it counts as success nowhere.")] = False


@record
class RunDetail:
    """A run with everything that the server knows of it."""

    run: WorkflowRun
    workflow: Workflow
    verification: Verification | None = None
    verified: Annotated[bool, about("R12: a registered key signed these bytes and the ids match; nothing more.")] = (
        False
    )
    materials: tuple[RunMaterial, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()
    policies: Annotated[str, about("`not evaluated` when the contract has some, else empty.")] = ""
    limits_of_trust: Annotated[tuple[str, ...], about("What green does not prove (R12).")] = ()
    address: Annotated[str, about("Where the request came from that began the run; empty: not kept.")] = ""
    successor: Annotated[str | None, about("R16: the run that goes on with this one.")] = None
    crafted_at: Annotated[
        datetime | None,
        about("When the attestation was finished, by the job's clock; claimed, and any time is possible."),
    ] = None
    stored_at: Annotated[datetime | None, about("When the server stored the attestation, by its own clock.")] = None
    new_requirements: Annotated[
        tuple[NewRequirement, ...], about("R38: what only newer revisions asked for when it was stored.")
    ] = ()
    overrides: Annotated[
        tuple[Override, ...], about("R39: what operators have decided about the run, its workflow or its commit.")
    ] = ()


@record
class Stored:
    """The answer to a stored attestation; the same bytes again get the same answer."""

    digest: Digest
    run_id: str
    state: RunState
    verified: bool
    verification: Verification
    view_url: Annotated[str, about("R47: the page of the run, for people; who opens it logs in.")] = ""
    new_requirements: Annotated[
        tuple[NewRequirement, ...], about("R38: what only newer revisions ask for: warnings until their dates.")
    ] = ()


@record
class Artifact:
    """A stored blob of an organization."""

    digest: Digest
    size_bytes: int
    filename: str
    created_at: datetime


@record
class RefusedInit:
    """An init that was refused for its runner; no run was created."""

    at: datetime
    run_id: str
    workflow: str
    project: str
    required_runner: str
    runner_type: str
    token_name: str = ""
    ci: CiIdentity | None = None
    address: Annotated[str, about("Where the request came from.")] = ""
