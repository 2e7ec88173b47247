"""Dagger. Sources: reference 4.1; the module sets CHAINLOOP_DAGGER_CLIENT and hands on what its caller gives it.

A Dagger container sees nothing of the job that began it, except what was passed on by name: the variables of GitHub and
GitLab below are theirs, and their word counts as far as they are there.
"""

from __future__ import annotations

from chainloop_ci.contract.types import RunnerType
from chainloop_ci.runners.commits import GITLAB_MERGE_REQUEST_VARIABLES, github_head, github_pull_request, gitlab_head
from chainloop_ci.runners.types import CiIdentity, EnvVar, HostFacts, Runner
from chainloop_ci.runners.values import digits, identifier, number, server, text


def _detect(facts: HostFacts) -> bool:
    return bool(facts.env.get("CHAINLOOP_DAGGER_CLIENT"))


def _run_url(facts: HostFacts) -> str | None:
    return None


def _ci(facts: HostFacts) -> CiIdentity:
    env = facts.env
    return CiIdentity(
        provider="dagger",
        server_url=server(env.get("GITHUB_SERVER_URL")) or server(env.get("CI_SERVER_URL")),
        repository=text(env, "GITHUB_REPOSITORY", "CI_PROJECT_PATH"),
        run_id=identifier(env, "GITHUB_RUN_ID", "CI_PIPELINE_ID"),
        run_attempt=number(env, "GITHUB_RUN_ATTEMPT"),
        job=text(env, "GITHUB_JOB", "CI_JOB_ID"),
        job_index=facts.job_index,
        event=identifier(env, "GITHUB_EVENT_NAME", "CI_PIPELINE_SOURCE"),
        ref=text(env, "GITHUB_REF", "CI_COMMIT_REF_NAME"),
        head_sha=github_head(facts) if env.get("GITHUB_EVENT_NAME") else gitlab_head(env),
        pull_request=github_pull_request(facts) or digits(env.get("CI_MERGE_REQUEST_IID")),
    )


DAGGER_PIPELINE = Runner(
    type=RunnerType.DAGGER_PIPELINE,
    title="Dagger pipeline",
    detect=_detect,
    run_url=_run_url,
    ci=_ci,
    env_vars=(
        # The one CHAINLOOP_ variable that may be recorded (R24).
        EnvVar("CHAINLOOP_DAGGER_CLIENT"),
        EnvVar("GITHUB_EVENT_NAME", required=False),
        EnvVar("GITHUB_HEAD_REF", required=False),
        EnvVar("GITHUB_BASE_REF", required=False),
        EnvVar("GITHUB_EVENT_PATH", required=False),
        *GITLAB_MERGE_REQUEST_VARIABLES,
        EnvVar("CI_SERVER_URL", required=False, address=True),
        EnvVar("CI_PROJECT_PATH", required=False),
        EnvVar("GITLAB_USER_LOGIN", required=False),
    ),
)
"""The entry of Dagger, wherever its engine runs."""
