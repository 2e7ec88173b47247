"""The tables. Every row of a tenant carries its organization, and every query names it.

Times are UTC, written as fixed-width RFC 3339 text so that they sort as text on every engine. Digests are
`sha256:<hex>`. Ids are lower-case UUIDs. Documents are JSON text. Changed only together with a migration.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    false,
    text,
)

from server.store import event_tables as event_tables
from server.store import source_tables as source_tables
from server.store.access_tables import api_tokens as api_tokens
from server.store.access_tables import verification_key_scopes as verification_key_scopes
from server.store.access_tables import verification_keys as verification_keys
from server.store.forge_tables import ci_jobs as ci_jobs
from server.store.forge_tables import ci_runs as ci_runs
from server.store.forge_tables import commit_verdicts as commit_verdicts
from server.store.forge_tables import forged_statuses as forged_statuses
from server.store.forge_tables import heads as heads
from server.store.gate_tables import gate_requests as gate_requests
from server.store.inbound_tables import app_installations as app_installations
from server.store.inbound_tables import inbound_deliveries as inbound_deliveries
from server.store.inventory_tables import forge_repositories as forge_repositories
from server.store.inventory_tables import inventories as inventories
from server.store.metadata import NUMBER, words
from server.store.metadata import metadata as metadata
from server.store.operation_tables import audit_records as audit_records
from server.store.operation_tables import counters as counters
from server.store.operation_tables import page_sessions as page_sessions
from server.store.operation_tables import run_durations as run_durations
from server.store.operation_tables import secret_canaries as secret_canaries
from server.store.operation_tables import sweeps as sweeps
from server.store.override_tables import overrides as overrides
from server.store.referrer_tables import referrer_edges as referrer_edges
from server.store.referrer_tables import referrer_facts as referrer_facts
from server.store.referrer_tables import referrer_nodes as referrer_nodes
from server.store.requirement_tables import contract_notices as contract_notices
from server.store.run_state_tables import run_states as run_states

UNUSUAL_STATE = text("state <> 'success'")
"""What most runs are not: indexes of states within a workflow, project, token or runner hold only these."""

organizations = Table(
    "organizations",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("created_at", String(32), nullable=False),
    Column("accept_unsigned", Boolean, nullable=False, default=False),
    Column("run_expiry_seconds", Integer, nullable=False),
    Column("quota_bytes", BigInteger, nullable=False, default=0),
    Column("used_bytes", BigInteger, nullable=False, default=0),
    Column("cas_backend", String(32), nullable=False),
)

projects = Table(
    "projects",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("name", String(63), nullable=False),
    Column("created_at", String(32), nullable=False),
    UniqueConstraint("organization_id", "name"),
)

contracts = Table(
    "contracts",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("name", String(127), nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column("latest_revision", NUMBER, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    UniqueConstraint("organization_id", "name"),
)

contract_revisions = Table(
    "contract_revisions",
    metadata,
    Column("contract_id", ForeignKey("contracts.id"), nullable=False),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("revision", NUMBER, nullable=False),
    Column("raw_body", LargeBinary, nullable=False),
    Column("format", String(8), nullable=False),
    Column("digest", String(71), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("created_by", String(36), nullable=False),
    # From when on runs have to meet it (R19).
    Column("enforced_from", String(32), nullable=False),
    # When it was noticed that this date has passed (R38); null: it was not, or the date is still to come.
    Column("enforcement_noticed_at", String(32)),
    PrimaryKeyConstraint("contract_id", "revision"),
    Index("ix_revisions_waiting", "enforced_from", sqlite_where=text("enforcement_noticed_at IS NULL")),
)

workflows = Table(
    "workflows",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("contract_id", ForeignKey("contracts.id"), nullable=False),
    Column("name", String(63), nullable=False),
    Column("team", String(100), nullable=False, default=""),
    Column("description", Text, nullable=False, default=""),
    Column("run_expiry_seconds", Integer),
    Column("created_at", String(32), nullable=False),
    Column("runs_count", Integer, nullable=False, default=0),
    Column("last_run_id", String(36)),
    # R19: set by an operator; null: the contract's enforced revision.
    Column("minimum_revision", NUMBER),
    Column("minimum_revision_since", String(32)),
    # Under which anybody may read the newest revision of the contract; null: nobody may.
    Column("public_contract_id", String(36)),
    # R47: anybody who knows the page of a verdict may see its state, name and time.
    Column("public_verdict", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("project_id", "name"),
    Index("ix_workflows_organization", "organization_id", "created_at", "id"),
    Index("ix_workflows_contract", "contract_id"),
    Index(
        "ix_workflows_public_contract",
        "public_contract_id",
        unique=True,
        sqlite_where=text("public_contract_id IS NOT NULL"),
    ),
)

workflow_runs = Table(
    "workflow_runs",
    metadata,
    # The server's own order of runs (R18): an attempt number sent by a client orders nothing.
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("workflow_id", ForeignKey("workflows.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("contract_id", ForeignKey("contracts.id"), nullable=False),
    Column("contract_revision", NUMBER, nullable=False),
    Column("contract_digest", String(71), nullable=False),
    Column("runner_type", String(64), nullable=False),
    Column("runner_url", Text, nullable=False, default=""),
    Column("runner_environment", String(32), nullable=False, default="unknown"),
    Column("state_location", String(8), nullable=False),
    Column("handle_sha256", String(64), nullable=False),
    # Digest of the request that created the run: the same again is the same answer, another is a conflict.
    Column("request_digest", String(71), nullable=False),
    Column("project_version", String(128), nullable=False, default=""),
    Column("client_version", String(64), nullable=False, default=""),
    Column("ci_provider", String(32), nullable=False, default="none"),
    Column("ci_server_url", Text),
    Column("ci_repository", Text),
    Column("ci_run_id", words(128)),
    Column("ci_run_attempt", NUMBER),
    Column("ci_job", Text),
    Column("ci_job_index", words(128)),
    Column("ci_runner_name", Text),
    Column("ci_event", words(128)),
    Column("ci_ref", Text),
    Column("ci_head_sha", String(64)),
    Column("ci_pull_request", words(64)),
    Column("token_id", String(36), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("last_accepted_at", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False),
    Column("finished_at", String(32)),
    Column("attestation_digest", String(71)),
    Column("refusals", Integer, nullable=False, default=0),
    Column("stored_bytes", BigInteger, nullable=False, default=0),
    # Where the request came from that began the run; empty: an older server did not keep it.
    Column("created_address", String(64), nullable=False, server_default=text("''")),
    # The statement's, where it is another than `ci_head_sha`: many CI systems name none.
    Column("attested_commit", String(64)),
    # R16: the run of an earlier attempt that this one goes on with, and the first of them all.
    Column("predecessor_id", String(36)),
    Column("first_run_id", String(36)),
    # When the first of them pinned the revision (R19); null: when it began itself.
    Column("pinned_at", String(32)),
    # R20: begun after its job, with what was signed while the control plane did not answer.
    Column("late", Boolean, nullable=False, server_default=false()),
    # R39: an operator does not trust what it attested; its state stays, and it counts as success nowhere.
    Column("distrusted_at", String(32)),
    Index("ix_runs_organization", "organization_id", "sequence"),
    Index("ix_runs_workflow", "workflow_id", "sequence"),
    Index("ix_runs_project", "project_id", "sequence"),
    Index("ix_runs_state", "organization_id", "state", "sequence"),
    Index("ix_runs_runner", "organization_id", "runner_type", "sequence"),
    Index("ix_runs_commit", "organization_id", "ci_head_sha", "sequence"),
    Index(
        "ix_runs_attested_commit",
        "organization_id",
        "attested_commit",
        "sequence",
        sqlite_where=text("attested_commit IS NOT NULL"),
    ),
    Index(
        "ix_runs_predecessor",
        "predecessor_id",
        unique=True,
        sqlite_where=text("predecessor_id IS NOT NULL"),
    ),
    Index(
        "ix_runs_first",
        "first_run_id",
        "sequence",
        sqlite_where=text("first_run_id IS NOT NULL"),
    ),
    Index("ix_runs_token", "token_id", "sequence"),
    Index("ix_runs_created", "organization_id", "created_at"),
    Index("ix_runs_attestation", "organization_id", "attestation_digest"),
    *(
        Index(
            f"ix_runs_{name}_state",
            *columns,
            "state",
            "sequence",
            sqlite_where=UNUSUAL_STATE,
        )
        for name, columns in (
            ("workflow", ("workflow_id",)),
            ("project", ("project_id",)),
            ("token", ("token_id",)),
            ("runner", ("organization_id", "runner_type")),
        )
    ),
    Index(
        "ix_runs_ci",
        "organization_id",
        "ci_run_id",
        sqlite_where=text("ci_run_id IS NOT NULL"),
    ),
    Index(
        "ix_workflow_runs_open_ci",
        "organization_id",
        "ci_run_id",
        sqlite_where=text("state = 'initialized'"),
    ),
    Index(
        "ix_runs_open",
        "expires_at",
        sqlite_where=text("state = 'initialized'"),
    ),
    Index(
        "ix_runs_open_ci",
        "organization_id",
        "ci_run_id",
        sqlite_where=text("state = 'initialized'"),
    ),
    Index(
        "ix_runs_open_token",
        "token_id",
        "expires_at",
        sqlite_where=text("state = 'initialized'"),
    ),
)

refused_inits = Table(
    "refused_inits",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("workflow_id", ForeignKey("workflows.id"), nullable=False),
    Column("run_id", String(36), nullable=False),
    Column("at", String(32), nullable=False),
    Column("required_runner", String(64), nullable=False),
    Column("runner_type", String(64), nullable=False),
    Column("ci", Text, nullable=False),
    Column("token_id", String(36), nullable=False),
    Column("address", String(64), nullable=False, server_default=text("''")),
    Index("ix_refused_inits_workflow", "workflow_id", "at"),
    Index("ix_refused_inits_token", "token_id", "at", "id"),
    UniqueConstraint("workflow_id", "run_id"),
)

refused_stores = Table(
    "refused_stores",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("run_id", ForeignKey("workflow_runs.id"), nullable=False),
    Column("at", String(32), nullable=False),
    Column("code", String(64), nullable=False),
    Column("bundle_digest", String(71), nullable=False),
    Column("findings", Text, nullable=False),
    Column("token_id", String(36), nullable=False),
    Column("address", String(64), nullable=False, server_default=text("''")),
    Index("ix_refused_stores_run", "run_id", "at"),
    Index("ix_refused_stores_token", "token_id", "at", "id"),
)

attestations = Table(
    "attestations",
    metadata,
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("digest", String(71), nullable=False),
    Column("run_id", ForeignKey("workflow_runs.id"), nullable=False, unique=True),
    # The exact bytes received; nothing rewrites them.
    Column("bundle", LargeBinary, nullable=False),
    Column("stored_at", String(32), nullable=False),
    Column("key_id", String(71)),
    Column("verified", Boolean, nullable=False),
    Column("verification", Text, nullable=False),
    # R38: what newer contract revisions asked for when it was stored, and its own did not.
    Column("new_requirements", Text, nullable=False, server_default=text("'[]'")),
    PrimaryKeyConstraint("organization_id", "digest"),
)

run_materials = Table(
    "run_materials",
    metadata,
    Column("run_id", ForeignKey("workflow_runs.id"), nullable=False),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("name", String(255), nullable=False),
    Column("type", String(64), nullable=False),
    Column("digest", String(80), nullable=False),
    Column("stored", String(16), nullable=False),
    Column("content_check", Text, nullable=False),
    # The run's own, so that the runs with a digest come in the server's order.
    Column("run_sequence", BigInteger, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("run_id", "name"),
    Index("ix_run_materials_digest", "organization_id", "digest", "run_sequence"),
)

artifacts = Table(
    "artifacts",
    metadata,
    # R7: a row is made only by a completed upload of that organization.
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("digest", String(71), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("filename", Text, nullable=False),
    Column("backend", String(32), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("created_by", String(36), nullable=False),
    Column("last_uploaded_at", String(32), nullable=False),
    # When the sweep found it in an attestation, which is for good; null: not looked at, or in none (R8).
    Column("referenced_at", String(32)),
    PrimaryKeyConstraint("organization_id", "digest"),
    Index("ix_artifacts_digest", "digest"),
    Index(
        "ix_artifacts_unreferenced",
        "last_uploaded_at",
        sqlite_where=text("referenced_at IS NULL"),
    ),
)

run_artifacts = Table(
    "run_artifacts",
    metadata,
    Column("run_id", ForeignKey("workflow_runs.id"), nullable=False),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("digest", String(71), nullable=False),
    # True: this run uploaded the bytes, so its tokens may read them (R8); False: only a reference (R7).
    Column("uploaded", Boolean, nullable=False),
    Column("filename", Text, nullable=False),
    Column("at", String(32), nullable=False),
    Column("run_sequence", BigInteger, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("run_id", "digest"),
    Index("ix_run_artifacts_digest", "organization_id", "digest", "run_sequence"),
)


@event.listens_for(metadata, "before_create")
def _condition_indexes_of_postgresql(_target: MetaData, connection: Connection, **_options: object) -> None:
    """Give partial indexes the same condition there; said above, it would load that dialect into every server."""
    if connection.dialect.name != "postgresql":
        return
    for table in metadata.tables.values():
        for index in table.indexes:
            index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]
