"""What the job that a run is begun in says of itself, as the state of the run keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from chainloop_ci.attestation.state import GitHead, RunnerFacts
from chainloop_ci.runners.commits import head_source
from chainloop_ci.runners.types import HostFacts, Runner


def runner_facts(runner: Runner, facts: HostFacts, variables: Mapping[str, str]) -> RunnerFacts:
    """Return what a runner says of the job; `variables` are its own, resolved."""
    files = runner.workflow_files(facts)
    return RunnerFacts(
        type=runner.type,
        url=runner.run_url(facts) or "",
        environment=runner.environment(facts),
        env=variables,
        workflow_file_path=files.path,
        called_workflow=files.called,
    )


def complete_head(head: GitHead | None, sha: str | None, facts: HostFacts) -> GitHead | None:
    """Return the commit with the word of the CI system in place of git's where git does not have it.

    A job that only collects what others have built has no checkout.
    """
    if sha is None or (head and head.date):
        return head
    return replace(head or GitHead(hash=sha), source=head_source(facts, sha))
