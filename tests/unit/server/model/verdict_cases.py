"""Facts that tests of verdicts start from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from chainloop_ci.api.runs import RunState
from server.model.verdict import Verdict
from server.model.verdict_facts import CommitContext, Corroboration, CountedRun, HeadFacts, Override, OverrideKind
from server.model.verdict_kinds import VerdictKind

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=6)
HEAD = HeadFacts(seen_at=NOW, grace_seconds=1800)
OVERDUE = HeadFacts(seen_at=NOW - timedelta(hours=1), grace_seconds=1800)


def a_run(sequence: int = 1, **facts: Any) -> CountedRun:
    """Return a corroborated run that attested what its contract asks for."""
    known: dict[str, Any] = {
        "id": f"run-{sequence}",
        "sequence": sequence,
        "state": RunState.SUCCESS,
        "expires_at": LATER,
        "life_seconds": 6 * 3600,
        "corroboration": Corroboration.CORROBORATED,
        "ci_run_id": "900",
        "ci_attempt": 1,
        "event": "push",
        "job": "build",
        "required_count": 5,
        "revision": 7,
    }
    return CountedRun(**{**known, **facts})


def a_context(*runs: CountedRun, **facts: Any) -> CommitContext:
    return CommitContext("api", runs, **facts)


def an_override(kind: OverrideKind, **facts: Any) -> Override:
    return Override(**{"kind": kind, "reason": "incident 12", "by": "ops", **facts})


def a_verdict(kind: VerdictKind, run_id: str | None = None, text: str = "said") -> Verdict:
    return Verdict(kind, text, run_id, (run_id,) if run_id else ())
