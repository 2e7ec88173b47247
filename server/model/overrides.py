"""What operators decide against the rules: which forms it has, and while it is in force (R39). Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chainloop_ci.api.overrides import Override, OverrideRequest
from chainloop_ci.api.words import OverrideKind as OverrideKind
from chainloop_ci.attestation.times import render_time
from chainloop_ci.errors import ConflictError, Finding, RequestInvalidError
from server.model.events import Event, EventKind

MAX_OVERRIDE = timedelta(days=90)
"""The longest that a commit may pass: what holds longer is a contract, not an exception."""

_FIELDS = {
    OverrideKind.BLOCK: ({"workflow_id"}, {"until"}),
    OverrideKind.DISTRUST: ({"run_id"}, set()),
    OverrideKind.OVERRIDE: ({"workflow_id", "commit", "until"}, set()),
}
"""What each kind needs, and what it may have beside that."""
_WIRE = {"workflow_id": "workflowId", "run_id": "runId", "commit": "commit", "until": "until"}


@dataclass(frozen=True, slots=True)
class StoredOverride:
    """A row of `overrides`, with the names of what it is about."""

    id: str
    organization_id: str
    kind: OverrideKind
    project_id: str
    workflow_id: str
    reason: str
    set_at: datetime
    set_by: str
    run_id: str | None = None
    commit: str | None = None
    until: datetime | None = None
    ended_at: datetime | None = None
    ended_by: str | None = None
    """None while nobody has ended it; also when it ended by itself."""
    ended_reason: str | None = None
    project: str = ""
    workflow: str = ""
    set_by_name: str = ""

    @property
    def target(self) -> str:
        """Return what it is about: there is one decision of a kind about it at a time."""
        return target_of(self.kind, workflow_id=self.workflow_id, run_id=self.run_id, commit=self.commit)

    @property
    def what(self) -> str:
        """Return what it is about, for people."""
        workflow = f"workflow {self.project}/{self.workflow}"
        if self.kind is OverrideKind.DISTRUST:
            return f"workflow run {self.run_id}"
        return f"commit {self.commit} of {workflow}" if self.commit else workflow

    def in_force_at(self, now: datetime) -> bool:
        """Tell whether it counts."""
        return self.ended_at is None and (self.until is None or now < self.until)

    def ended(self, token_id: str, reason: str, now: datetime) -> StoredOverride:
        """Return it ended.

        Raises:
            ConflictError: it is not in force any more.
        """
        if not self.in_force_at(now):
            raise ConflictError(
                f"what was decided about {self.what} has ended already", hint="`chainloop workflow override list`"
            )
        return replace(self, ended_at=now, ended_by=token_id, ended_reason=reason)

    def lapsed(self) -> StoredOverride:
        """Return it ended at its own end, which has passed."""
        return replace(self, ended_at=self.until)

    def api(self, now: datetime) -> Override:
        """Return the wire form as of `now`."""
        in_force = self.in_force_at(now)
        return Override(
            id=self.id,
            kind=self.kind,
            workflow_id=self.workflow_id,
            workflow=self.workflow,
            project=self.project,
            reason=self.reason,
            set_at=self.set_at,
            in_force=in_force,
            set_by=self.set_by,
            set_by_name=self.set_by_name,
            run_id=self.run_id,
            commit=self.commit,
            until=self.until,
            ended_at=self.ended_at or (None if in_force else self.until),
            ended_by=self.ended_by,
            ended_reason=self.ended_reason,
        )


def override_event(event_id: str, override: StoredOverride, kind: EventKind, at: datetime) -> Event:
    """Return the event of a decision that was made, or has ended."""
    known: dict[str, object | None] = {
        "kind": override.kind.value,
        "workflow": override.workflow,
        "project": override.project,
        "commit": override.commit,
        "reason": override.reason,
        "until": render_time(override.until) if override.until else None,
        "endedReason": override.ended_reason,
    }
    return Event(
        id=event_id,
        organization_id=override.organization_id,
        kind=kind,
        at=at,
        subject=override.id,
        project_id=override.project_id,
        workflow_id=override.workflow_id,
        run_id=override.run_id,
        facts={name: value for name, value in known.items() if value is not None},
    )


def target_of(kind: OverrideKind, *, workflow_id: str, run_id: str | None = None, commit: str | None = None) -> str:
    """Return what a decision of a kind is about, as the store looks it up."""
    if kind is OverrideKind.DISTRUST:
        return run_id or ""
    return f"{workflow_id}:{commit}" if kind is OverrideKind.OVERRIDE else workflow_id


def require_form(request: OverrideRequest, now: datetime) -> None:
    """Check that a decision has what its kind needs, nothing else, and an end that is still to come.

    Raises:
        RequestInvalidError: with everything that is wrong.
    """
    needed, possible = _FIELDS[request.kind]
    given = {name for name in _WIRE if getattr(request, name) is not None}
    findings = [_finding(name, f"{request.kind} needs it") for name in sorted(needed - given)]
    findings += [_finding(name, f"{request.kind} has none") for name in sorted(given - needed - possible)]
    if not request.reason.strip():
        findings.append(Finding("invalid-field", "expected a reason, found blanks", path="/reason"))
    if request.until is not None and request.until <= now:
        findings.append(_finding("until", f"expected a time that is still to come, found {render_time(request.until)}"))
    if request.kind is OverrideKind.OVERRIDE and request.until is not None and request.until > now + MAX_OVERRIDE:
        findings.append(_finding("until", f"a commit may pass for at most {MAX_OVERRIDE.days} days"))
    if findings:
        raise RequestInvalidError("; ".join(map(str, findings)), findings=findings)


def _finding(name: str, message: str) -> Finding:
    return Finding("invalid-field", message, path=f"/{_WIRE[name]}")
