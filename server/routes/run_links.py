"""The address of a run's page, in every answer about a run (R47)."""

from __future__ import annotations

from dataclasses import replace

from chainloop_ci.api.paging import Page
from chainloop_ci.api.runs import RunDetail, Stored, WorkflowRun
from server.routes.endpoints import Call


def link_run(call: Call, run: WorkflowRun) -> WorkflowRun:
    """Return a run with the address of its page."""
    return replace(run, view_url=_address(call, run.id))


def link_page(call: Call, page: Page[WorkflowRun]) -> Page[WorkflowRun]:
    """Return a part of a list of runs, each with the address of its page."""
    return replace(page, items=tuple(link_run(call, run) for run in page.items))


def link_detail(call: Call, detail: RunDetail) -> RunDetail:
    """Return the details of a run with the address of its page."""
    return replace(detail, run=link_run(call, detail.run))


def link_stored(call: Call, stored: Stored) -> Stored:
    """Return the answer to a stored attestation with the address of its run's page."""
    return replace(stored, view_url=_address(call, stored.run_id))


def _address(call: Call, run_id: str) -> str:
    return f"{call.services.config.public_url}/runs/{run_id}"
