"""Payloads of GitHub's webhooks. Source: GitHub Docs, "Webhook events and payloads"."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from server.inbound.forge_events import BRANCHES, changed_paths, noted, read_event, read_push
from server.inbound.reading import at, commit, count, flag, ident, items, moment, text
from server.model.ci_words import github_conclusion, github_status
from server.model.events import EventKind
from server.model.forge_facts import (
    LONG_AGO,
    ONLY_ATTEMPT,
    CiStatus,
    ForgeJob,
    ForgeRun,
    Head,
)
from server.model.inbound_facts import NOWHERE, InboundFacts, SeenHead, SeenJob

OUR_CONTEXTS = "chainloop/"
"""How the names of our statuses and check runs begin."""

_MAX_COMMITS = 2048
"""A push names no more commits than this."""
_DEPENDABOT = "dependabot[bot]"
"""Its pull requests and pushes get no secrets (GitHub Docs, "Troubleshooting Dependabot on GitHub Actions")."""
_RUN_OF_CALLBACK = re.compile(r"/actions/runs/([0-9]{1,18})/deployment_protection_rule\Z")


def parse(event: str, payload: object) -> InboundFacts:
    """Return what a payload says; nothing, for events that do not concern us."""
    return read_event(_EVENTS, event, payload)


def _push(payload: object) -> InboundFacts:
    return read_push(
        payload,
        told_at=moment(payload, "repository", "pushed_at") or LONG_AGO,
        is_branch_new=flag(payload, "created") is True,
        is_bot=text(payload, "sender", "login") == _DEPENDABOT,
        changed_paths=_pushed_paths(payload),
    )


def _pushed_paths(payload: object) -> tuple[str, ...] | None:
    """Return what a push changed; None where its list of commits need not be everything that is new."""
    commits = list(items(payload, "commits"))
    is_whole = flag(payload, "created") is False and flag(payload, "forced") is False
    if not is_whole or not 0 < len(commits) < _MAX_COMMITS:
        return None
    return changed_paths(commits)


def _pull_request(payload: object) -> InboundFacts:
    request = at(payload, "pull_request")
    sha, number = commit(request, "head", "sha"), ident(request, "number")
    if sha is None or number is None:
        return InboundFacts()
    base = ident(request, "base", "repo", "id")
    head = Head(
        **NOWHERE,
        sha=sha,
        event="pull_request",
        branch=text(request, "head", "ref") or "",
        told_at=moment(request, "updated_at") or LONG_AGO,
        pull_request=number,
        base_branch=text(request, "base", "ref"),
        # The repository of a fork may be gone, and then there is no id.
        is_fork=base is None or ident(request, "head", "repo", "id") != base,
        is_bot=text(request, "user", "login") == _DEPENDABOT,
        is_open=text(request, "state") == "open",
    )
    before = commit(payload, "before") if text(payload, "action") == "synchronize" else None
    return InboundFacts(heads=(SeenHead(head, before),))


def _merge_group(payload: object) -> InboundFacts:
    group = at(payload, "merge_group")
    sha, ref, base = commit(group, "head_sha"), text(group, "head_ref"), text(group, "base_ref")
    if sha is None or ref is None:
        return InboundFacts()
    head = Head(
        **NOWHERE,
        sha=sha,
        event="merge_group",
        branch=ref.removeprefix(BRANCHES),
        told_at=moment(group, "head_commit", "timestamp") or LONG_AGO,
        base_branch=base.removeprefix(BRANCHES) if base else None,
        is_open=text(payload, "action") != "destroyed",
    )
    return InboundFacts(heads=(SeenHead(head, commit(group, "base_sha")),))


def _workflow_run(payload: object) -> InboundFacts:
    run = at(payload, "workflow_run")
    run_id, sha = ident(run, "id"), commit(run, "head_sha")
    if run_id is None or sha is None:
        return InboundFacts()
    status = github_status(text(run, "status"))
    told_at = moment(run, "updated_at")
    own, head = ident(run, "repository", "id"), ident(run, "head_repository", "id")
    known = ForgeRun(
        **NOWHERE,
        ci_run_id=run_id,
        attempt=count(run, "run_attempt") or ONLY_ATTEMPT,
        head_sha=sha,
        event=(text(run, "event") or "")[:64],
        status=status,
        told_at=told_at or LONG_AGO,
        # GitHub writes the ref behind some.
        ci_file=(text(run, "path") or "").partition("@")[0] or None,
        is_fork=own is None or head != own,
        conclusion=github_conclusion(text(run, "conclusion"), status),
        started_at=moment(run, "run_started_at"),
        ended_at=told_at if status is CiStatus.ENDED else None,
    )
    return InboundFacts(runs=(known,))


def _workflow_job(payload: object) -> InboundFacts:
    job = at(payload, "workflow_job")
    run_id, job_id = ident(job, "run_id"), ident(job, "id")
    if run_id is None or job_id is None:
        return InboundFacts()
    status = github_status(text(job, "status"))
    started_at = moment(job, "started_at")
    ended_at = moment(job, "completed_at") if status is CiStatus.ENDED else None
    known = ForgeJob(
        job_id=job_id,
        name=text(job, "name") or "",
        status=status,
        conclusion=github_conclusion(text(job, "conclusion"), status),
        # Of a job that waits GitHub says when it came into the queue.
        started_at=started_at if status is not CiStatus.QUEUED else None,
        ended_at=ended_at,
        runner_name=text(job, "runner_name"),
    )
    attempt = count(job, "run_attempt") or ONLY_ATTEMPT
    told_at = ended_at or started_at or LONG_AGO
    return InboundFacts(jobs=(SeenJob(run_id, attempt, told_at, known, commit(job, "head_sha")),))


def _check_run(payload: object) -> InboundFacts:
    run, action = at(payload, "check_run"), text(payload, "action")
    name, sha = text(run, "name"), commit(run, "head_sha")
    if sha is None:
        return InboundFacts()
    facts = {
        "sha": sha,
        "name": name,
        "checkRunId": ident(run, "id"),
        "externalId": text(run, "external_id"),
        "appId": ident(run, "app", "id"),
        "by": text(payload, "sender", "login"),
    }
    if action == "rerequested":
        return noted(EventKind.CHECK_REREQUESTED, sha, facts)
    if name is None or not name.startswith(OUR_CONTEXTS):
        return InboundFacts()
    # R40: another App may write check runs under our names.
    seen = {"surface": "check-run", "context": name, "state": text(run, "conclusion") or text(run, "status")}
    return noted(EventKind.STATUS_SEEN, sha, {**facts, **seen})


def _check_suite(payload: object) -> InboundFacts:
    suite, sha = at(payload, "check_suite"), commit(payload, "check_suite", "head_sha")
    if sha is None or text(payload, "action") != "rerequested":
        return InboundFacts()
    facts = {"checkSuiteId": ident(suite, "id"), "appId": ident(suite, "app", "id")}
    return noted(EventKind.CHECK_REREQUESTED, sha, {"sha": sha, **facts, "by": text(payload, "sender", "login")})


def _status(payload: object) -> InboundFacts:
    sha, context = commit(payload, "sha"), text(payload, "context")
    if sha is None or context is None or not context.startswith(OUR_CONTEXTS):
        return InboundFacts()
    facts = {
        "surface": "status",
        "sha": sha,
        "context": context,
        "state": text(payload, "state"),
        "description": text(payload, "description"),
        "statusId": ident(payload, "id"),
        "by": text(payload, "sender", "login"),
        "byId": ident(payload, "sender", "id"),
    }
    return noted(EventKind.STATUS_SEEN, sha, facts)


def _protection_rule(payload: object) -> InboundFacts:
    """Read what a deployment waits for; its callback is not called as it stands there (R43), only its run is read."""
    named = _RUN_OF_CALLBACK.search(text(payload, "deployment_callback_url") or "")
    environment = text(payload, "environment")
    if named is None or environment is None:
        return InboundFacts()
    facts = {
        "environment": environment,
        "event": text(payload, "event"),
        "ciRunId": named[1],
        "sha": commit(payload, "deployment", "sha"),
        "ref": text(payload, "deployment", "ref"),
        "deploymentId": ident(payload, "deployment", "id"),
        "repositoryId": ident(payload, "repository", "id"),
        "repository": text(payload, "repository", "full_name"),
        "installationId": ident(payload, "installation", "id"),
    }
    return noted(EventKind.GATE_REQUESTED, f"{named[1]}/{environment}", facts)


def _installation(payload: object) -> InboundFacts:
    installation = ident(payload, "installation", "id")
    if installation is None:
        return InboundFacts()
    facts = {
        "installationId": installation,
        "action": text(payload, "action"),
        "account": text(payload, "installation", "account", "login"),
        "selection": text(payload, "installation", "repository_selection"),
        "added": _names(payload, "repositories_added"),
        "removed": _names(payload, "repositories_removed"),
    }
    return noted(EventKind.INSTALLATION_CHANGED, installation, facts)


def _names(payload: object, name: str) -> list[str] | None:
    return [found for each in items(payload, name) if (found := text(each, "full_name"))] or None


_EVENTS: Mapping[str, Callable[[object], InboundFacts]] = {
    "push": _push,
    "pull_request": _pull_request,
    "merge_group": _merge_group,
    "workflow_run": _workflow_run,
    "workflow_job": _workflow_job,
    "check_run": _check_run,
    "check_suite": _check_suite,
    "status": _status,
    "deployment_protection_rule": _protection_rule,
    "installation": _installation,
    "installation_repositories": _installation,
}

APP_EVENTS = frozenset({"deployment_protection_rule", "installation", "installation_repositories"})
"""R42: taken from the App's own endpoint only; whoever holds the secret of a source could write anything into one."""
