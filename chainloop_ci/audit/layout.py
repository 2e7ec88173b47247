"""What an audit file has besides the server's tables: its own books, a search index, views that answer questions."""

from __future__ import annotations

from collections.abc import Mapping

FORMAT = "1"
"""Of the file; another one is not written into."""

BOOKS: Mapping[str, tuple[dict[str, type], tuple[str, ...]]] = {
    # Of what the file is: organization, control plane, filters, when it was completed.
    "export_about": ({"name": str, "value": str}, ("name",)),
    # Where the next export goes on.
    "export_cursors": ({"kind": str, "cursor": str}, ("kind",)),
    # Each row with its digest, the thing that it belongs to, and since when the server has it no more.
    "export_rows": (
        {"table_name": str, "row_key": str, "thing": str, "digest": str, "gone_at": str},
        ("table_name", "row_key"),
    ),
    # Each table with the number of its rows and the digest of all of them.
    "export_tables": ({"name": str, "rows": int, "digest": str}, ("name",)),
}
"""Tables to columns and key."""

SEARCHED: Mapping[str, tuple[str, ...]] = {
    "workflow_runs": (
        "reason", "runner_type", "runner_url", "ci_repository", "ci_ref", "ci_head_sha", "ci_job", "project_version",
    ),
    "run_materials": ("name", "type", "digest", "content_check"),
    "refused_stores": ("code", "findings"),
    "contracts": ("name", "description"),
}  # fmt: skip
"""Tables to the columns in which words are found."""

INDEXES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("workflow_runs", ("created_at",)),
    ("workflow_runs", ("ci_head_sha",)),
    ("workflow_runs", ("attestation_digest",)),
    ("run_materials", ("digest",)),
    ("run_artifacts", ("digest",)),
    ("events", ("run_id",)),
    ("events", ("kind", "at")),
    ("audit_records", ("action", "at")),
    ("commit_verdicts", ("sha",)),
    ("export_rows", ("thing", "table_name")),
)

VIEWS: Mapping[str, str] = {
    "runs_with_names": """
        SELECT r.sequence, r.id, p.name AS project, w.name AS workflow, w.team, r.state, r.reason,
               coalesce(r.ci_head_sha, r.attested_commit) AS "commit", r.ci_repository AS repository, r.runner_type,
               r.created_at, r.finished_at, r.contract_revision, r.attestation_digest, k.name AS signed_by,
               coalesce(a.verified, 0) AS verified, r.late, r.distrusted_at
        FROM workflow_runs r JOIN workflows w ON w.id = r.workflow_id JOIN projects p ON p.id = w.project_id
        LEFT JOIN attestations a ON a.run_id = r.id LEFT JOIN verification_keys k ON k.id = a.key_id""",
    "latest_run_of_workflows": """
        SELECT * FROM runs_with_names n
        WHERE sequence = (SELECT max(sequence) FROM runs_with_names m
                          WHERE m.project = n.project AND m.workflow = n.workflow)""",
    "workflows_that_never_attested": """
        SELECT p.name AS project, w.name AS workflow, w.team, w.created_at
        FROM workflows w JOIN projects p ON p.id = w.project_id
        WHERE NOT EXISTS (SELECT 1 FROM workflow_runs r WHERE r.workflow_id = w.id AND r.state = 'success')""",
    "materials_with_runs": """
        SELECT m.digest, m.name, m.type, m.stored, n.project, n.workflow, n.id AS run_id, n.state, n."commit",
               n.created_at
        FROM run_materials m JOIN runs_with_names n ON n.id = m.run_id""",
    "findings_of_refused_stores": """
        SELECT s.at, n.project, n.workflow, s.run_id, s.code AS refused_for, json_extract(f.value, '$.code') AS code,
               json_extract(f.value, '$.message') AS message, json_extract(f.value, '$.path') AS path
        FROM refused_stores s JOIN runs_with_names n ON n.id = s.run_id, json_each(s.findings) f""",
    "signers": """
        SELECT k.name, k.id, k.valid_from, k.retired_at, k.revoked_at, count(a.digest) AS attestations,
               min(a.stored_at) AS first_used_at, max(a.stored_at) AS last_used_at
        FROM verification_keys k LEFT JOIN attestations a ON a.key_id = k.id GROUP BY k.id""",
    "statuses_with_names": """
        SELECT s.host, s.repository, v.sha, v.context, v.kind, v.description, v.version, v.changed_at, v.run_id
        FROM commit_verdicts v JOIN sources s ON s.id = v.source_id""",
    "versions_of_statuses": """
        SELECT e.at, json_extract(e.facts, '$.sha') AS sha, json_extract(e.facts, '$.context') AS context,
               json_extract(e.facts, '$.kind') AS kind, json_extract(e.facts, '$.description') AS description, e.run_id
        FROM events e WHERE e.kind = 'verdict.changed'""",
    "deliveries_with_names": """
        SELECT d.sequence, e.kind AS event, e.at, r.name AS integration, r.kind AS integration_kind, d.part, d.state,
               d.attempts, d.finished_at, d.outcome_code, d.outcome_detail
        FROM deliveries d JOIN events e ON e.sequence = d.event_sequence
        JOIN registrations r ON r.id = d.registration_id""",
    "overrides_not_ended": """
        SELECT o.kind, p.name AS project, w.name AS workflow, o.commit_sha, o.run_id, o.reason, o.set_at,
               o.set_by, o.until
        FROM overrides o JOIN workflows w ON w.id = o.workflow_id JOIN projects p ON p.id = w.project_id
        WHERE o.ended_at IS NULL""",
}
"""Answers to what auditors ask first."""
