"""The crafting state: everything that is known of an attestation before it is signed.

Its document form is the reference's CraftingState (reference section 1.4: `schemaV2` or `inputSchema`, `attestation`,
`dryRun`, `uiDashboardUrl`) with what only we need under `chainloopCi`; `state_document` writes and reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import datetime

from chainloop_ci.contract.types import Contract, MaterialType, RunnerType
from chainloop_ci.contract.upcoming import Upcoming
from chainloop_ci.digests import Digest
from chainloop_ci.materials.types import MainComponent
from chainloop_ci.records import record
from chainloop_ci.runners.types import CiIdentity


@record
class WorkflowPin:
    """The workflow, the run and the contract revision that the attestation is bound to."""

    name: str
    project: str
    organization: str
    contract_name: str
    contract_revision: int
    contract_digest: Digest
    """Digest of the contract's raw bytes; empty in a state that was written by the Go product."""
    workflow_id: str = ""
    run_id: str = ""
    """Empty on a dry run."""
    team: str = ""
    project_version: str = ""
    project_version_prerelease: bool = False


@record
class Remote:
    """A git remote; credentials are removed from its URL."""

    name: str
    url: str


@record
class GitHead:
    """The commit that is built: a pull request's head commit, not the merge commit (R31)."""

    hash: str
    """40 (or 64) lower-case hexadecimal digits."""
    author_name: str = ""
    author_email: str = ""
    message: str = ""
    date: datetime | None = None
    remotes: tuple[Remote, ...] = ()
    source: str = ""
    """Who says that it is this commit, where no git repository here has it: `event-document` or `ci-variable`."""


@record
class ImageReference:
    """A resolved container image."""

    name: str
    """Fully qualified repository without tag: `index.docker.io/library/nginx`."""
    digest: Digest
    tag: str = ""
    has_latest_tag: bool = False


@record
class CraftedMaterial:
    """A material that was added."""

    name: str
    type: MaterialType
    digest: Digest
    added_at: datetime
    value: str | None = None
    """STRING only: the literal."""
    filename: str | None = None
    """Base name of the file; the repository for an image."""
    size_bytes: int | None = None
    """Written as the annotation `chainloop.material.size`, which never stands in `annotations`."""
    image: ImageReference | None = None
    main_component: MainComponent | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    output: bool = False
    required: bool = False
    uploaded: bool = False
    inline: bytes | None = None
    """Content kept in the statement itself (CAS back end `inline`)."""
    skip_upload: bool = False


@record
class RunnerFacts:
    """The runner as it was discovered at init."""

    type: RunnerType
    url: str = ""
    environment: str = "unknown"
    env: Mapping[str, str] = field(default_factory=dict)
    """The runner's own variables (reference section 4.1)."""
    authenticated: bool = False
    workflow_file_path: str = ""
    """The file that the CI run began with."""
    called_workflow: str = ""
    """The reusable workflow that the job stands in, when it is another file."""


@record
class CasPin:
    """The CAS back end that this run's content goes to."""

    id: str = ""
    name: str = ""
    """`filesystem`, `inline`, …; empty on a dry run: digests only."""
    max_bytes: int | None = None
    fallback: bool = False


@record
class Session:
    """What only this implementation needs to go on with a run; never part of the statement, `ci` excepted."""

    control_plane: str = ""
    run_handle: str = ""
    """R14: required besides the token; a secret of this job."""
    ci: CiIdentity = field(default_factory=lambda: CiIdentity(provider="none"))
    expires_at: datetime | None = None
    view_url: str = ""
    latest_contract_revision: int | None = None
    shared: bool = False
    """The control plane keeps the state for all jobs of the run."""
    attempt: int | None = None
    """The newest attempt of the CI run that has worked on it, when that is another than the one that began it (R16)."""
    offline: bool = False
    """The control plane did not answer (`--on-unreachable queue`): nothing more is sent, it is kept for later (R20)."""


@record
class CraftingState:
    """One attestation in the making. Changed by `replace()` and saved whole."""

    contract: Contract
    pin: WorkflowPin
    initialized_at: datetime
    runner: RunnerFacts
    session: Session = field(default_factory=Session)
    finished_at: datetime | None = None
    head: GitHead | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    """The contract's allow list, resolved at init."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    materials: Mapping[str, CraftedMaterial] = field(default_factory=dict)
    cas: CasPin = field(default_factory=CasPin)
    auth_type: str = "AUTH_TYPE_API_TOKEN"
    auth_id: str = ""
    dry_run: bool = False
    removed: Mapping[str, Digest] = field(default_factory=dict)
    """Materials that were taken out again: who adds other bytes under such a name replaces them (R17)."""

    carried: frozenset[str] = frozenset()
    """Materials of an earlier attempt of the CI run: who adds one again replaces it, without asking for it (R16)."""

    upcoming: tuple[Upcoming, ...] = ()
    """Newer contract revisions: what only they ask for is a warning (R38)."""

    @property
    def is_begun(self) -> bool:
        """Tell whether its run exists: `init` saves the state before it knows; a dry run has none to wait for.

        Nor has an attestation that is kept for later.
        """
        return self.dry_run or self.session.offline or self.session.expires_at is not None

    def gone_offline(self) -> CraftingState:
        """Return the state of an attestation of which nothing more is sent."""
        return replace(self, session=replace(self.session, offline=True))

    def with_material(self, material: CraftedMaterial) -> CraftingState:
        """Return the state with `material` added or replaced."""
        materials = {**self.materials, material.name: material}
        return replace(self, materials=materials, carried=self.carried - {material.name})

    def without_material(self, name: str) -> CraftingState:
        """Return the state without the material `name`, which must be there."""
        kept = {other: material for other, material in self.materials.items() if other != name}
        removed = {**self.removed, name: self.materials[name].digest}
        return replace(self, materials=kept, removed=removed, carried=self.carried - {name})

    def in_attempt(self, attempt: int) -> CraftingState:
        """Return the state as a job of a later attempt of the CI run goes on with it."""
        if attempt <= (self.session.attempt or self.session.ci.run_attempt or 0):
            return self
        return replace(self, session=replace(self.session, attempt=attempt), carried=self._names)

    def taken_over(
        self, run_id: str, ci: CiIdentity, *, token_id: str, expires_at: datetime, view_url: str
    ) -> CraftingState:
        """Return the state that the successor of an ended run begins with (R16): its materials are kept."""
        session = replace(self.session, ci=ci, expires_at=expires_at, view_url=view_url, attempt=ci.run_attempt)
        return replace(
            self,
            pin=replace(self.pin, run_id=run_id),
            session=session,
            auth_id=token_id,
            finished_at=None,
            carried=self._names,
        )

    @property
    def _names(self) -> frozenset[str]:
        """Return every name that something was added under, taken out since or not."""
        return frozenset((*self.materials, *self.removed))

    def find_digest(self, name: str) -> Digest | None:
        """Return the digest of what was added last under `name`, taken out since or not; None when nothing was."""
        known = self.materials.get(name)
        return known.digest if known else self.removed.get(name)
