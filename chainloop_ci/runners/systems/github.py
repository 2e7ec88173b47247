"""GitHub Actions. Sources: GitHub Docs, "Variables reference" and "Events that trigger workflows"; reference 4.1."""

from __future__ import annotations

import re
from collections.abc import Mapping

from chainloop_ci.contract.types import RunnerType
from chainloop_ci.runners.types import CiIdentity, Env, EnvVar, HostFacts, Runner

_PULL_REQUEST_EVENTS = frozenset(
    {"pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment"}
)
_PULL_REQUEST_REF = re.compile(r"refs/pull/([0-9]+)/")


def _detect(facts: HostFacts) -> bool:
    # Not CI as well, which the reference asks for: a step's script may have unset it, and these two say more.
    return all(facts.env.get(name) for name in ("GITHUB_REPOSITORY", "GITHUB_RUN_ID"))


def _server_url(env: Env) -> str:
    # Not always github.com: GitHub Enterprise Server sets its own address.
    return (env.get("GITHUB_SERVER_URL") or "https://github.com").rstrip("/")


def _run_url(facts: HostFacts) -> str | None:
    repository, run_id = facts.env.get("GITHUB_REPOSITORY"), facts.env.get("GITHUB_RUN_ID")
    if not repository or not run_id:
        return None
    return f"{_server_url(facts.env)}/{repository}/actions/runs/{run_id}"


def _pull_request(facts: HostFacts) -> Mapping[str, object]:
    found = facts.event.get("pull_request")
    return found if isinstance(found, Mapping) else {}


def _head_sha(facts: HostFacts) -> str | None:
    if facts.env.get("GITHUB_EVENT_NAME") not in _PULL_REQUEST_EVENTS:
        return facts.env.get("GITHUB_SHA") or None
    # R31: in these events GITHUB_SHA is the test merge commit or the base branch. Without the event document the
    # head is unknown, and unknown is what is said.
    head = _pull_request(facts).get("head")
    sha = head.get("sha") if isinstance(head, Mapping) else None
    return sha if isinstance(sha, str) and sha else None


def _pull_request_number(facts: HostFacts) -> str | None:
    if facts.env.get("GITHUB_EVENT_NAME") not in _PULL_REQUEST_EVENTS:
        return None
    number = _pull_request(facts).get("number")
    if isinstance(number, int) and not isinstance(number, bool):
        return str(number)
    match = _PULL_REQUEST_REF.match(facts.env.get("GITHUB_REF", ""))
    return match[1] if match else None


def _attempt(env: Env) -> int | None:
    text = env.get("GITHUB_RUN_ATTEMPT", "")
    return int(text) if text.isascii() and text.isdecimal() else None


def _ci(facts: HostFacts) -> CiIdentity:
    env = facts.env
    return CiIdentity(
        provider="github",
        server_url=_server_url(env),
        repository=env.get("GITHUB_REPOSITORY") or None,
        run_id=env.get("GITHUB_RUN_ID") or None,
        run_attempt=_attempt(env),
        job=env.get("GITHUB_JOB") or None,
        # No variable holds the matrix leg (`strategy.job-index`): the action passes it as an option.
        job_index=None,
        runner_name=env.get("RUNNER_NAME") or None,
        event=env.get("GITHUB_EVENT_NAME") or None,
        ref=env.get("GITHUB_REF") or None,
        head_sha=_head_sha(facts),
        pull_request=_pull_request_number(facts),
    )


def _environment(facts: HostFacts) -> str:
    return {"github-hosted": "managed", "self-hosted": "self-hosted"}.get(
        facts.env.get("RUNNER_ENVIRONMENT", ""), "unknown"
    )


GITHUB_ACTION = Runner(
    type=RunnerType.GITHUB_ACTION,
    title="Github action",
    detect=_detect,
    run_url=_run_url,
    ci=_ci,
    environment=_environment,
    env_vars=(
        EnvVar("GITHUB_ACTOR"),
        # Empty in a `deployment` event that was created with a commit instead of a branch.
        EnvVar("GITHUB_REF", required=False),
        EnvVar("GITHUB_REPOSITORY"),
        EnvVar("GITHUB_REPOSITORY_OWNER"),
        EnvVar("GITHUB_RUN_ID"),
        EnvVar("GITHUB_SHA"),
        # Compatible runners (act) do not set it, and nothing is decided by it.
        EnvVar("RUNNER_NAME", required=False),
        EnvVar("RUNNER_OS"),
        EnvVar("GITHUB_EVENT_NAME", required=False),
        EnvVar("GITHUB_HEAD_REF", required=False),
        EnvVar("GITHUB_BASE_REF", required=False),
        EnvVar("GITHUB_EVENT_PATH", required=False),
    ),
    scratch_variables=("RUNNER_TEMP",),
)
"""The entry of GitHub Actions, GitHub Enterprise Server included."""
