"""Read what forges and builds told of a commit, and how far that proves what a run claims (R30)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from chainloop_ci.api.source_address import SourceKind
from server.model.corroboration import Claim, CodeHead, corroborate
from server.model.forge_facts import ONLY_ATTEMPT, ForgeRun, Head
from server.model.sources import StoredSource, StoredWorkflowSource
from server.model.verdict_facts import Corroboration
from server.store import forge_facts


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of a commit of a source."""

    heads: Sequence[Head]
    ci_runs: Sequence[ForgeRun]
    code_heads: Sequence[CodeHead] = ()
    """Of a job of Jenkins: where the organization's forges have the commit."""


def read_told(connection: Connection, source: StoredSource, sha: str) -> Told:
    """Return what was told of a commit of a source."""
    is_jenkins = source.address.kind is SourceKind.JENKINS
    return Told(
        forge_facts.list_heads(connection, source.id, sha),
        forge_facts.list_runs(connection, source.id, sha),
        forge_facts.list_code_heads(connection, source.organization_id, sha) if is_jenkins else (),
    )


def prove(connection: Connection, bound: StoredWorkflowSource, told: Told, claim: Claim) -> Corroboration:
    """Return how far the claim of a run on the commit is proven."""
    return corroborate(claim, bound, _find_run(connection, bound.source, told, claim), told.code_heads)


def _find_run(connection: Connection, source: StoredSource, told: Told, claim: Claim) -> ForgeRun | None:
    """Return the attempt of a CI run that a job names; of another commit too, which is what makes it a lie."""
    ci_run_id, attempt = claim.ci_run_id, claim.ci.run_attempt or ONLY_ATTEMPT
    if ci_run_id is None:
        return None
    same = (run for run in told.ci_runs if run.ci_run_id == ci_run_id and run.attempt == attempt)
    return next(same, None) or forge_facts.find_run(connection, source.id, ci_run_id, attempt)
