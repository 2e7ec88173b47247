"""What operators decided, and what newer contract revisions ask for, as verdicts on commits need it (R38, R39)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.runs import RunState
from chainloop_ci.contract.upcoming import NewRequirement
from chainloop_ci.errors import ChainloopError
from server.model.attested import attested_of
from server.model.overrides import OverrideKind, StoredOverride
from server.model.runs import Run
from server.model.sources import StoredWorkflowSource
from server.model.verdict_facts import Override, Upcoming
from server.services.run_access import get_pinned_contract
from server.services.run_details import read_stored_statement
from server.services.upcoming import judge_upcoming, list_upcoming
from server.store import attestations, overrides, pins


def read_overrides(
    connection: Connection, bound: StoredWorkflowSource, sha: str, runs: Sequence[Run], now: datetime
) -> tuple[Override, ...]:
    """Return what operators decided about the workflow, the commit and these runs of it, and is in force."""
    owner = bound.source.organization_id
    found = overrides.in_force(connection, owner, [bound.workflow_id], sha, now)
    for run in runs:
        if run.distrusted_at is not None:
            found += overrides.list_distrust(connection, owner, run.id)
    return tuple(map(_as_fact, found))


def find_upcoming(connection: Connection, run: Run, now: datetime) -> Upcoming | None:
    """Return what the attestation of a successful run lacks of the revision that comes first, or has come since.

    Only of revisions that have a date: one that was enforced at once leaves alone what was attested before (R19).
    """
    if run.state is not RunState.SUCCESS or run.contract_revision >= run.names.contract_revision_latest:
        # Nearly always: this costs no query.
        return None
    try:
        lacking = list(_judge(connection, run, now))
    except ChainloopError:
        # A contract that cannot be read any more must not stop the dispatcher.
        return None
    if not lacking:
        return None
    first = min(lacking, key=lambda item: (item.enforced_from, item.revision))
    names = (name_of(item) for item in lacking if item.revision == first.revision)
    return Upcoming(first.revision, first.enforced_from, tuple(dict.fromkeys(names)))


def name_of(requirement: NewRequirement) -> str:
    """Return the name of what is asked for, short enough for a status: `sbom`, `variable REGION`, `runner`."""
    words = requirement.message.split()
    if requirement.code in ("missing-material", "wrong-material-type"):
        return words[2]
    if requirement.code == "missing-group":
        return requirement.message.partition('"')[2].partition('"')[0]
    if requirement.code == "missing-annotation":
        return f"annotation {words[2]}"
    return f"variable {words[3]}" if requirement.code == "missing-variable" else requirement.code.split("-")[0]


def _judge(connection: Connection, run: Run, now: datetime) -> Iterator[NewRequirement]:
    pin = pins.find(connection, run.organization_id, run.workflow_id, run.contract_revision, now)
    attestation = attestations.find_of_run(connection, run.organization_id, run.id)
    if pin is None or pin.revision is None or attestation is None or pin.revision.contract_id != run.contract_id:
        return
    newer = [item for item in list_upcoming(connection, pin, pin.revision, now) if item.has_date]
    if newer:
        attested = attested_of(read_stored_statement(attestation), run)
        yield from judge_upcoming(get_pinned_contract(connection, run, pin), newer, attested)


def _as_fact(override: StoredOverride) -> Override:
    return Override(
        kind=OverrideKind(override.kind),
        reason=override.reason,
        by=override.set_by_name,
        until=override.until,
        run_id=override.run_id,
    )
