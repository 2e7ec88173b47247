"""Who may do what: roles, scopes, API tokens, verification keys, organizations (R1-R6)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from chainloop_ci.api.limits import (
    LINES_PATTERN,
    MAX_NAME,
    MAX_RUN_EXPIRY_SECONDS,
    MIN_RUN_EXPIRY_SECONDS,
    NAME_PATTERN,
)
from chainloop_ci.api.record import about
from chainloop_ci.api.words import CasBackend
from chainloop_ci.digests import Digest
from chainloop_ci.records import record


class Role(StrEnum):
    """What a token may do within its scope (R1)."""

    ATTEST = "attest"
    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"
    INSTANCE = "instance"
    """The server's operator: every organization, named by the header `Chainloop-Organization`."""


class ScopeKind(StrEnum):
    """How far a token or key reaches."""

    INSTANCE = "instance"
    ORGANIZATION = "organization"
    PROJECT = "project"
    WORKFLOW = "workflow"


@record
class Scope:
    """A scope by names: project and workflow narrow it."""

    kind: ScopeKind
    project: str | None = None
    workflow: str | None = None


@record
class WhoAmI:
    """What the server knows of the token that asks."""

    token_id: str
    token_name: str
    role: Role
    scope: Scope
    organization: Annotated[str | None, about("None for an instance token that named none.")] = None
    workflow_id: Annotated[str | None, about("Set for a service account.")] = None
    expires_at: datetime | None = None
    server_version: str = ""


@record
class OrganizationRequest:
    """Create an organization."""

    name: Annotated[str, about("DNS-1123 label.", pattern=NAME_PATTERN, maxLength=MAX_NAME)]


@record
class OrganizationSettings:
    """Change an organization's settings; what is left out stays."""

    accept_unsigned: Annotated[bool | None, about("R4: store unsigned attestations as `unverified`.")] = None
    run_expiry_seconds: Annotated[
        int | None,
        about(
            "R15: life of a run after its last accepted request.",
            minimum=MIN_RUN_EXPIRY_SECONDS,
            maximum=MAX_RUN_EXPIRY_SECONDS,
        ),
    ] = None
    quota_bytes: Annotated[int | None, about("R8: bytes of artifacts; 0 is no limit.")] = None
    cas_backend: Annotated[CasBackend | None, about("Where new content goes.")] = None


@record
class Organization:
    """A tenant; nothing is shared between two of them."""

    id: str
    name: str
    created_at: datetime
    accept_unsigned: bool
    run_expiry_seconds: int
    quota_bytes: int
    cas_backend: str


@record
class TokenRequest:
    """Create an API token; one bound to a workflow is a service account and always has the role `attest`."""

    name: Annotated[str, about("DNS-1123 label, unique in the organization.", pattern=NAME_PATTERN, maxLength=MAX_NAME)]
    role: Annotated[Role, about("R1.")]
    project: Annotated[str | None, about("Narrows the scope to a project.", maxLength=MAX_NAME)] = None
    workflow: Annotated[str | None, about("Narrows the scope to a workflow of that project.", maxLength=MAX_NAME)] = (
        None
    )
    expires_in_seconds: Annotated[int | None, about("None: until it is revoked.", minimum=1, maximum=315360000)] = None
    description: Annotated[str, about("For people.", pattern=LINES_PATTERN, maxLength=500)] = ""


@record
class TokenRotation:
    """Replace a token's secret; the old one works on for the overlap (R6)."""

    overlap_seconds: Annotated[int, about("0 ends the old secret at once.", maximum=2592000)] = 0


@record
class ApiToken:
    """An API token without its secret."""

    id: str
    name: str
    role: Role
    scope: Scope
    created_at: datetime
    created_by: str
    description: str = ""
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    previous_expires_at: Annotated[
        datetime | None, about("R6: until then the secret before the last rotation works as well.")
    ] = None
    ended_runs: Annotated[int | None, about("In the answer to its revocation: how many open runs that ended.")] = None
    last_used_at: datetime | None = None
    last_used_address: str | None = None


@record
class CreatedToken:
    """A new token with its secret, which is shown this once."""

    token: ApiToken
    secret: str


@record
class KeyRequest:
    """Register a verification key (R3): for named workflows or projects, or explicitly for the whole organization."""

    name: Annotated[str, about("DNS-1123 label.", pattern=NAME_PATTERN, maxLength=MAX_NAME)]
    public_key: Annotated[str, about("SubjectPublicKeyInfo in PEM.", pattern=LINES_PATTERN, maxLength=8192)]
    projects: Annotated[tuple[str, ...], about("Projects whose workflows it verifies.", maxItems=100)] = ()
    workflows: Annotated[tuple[str, ...], about("Workflows as `project/workflow`.", maxItems=100)] = ()
    organization_wide: Annotated[bool, about("It verifies every workflow; must be said explicitly.")] = False
    valid_from: Annotated[datetime | None, about("None: now.")] = None


@record
class VerificationKey:
    """A registered verification key; never deleted."""

    id: Annotated[Digest, about("`sha256:` of its SPKI DER (design decision 18).")]
    name: str
    algorithm: str
    public_key: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    created_by: str
    valid_from: datetime
    retired_at: datetime | None = None
    revoked_at: datetime | None = None
