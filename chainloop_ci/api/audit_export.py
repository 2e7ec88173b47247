"""What an audit export hands out: kinds of things, the tables and columns of each, and pages of rows.

The server selects these columns and no others; the command line makes its tables of the same records. Values are those
of the database: times as fixed-width RFC 3339 in UTC, documents as JSON text, bytes in base64. Where a row is of one
organization is not said: an export is of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from chainloop_ci.api.record import about
from chainloop_ci.records import record

TEXT, INTEGER, BYTES = "text", "integer", "bytes"


@record
class ExportTable:
    """A table, in the file as in the answers."""

    name: str
    columns: Mapping[str, str]
    """Name to type: `text`, `integer` (truth values too: 0, 1) or `bytes`."""
    key: tuple[str, ...]
    """Columns that tell its rows apart."""
    refers: Mapping[str, tuple[str, str]]
    """Column to the table and column that it refers to."""

    def key_of(self, row: Mapping[str, object]) -> list[object]:
        """Return what tells a row apart from all others."""
        return [row[column] for column in self.key]


@record
class ExportKind:
    """One thing with what belongs to it; handed out together, as it was at one moment."""

    name: str
    root: ExportTable
    parts: tuple[ExportTable, ...] = ()
    """Each refers to the root by one column."""
    goes_on: bool = False
    """Whether an export goes on where the last one ended; else it begins anew, and what is not there is no more."""

    @property
    def tables(self) -> tuple[ExportTable, ...]:
        """Return all tables, the root first."""
        return (self.root, *self.parts)

    def link(self, part: ExportTable) -> tuple[str, str]:
        """Return the column of a part that refers to the root, and the root's column."""
        return next((own, target[1]) for own, target in part.refers.items() if target[0] == self.root.name)


@record
class ExportRow:
    """One row."""

    table: str
    row: Annotated[dict[str, object], about("Values by the names of the columns.")]


@record
class ExportPage:
    """Rows of one kind, each thing with all that belongs to it."""

    rows: tuple[ExportRow, ...]
    is_complete: Annotated[bool, about("Whether there is no more at present.")]
    cursor: Annotated[
        str | None,
        about("Where to go on, also another day: then it leads to what is new or has changed. None: from the start."),
    ] = None


@record
class ExportCatalogue:
    """What there is to export."""

    organization: str
    organization_id: str
    at: datetime
    kinds: Annotated[tuple[str, ...], about("Those that the token may have; in this order, referring kinds first.")]
    withheld: Annotated[tuple[str, ...], about("Those that only an administrator may have.")] = ()


def _table(name: str, columns: str, *, key: str = "id", **refers: str) -> ExportTable:
    """`columns` are names with spaces between them, `:type` behind those that are no text."""
    typed = (word.partition(":") for word in columns.split())
    targets = {column: target.partition(".") for column, target in refers.items()}
    return ExportTable(
        name,
        {column: kind or TEXT for column, _, kind in typed},
        tuple(key.split()),
        {column: (table, target or "id") for column, (table, _, target) in targets.items()},
    )


_RUN = {"project_id": "projects", "workflow_id": "workflows", "contract_id": "contracts"}

RUNS = ExportKind(
    "runs",
    _table(
        "workflow_runs",
        "sequence:integer id project_id workflow_id state reason contract_id contract_revision:integer contract_digest "
        "runner_type runner_url runner_environment state_location project_version client_version ci_provider "
        "ci_server_url ci_repository ci_run_id ci_run_attempt:integer ci_job ci_job_index ci_runner_name ci_event "
        "ci_ref ci_head_sha ci_pull_request token_id created_at last_accepted_at expires_at finished_at "
        "attestation_digest refusals:integer stored_bytes:integer created_address attested_commit predecessor_id "
        "first_run_id pinned_at late:integer distrusted_at",
        **_RUN,
    ),
    (
        _table(
            "attestations",
            "digest run_id bundle:bytes stored_at key_id verified:integer verification new_requirements",
            key="digest",
            run_id="workflow_runs",
            key_id="verification_keys",
        ),
        _table(
            "run_materials",
            "run_id name type digest stored content_check",
            key="run_id name",
            run_id="workflow_runs",
        ),
        _table(
            "run_artifacts",
            "run_id digest uploaded:integer filename at",
            key="run_id digest",
            run_id="workflow_runs",
        ),
    ),
    goes_on=True,
)

REFUSED_STORES = ExportKind(
    "refused-stores",
    _table("refused_stores", "id run_id at code bundle_digest findings token_id address", run_id="workflow_runs"),
)

REFUSED_INITS = ExportKind(
    "refused-inits",
    _table(
        "refused_inits",
        "id workflow_id run_id at required_runner runner_type ci token_id address",
        workflow_id="workflows",
    ),
)

OVERRIDES = ExportKind(
    "overrides",
    _table(
        "overrides",
        "id kind project_id workflow_id run_id commit_sha target reason set_at set_by until ended_at ended_by "
        "ended_reason",
        project_id="projects",
        workflow_id="workflows",
    ),
)

COMMIT_VERDICTS = ExportKind(
    "commit-verdicts",
    _table(
        "commit_verdicts",
        "id source_id sha context workflow_id version:integer kind description run_id changed_at",
        source_id="sources",
    ),
    goes_on=True,
)

