"""What an audit export hands out to whom, and what it keeps back; a test finds a column of which nobody decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from chainloop_ci.api.audit_export import API_TOKENS, AUDIT_RECORDS
from server.model.paging import Key

ADMINS_ONLY = frozenset({API_TOKENS.name, AUDIT_RECORDS.name})
"""Kinds that show who holds which rights and what they did: as their lists, for administrators only."""

_DERIVED = "follows from other rows, and changes with each of them"
_SECRET = "a secret, sealed or as a digest"  # noqa: S105  # a reason
_BEARER = "whoever has it may use it"
_WORK = "the server's own work, of no matter for what was attested"

WITHHELD_TABLES: Mapping[str, str] = {
    "app_installations": "of the server's own App; who bound it stands in audit records",
    "artifacts": "contents stay in the store; `run_artifacts` names those of each run",
    "ci_jobs": "the forge's word of the moment; what was made of it stands in events",
    "ci_runs": "the forge's word of the moment; what was made of it stands in events",
    "contract_notices": _WORK,
    "counters": _DERIVED,
    "forged_statuses": "each is an audit record and an event",
    "forge_repositories": "the forge's word of the moment, of repositories that attest nothing",
    "gate_requests": "what a forge was answered stands in deliveries",
    "heads": "the forge's word of the moment; what was made of it stands in events",
    "inventories": _WORK,
    "lane_memories": _WORK,
    "page_sessions": _SECRET,
    "referrer_edges": _DERIVED,
    "referrer_facts": _DERIVED,
    "referrer_nodes": _DERIVED,
    "run_durations": _DERIVED,
    "run_states": _SECRET,
    "secret_canaries": _SECRET,
    "source_hooks": _WORK,
    "status_contexts": _WORK,
    "sweeps": _WORK,
}
"""Table to why it is not exported."""

WITHHELD_COLUMNS: Mapping[str, str] = {
    "api_tokens.last_used_address": "changes with each request; its activity shows it",
    "api_tokens.last_used_at": "changes with each request; its activity shows it",
    "api_tokens.previous_expires_at": _SECRET,
    "api_tokens.previous_secret_sha256": _SECRET,
    "api_tokens.secret_sha256": _SECRET,
    "attachments.settings": "may hold an address that is a secret",
    "commit_verdicts.holds_until": _WORK,
    "commit_verdicts.judged_at": _WORK,
    "contract_revisions.enforcement_noticed_at": _WORK,
    "deliveries.holder": _WORK,
    "deliveries.leased_until": _WORK,
    "deliveries.next_attempt_at": _WORK,
    "deliveries.replaces_older": _WORK,
    "deliveries.since": _WORK,
    "delivery_attempts.holder": _WORK,
    "events.fanned_out_at": _WORK,
    "inbound_deliveries.body": "holds what a forge sends to whoever listens; its digest is exported",
    "organizations.cas_backend": _WORK,
    "organizations.used_bytes": _DERIVED,
    "registrations.facts": _WORK,
    "registrations.failures": _WORK,
    "registrations.open_until": _WORK,
    "registrations.sealed": _SECRET,
    "registrations.settings": "may hold an address that is a secret",
    "run_artifacts.run_sequence": _DERIVED,
    "run_materials.run_sequence": _DERIVED,
    "sources.address_key": _DERIVED,
    "sources.hook_secret": _SECRET,
    "sources.previous_hook_secret": _SECRET,
    "sources.previous_hook_secret_until": _SECRET,
    "workflow_runs.handle_sha256": _SECRET,
    "workflow_runs.request_digest": "holds the digest of the handle",
    "workflows.last_run_id": _DERIVED,
    "workflows.public_contract_id": _BEARER,
    "workflows.runs_count": _DERIVED,
}
"""`table.column` to why it is not exported. `organization_id` never is: an export is of one."""

LATEST_CLOCK = timedelta(hours=1)
"""How far the clocks of servers and dispatchers may differ, and how long one may wait between reading its clock and
writing: what ended so shortly before an export is handed out again in the next one."""


@dataclass(frozen=True, slots=True)
class ExportFilter:
    """What an export is kept to; None does not matter."""

    organization_id: str
    project_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """How far the rows of a kind were handed out; a cursor is made of it."""

    text: str = ""
    """Key of the last thing; of those with a number, empty."""
    number: int = 0
    """The number of the last thing, or of the last event."""
    follows_events: bool = False
    """Whether all things were handed out, and those follow of which later events tell."""
    horizon: int = 0
    """The newest event before the first thing was handed out; of what ends, seconds since 1970 when that was."""
    settled: int = 0
    """Of what ends: up to which number only those are handed out that changed."""
    since: int = 0
    """Of what ends: seconds since 1970; what ended before is known."""

    @property
    def key(self) -> Key:
        """Return it as a cursor holds it."""
        return (self.text, self.number, int(self.follows_events), self.horizon, self.settled, self.since)

    @classmethod
    def of(cls, key: Key | None) -> Position:
        """Return the position that a cursor holds; None: the beginning."""
        if key is None:
            return cls()
        text, number, follows, horizon, settled, since = key
        return cls(str(text), int(number), bool(follows), int(horizon), int(settled), int(since))
