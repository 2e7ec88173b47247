"""What a protected branch asks of a commit, and what is there. Source: GitHub Docs, «About protected branches»."""

from __future__ import annotations

from examples.forge.github.statuses import newest
from examples.forge.github.world import Repository

PASSING_CONCLUSIONS = ("success", "neutral", "skipped")


def required_checks(repository: Repository, branch: str) -> dict[str, int | None]:
    """Return the required checks of a branch, of its protection and of rulesets, each with its expected App."""
    protection = repository.protections.get(branch)
    return {**(protection.checks if protection else {}), **repository.rules.get(branch, {})}


def unmet(repository: Repository, branch: str, sha: str) -> list[str]:
    """Return the required checks that keep a commit from being merged.

    A status and a check run of one name must both pass; with an expected App only what that App said counts.
    """
    return [
        context
        for context, app_id in required_checks(repository, branch).items()
        if not _passes(repository, sha, context, app_id)
    ]


def _passes(repository: Repository, sha: str, context: str, app_id: int | None) -> bool:
    said = [
        status.state == "success"
        for status in newest(repository, sha)
        if status.context == context and app_id in (None, status.app_id)
    ]
    last = {
        (run.app.id, run.name): run.conclusion in PASSING_CONCLUSIONS
        for run in sorted(repository.check_runs.values(), key=lambda one: one.id)
        if run.sha == sha and run.name == context and app_id in (None, run.app.id)
    }
    said += last.values()
    return bool(said) and all(said)
