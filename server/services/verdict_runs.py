"""The runs that a verdict follows from, as of now, and how far the forge confirms each (R30, R32)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from server.model.corroboration import Claim, corroborate, is_about
from server.model.forge_links import ci_run_url
from server.model.page_facts import CountedLine
from server.model.runs import Run
from server.model.sources import StoredWorkflowSource
from server.model.verdict import judge
from server.model.verdict_facts import VerdictSettings
from server.model.workflows import StoredWorkflow
from server.services.commit_facts import Told, read_context
from server.store import runs, sources
from server.store.commit_verdicts import CommitVerdict

MAX_COUNTED = 100
"""Runs that a page lists; the newest."""


def list_counted(
    connection: Connection, verdict: CommitVerdict, workflow: StoredWorkflow, told: Told, now: datetime
) -> tuple[CountedLine, ...]:
    """Return the runs that count on the commit; empty when the workflow comes from elsewhere now."""
    bound = sources.find_of_workflow(connection, verdict.organization_id, workflow.id)
    if bound is None or bound.source.id != verdict.source_id:
        return ()
    settings = VerdictSettings(names_allowed=bound.source.names_allowed)
    context = read_context(connection, bound, workflow.name, verdict.sha, told, settings, now)
    counted = judge(context, now).counted_run_ids[:MAX_COUNTED] if context else ()
    found = (runs.find(connection, verdict.organization_id, run_id) for run_id in counted)
    # A refused init counts, and there is no run of it.
    return tuple(_line(run, bound, told, now, is_deciding=run.id == verdict.run_id) for run in found if run)


def _line(run: Run, bound: StoredWorkflowSource, told: Told, now: datetime, *, is_deciding: bool) -> CountedLine:
    proven = corroborate(Claim.of(run), bound, told.find_run(run.ci.run_id, run.ci.run_attempt))
    return CountedLine(run.api(now, has_requirements=True), proven, find_ci_url(run, bound), is_deciding)


def find_ci_url(run: Run, bound: StoredWorkflowSource) -> str | None:
    """Return the page of a run's CI run; None when the run names another repository than the registered one (R43)."""
    if not is_about(run.ci, bound):
        return None
    return ci_run_url(bound.source.address, run.ci.run_id, run.ci.run_attempt)
