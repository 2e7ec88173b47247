"""A statement as it was read: what the store compares, `describe` shows and `verify` reports.

Everything here is what the statement says. Whether it is true is for the reader of the record to check (R11, R12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from chainloop_ci.attestation.state import GitHead
from chainloop_ci.contract.types import RunnerType
from chainloop_ci.digests import Digest
from chainloop_ci.records import record
from chainloop_ci.runners.types import CiIdentity


@record
class SubjectView:
    """A subject of the statement."""

    name: str
    digests: Mapping[str, str]
    """Digits by algorithm, as written."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    material_name: str | None = None
    """The material that this subject is; None for the workflow and the commit."""


@record
class MaterialView:
    """A material of the statement."""

    name: str
    type: str
    """A word of `MaterialType`, or the word of a newer writer."""
    digest: Digest | None = None
    filename: str | None = None
    """Base name of the file; the repository of an image."""
    content: bytes | None = None
    """A STRING's value as UTF-8, or a file that is kept in the statement."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """As written, without name, type and storage, which are fields here; true and false as words."""
    uploaded: bool = False
    """The content went to the content-addressed store."""
    inline: bool = False
    """The content is kept in the statement."""
    output: bool = False
    """The material is a subject."""
    size_bytes: int | None = None

    @property
    def value(self) -> str | None:
        """Return the literal of a STRING."""
        return self.content.decode("utf-8", "replace") if self.content is not None and self.type == "STRING" else None


@record
class RunnerView:
    """The runner, by the statement's word."""

    type: str = RunnerType.GENERIC.value
    """A word of `RunnerType`, or the word of a newer writer; the spelling of 2022 is translated."""
    url: str = ""
    environment: str = ""
    authenticated: bool = False
    workflow_file_path: str = ""
    called_workflow: str = ""


@record
class PolicyView:
    """The policies' outcome, by the statement's word."""

    strategy: str = ""
    evaluations: int = 0
    violations: int = 0
    has_violations: bool = False
    has_gated_violations: bool = False
    blocked: bool = False
    bypassed: bool = False


@record
class StatementView:
    """A statement with predicate v0.1 or v0.2."""

    statement_type: str
    predicate_type: str
    workflow_name: str
    run_id: str
    name: str = ""
    """`metadata.name`: the workflow's name once more."""
    workflow_id: str = ""
    project: str = ""
    project_version: str = ""
    project_version_prerelease: bool = False
    team: str = ""
    organization: str = ""
    """Empty in v0.1."""
    contract_name: str = ""
    """Empty in v0.1."""
    contract_revision: int | None = None
    """None in v0.1."""
    contract_digest: Digest | None = None
    """Ours only."""
    initialized_at: datetime | None = None
    finished_at: datetime | None = None
    builder_id: str = ""
    runner: RunnerView = field(default_factory=RunnerView)
    ci: CiIdentity | None = None
    """Ours only."""
    head: GitHead | None = None
    subjects: tuple[SubjectView, ...] = ()
    materials: tuple[MaterialView, ...] = ()
    """Each name once."""
    env: Mapping[str, str] = field(default_factory=dict)
    """The runner's variables and those of the allow list."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    auth_type: str = ""
    auth_id: str = ""
    cas_id: str = ""
    cas_name: str = ""
    policy: PolicyView = field(default_factory=PolicyView)

    def find_material(self, name: str) -> MaterialView | None:
        """Return the material called `name`."""
        return next((entry for entry in self.materials if entry.name == name), None)
