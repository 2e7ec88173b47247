"""Sources: where the code of a workflow lives, and what of its runs must attest (R30, R33, R34)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chainloop_ci.api.source_address import SourceAddress, SourceKind, forge_key, of_claim
from chainloop_ci.api.sources import (
    DEFAULT_GRACE_SECONDS,
    Source,
    SourceChange,
    SourceRequest,
    SourceState,
    WorkflowSource,
    ci_file_of,
)
from chainloop_ci.errors import UsageError
from chainloop_ci.runners.types import CiIdentity

MAX_SOURCES = 10_000
"""Of one organization."""


@dataclass(frozen=True, slots=True)
class StoredSource:
    """A row of `sources`, without its sealed secrets."""

    id: str
    organization_id: str
    address: SourceAddress
    created_at: datetime
    repository_id: str | None = None
    """The forge's own id; None until the forge told it to a credential of the organization."""
    default_branch: str | None = None
    hook_id: str | None = None
    registration_id: str | None = None
    """Whose credentials read it."""
    is_public: bool | None = None
    """Anybody may read it; None: the forge has not told."""
    names_in_public: bool = False
    """Statuses may name materials and workflows although anybody reads them (R47)."""
    untrusted_heads_pass: bool = False
    """Heads whose jobs have no secrets pass without an attestation, which opens the gate of a required check (R35)."""
    token_is_protected: bool = False
    """GitLab's jobs have the token as a protected variable: those of unprotected refs lack it (R35)."""

    @property
    def forge(self) -> str:
        """Return the forge as `status_contexts` names it."""
        return forge_key(self.address.host)

    @property
    def names_allowed(self) -> bool:
        """Tell whether a status there may name materials and workflows (R47)."""
        return self.is_public is False or self.names_in_public

    @property
    def is_untouched(self) -> bool:
        """Tell whether no forge was spoken with about it, so that nothing else can hang on it."""
        return self.repository_id is None and self.hook_id is None and self.registration_id is None

    @property
    def settings(self) -> dict[str, bool]:
        """Return what was decided of it, by the names of `SourceChange`."""
        return {
            "names_in_public": self.names_in_public,
            "untrusted_heads_pass": self.untrusted_heads_pass,
            "token_is_protected": self.token_is_protected,
        }

    def decided(self, change: SourceChange) -> StoredSource:
        """Return it with what is decided now; what a change leaves out stays."""
        wanted = {name: getattr(change, name) for name in self.settings}
        return replace(self, **{name: value for name, value in wanted.items() if value is not None})

    def api(self, workflows: int) -> Source:
        """Return the wire form."""
        return Source(
            id=self.id,
            source=str(self.address),
            kind=self.address.kind,
            host=self.address.host,
            repository=self.address.repository,
            created_at=self.created_at,
            repository_id=self.repository_id,
            default_branch=self.default_branch,
            workflows=workflows,
            public=self.is_public,
            names_in_public=self.names_in_public,
            untrusted_heads_pass=self.untrusted_heads_pass,
            token_is_protected=self.token_is_protected,
        )


@dataclass(frozen=True, slots=True)
class ExpectedRuns:
    """Which runs of a source must attest for a workflow: its registered filter (R34)."""

    ci_file: str
    branch: str | None = None
    """A branch, or a pattern of branches; None: every branch."""
    event: str | None = None
    """None: every event."""
    paths: tuple[str, ...] = ()
    """Patterns of changed files; none: any file."""
    cadence_seconds: int | None = None
    """It attests at least so often; None: whenever."""
    grace_seconds: int = DEFAULT_GRACE_SECONDS
    """After a commit, until its attestation is missed."""


@dataclass(frozen=True, slots=True)
class StoredWorkflowSource:
    """A row of `workflow_sources` with the source that it names."""

    workflow_id: str
    source: StoredSource
    expected: ExpectedRuns
    created_at: datetime

    def api(self) -> WorkflowSource:
        """Return the wire form."""
        address, expected = self.source.address, self.expected
        return WorkflowSource(
            workflow_id=self.workflow_id,
            source=str(address),
            kind=address.kind,
            host=address.host,
            repository=address.repository,
            state=SourceState.ACCEPTED,
            source_id=self.source.id,
            ci_file=expected.ci_file,
            branch=expected.branch,
            event=expected.event,
            paths=expected.paths,
            cadence_seconds=expected.cadence_seconds,
            grace_seconds=expected.grace_seconds,
            created_at=self.created_at,
            repository_id=self.source.repository_id,
            public=self.source.is_public,
            names_in_public=self.source.names_in_public,
            untrusted_heads_pass=self.source.untrusted_heads_pass,
            token_is_protected=self.source.token_is_protected,
        )

    def facts(self) -> dict[str, object]:
        """Return what an audit record says of it."""
        expected = self.expected
        return {
            "source": str(self.source.address),
            "ci_file": expected.ci_file,
            "branch": expected.branch,
            "event": expected.event,
            "paths": list(expected.paths),
            "cadence_seconds": expected.cadence_seconds,
            "grace_seconds": expected.grace_seconds,
        }


def expected_runs(request: SourceRequest) -> ExpectedRuns:
    """Return what a checked request (`check_source`) says of the runs."""
    return ExpectedRuns(
        ci_file=ci_file_of(request),
        branch=request.branch,
        event=request.event,
        paths=request.paths,
        cadence_seconds=request.cadence_seconds,
        grace_seconds=request.grace_seconds,
    )


def is_at(ci: CiIdentity, address: SourceAddress) -> bool:
    """Tell whether a job says that it ran in a repository, or is a build of a Jenkins job or of a branch below it."""
    path = ci.job if address.kind is SourceKind.JENKINS else ci.repository
    if ci.provider != address.kind.value or not ci.server_url or not path:
        return False
    if forge_key(ci.server_url.rstrip("/")).lower() != forge_key(address.host).lower():
        return False
    if address.kind is not SourceKind.JENKINS:
        return path.lower() == address.repository.lower()
    own, names = address.repository.split("/"), path.split("/")
    # A source may be the folder of a job's branches; nothing may lead out of it again.
    return names[: len(own)] == own and not {"", ".", ".."} & set(names)


def status_context(project: str, workflow: str) -> str:
    """Return the name of a workflow's verdict at a commit; it holds no run's id, so that a check can be required."""
    return f"chainloop/{project}/{workflow}"


def claimed_source(workflow_id: str, run_id: str, ci: CiIdentity, workflow_file: str) -> WorkflowSource | None:
    """Return the source that a run claims to come from (R30); None where its CI system names none."""
    kind = next((kind for kind in SourceKind if kind == ci.provider), None)
    path = ci.job if kind is SourceKind.JENKINS else ci.repository
    if kind is None or not ci.server_url or not path:
        return None
    try:
        address = of_claim(kind, ci.server_url, path)
        request = SourceRequest(str(address), workflow_file if kind is SourceKind.GITHUB else "")
    except UsageError:
        # Whatever the job's environment says: a source that nobody could register is not offered.
        return None
    return WorkflowSource(
        workflow_id=workflow_id,
        source=str(address),
        kind=kind,
        host=address.host,
        repository=address.repository,
        state=SourceState.CLAIMED,
        ci_file=ci_file_of(request),
        run_id=run_id,
    )
