"""The runs that a verdict follows from, as of now, and how far the forge confirms each (R30, R32)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.source_address import SourceKind
from server.model.corroboration import Claim, is_about
from server.model.forge_links import ci_run_url
from server.model.page_facts import CountedLine
from server.model.runs import Run
from server.model.sources import StoredWorkflowSource
from server.model.verdict import judge
from server.model.workflows import StoredWorkflow
from server.services.commit_facts import read_context, settings_of
from server.services.corroborating import Told, prove
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
    settings = settings_of(bound.source)
    context = read_context(connection, bound, workflow.name, verdict.sha, told, settings, now)
    counted = judge(context, now).counted_run_ids[:MAX_COUNTED] if context else ()
    found = (runs.find(connection, verdict.organization_id, run_id) for run_id in counted)
    # A refused init counts, and there is no run of it.
    return tuple(_line(connection, run, bound, told, now, is_deciding=run.id == verdict.run_id) for run in found if run)


def _line(
    connection: Connection, run: Run, bound: StoredWorkflowSource, told: Told, now: datetime, *, is_deciding: bool
) -> CountedLine:
    proven = prove(connection, bound, told, Claim.of(run))
    return CountedLine(run.api(now, has_requirements=True), proven, find_ci_url(run, bound), is_deciding)


def find_ci_url(run: Run, bound: StoredWorkflowSource) -> str | None:
    """Return the page of a run's CI run; None when the run names another repository than the registered one (R43)."""
    if not is_about(run.ci, bound):
        return None
    address = bound.source.address
    if address.kind is SourceKind.JENKINS and run.ci.job:
        # The branch below the registered folder has the build.
        address = replace(address, repository=run.ci.job)
    return ci_run_url(address, run.ci.run_id, run.ci.run_attempt)