DELIVERIES = ExportKind(
    "deliveries",
    _table(
        "deliveries",
        "sequence:integer id event_sequence:integer registration_id attachment_id part lane content state "
        "attempts:integer created_at finished_at outcome_code outcome_detail",
        key="sequence",
        event_sequence="events.sequence",
        registration_id="registrations",
    ),
    (
        _table(
            "delivery_attempts",
            "delivery_sequence:integer number:integer at duration_milliseconds:integer outcome code detail",
            key="delivery_sequence number",
            delivery_sequence="deliveries.sequence",
        ),
    ),
    goes_on=True,
)

INBOUND_DELIVERIES = ExportKind(
    "inbound-deliveries",
    _table(
        "inbound_deliveries",
        "sequence:integer id scope receiver source_id delivery_id body_digest body_bytes:integer event action headers "
        "facts outcome reason address received_at handled_at replays:integer",
        key="sequence",
    ),
    goes_on=True,
)

EVENTS = ExportKind(
    "events",
    _table(
        "events",
        "sequence:integer id kind at subject project_id workflow_id run_id only_registration_id facts",
        key="sequence",
    ),
    goes_on=True,
)

AUDIT_RECORDS = ExportKind(
    "audit-records",
    _table("audit_records", "sequence:integer at token_id action subject detail address", key="sequence"),
    goes_on=True,
)

ATTACHMENTS = ExportKind(
    "attachments",
    _table(
        "attachments",
        "id registration_id project_id workflow_id events created_at created_by removed_at",
        registration_id="registrations",
        project_id="projects",
        workflow_id="workflows",
    ),
)

REGISTRATIONS = ExportKind(
    "registrations",
    _table(
        "registrations",
        "id kind name host state paused_reason credential_names credential_expires_at checked_at findings created_at "
        "created_by removed_at",
    ),
    (
        _table(
            "registration_repositories",
            "registration_id host repository_id name",
            key="registration_id host repository_id",
            registration_id="registrations",
        ),
    ),
)

WORKFLOWS = ExportKind(
    "workflows",
    _table(
        "workflows",
        "id project_id contract_id name team description run_expiry_seconds:integer created_at "
        "minimum_revision:integer minimum_revision_since public_verdict:integer",
        project_id="projects",
        contract_id="contracts",
    ),
    (
        _table(
            "workflow_sources",
            "workflow_id source_id ci_file branch event paths cadence_seconds:integer grace_seconds:integer created_at",
            key="workflow_id",
            workflow_id="workflows",
            source_id="sources",
        ),
    ),
)

SOURCES = ExportKind(
    "sources",
    _table(
        "sources",
        "id kind host repository repository_id default_branch hook_id registration_id created_at is_public:integer "
        "names_in_public:integer untrusted_heads_pass:integer token_is_protected:integer",
    ),
)

CONTRACT_REVISIONS = ExportKind(
    "contract-revisions",
    _table(
        "contract_revisions",
        "contract_id revision:integer raw_body:bytes format digest created_at created_by enforced_from",
        key="contract_id revision",
        contract_id="contracts",
    ),
)

CONTRACTS = ExportKind(
    "contracts", _table("contracts", "id name description latest_revision:integer created_at updated_at")
)

VERIFICATION_KEYS = ExportKind(
    "verification-keys",
    _table(
        "verification_keys",
        "id name algorithm public_key organization_wide:integer created_at created_by valid_from retired_at revoked_at",
    ),
    (
        _table(
            "verification_key_scopes",
            "key_id project_id workflow_id",
            key="key_id project_id workflow_id",
            key_id="verification_keys",
            project_id="projects",
            workflow_id="workflows",
        ),
    ),
)

API_TOKENS = ExportKind(
    "api-tokens",
    _table(
        "api_tokens",
        "id name description role project_id workflow_id created_at created_by expires_at revoked_at rotated_at",
        project_id="projects",
        workflow_id="workflows",
    ),
)

PROJECTS = ExportKind("projects", _table("projects", "id name created_at"))

ORGANIZATIONS = ExportKind(
    "organizations",
    _table(
        "organizations", "id name created_at accept_unsigned:integer run_expiry_seconds:integer quota_bytes:integer"
    ),
)

KINDS: tuple[ExportKind, ...] = (
    OVERRIDES,
    REFUSED_INITS,
    REFUSED_STORES,
    RUNS,
    COMMIT_VERDICTS,
    DELIVERIES,
    INBOUND_DELIVERIES,
    EVENTS,
    AUDIT_RECORDS,
    ATTACHMENTS,
    REGISTRATIONS,
    API_TOKENS,
    VERIFICATION_KEYS,
    WORKFLOWS,
    SOURCES,
    CONTRACT_REVISIONS,
    CONTRACTS,
    PROJECTS,
    ORGANIZATIONS,
)
"""In the order of an export: what refers comes before what it refers to, which is then there for sure."""

TABLES: Mapping[str, ExportTable] = {table.name: table for kind in KINDS for table in kind.tables}


def find_kind(name: str) -> ExportKind | None:
    """Return the kind of that name."""
    return next((kind for kind in KINDS if kind.name == name), None)
