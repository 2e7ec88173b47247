"""GitLab CI/CD. Sources: GitLab Docs, "Predefined CI/CD variables reference"; reference 4.1."""

from __future__ import annotations

from chainloop_ci.contract.types import RunnerType
from chainloop_ci.runners.commits import GITLAB_MERGE_REQUEST_VARIABLES, gitlab_head
from chainloop_ci.runners.types import CiIdentity, EnvVar, HostFacts, Runner
from chainloop_ci.runners.values import digits, identifier, link, server, text


def _detect(facts: HostFacts) -> bool:
    return facts.env.get("GITLAB_CI") == "true" and bool(facts.env.get("CI_JOB_URL"))


def _run_url(facts: HostFacts) -> str | None:
    return link(facts.env.get("CI_JOB_URL"))


def _ci(facts: HostFacts) -> CiIdentity:
    env = facts.env
    return CiIdentity(
        provider="gitlab",
        server_url=server(env.get("CI_SERVER_URL")),
        repository=text(env, "CI_PROJECT_PATH"),
        run_id=identifier(env, "CI_PIPELINE_ID"),
        # GitLab counts no attempts: a retried job keeps its pipeline and its name and gets a new id, so the id,
        # not the name, is what tells it from the job before.
        run_attempt=None,
        job=identifier(env, "CI_JOB_ID"),
        job_index=facts.job_index or identifier(env, "CI_NODE_INDEX"),
        runner_name=text(env, "CI_RUNNER_DESCRIPTION"),
        event=identifier(env, "CI_PIPELINE_SOURCE"),
        ref=text(env, "CI_COMMIT_REF_NAME"),
        head_sha=gitlab_head(env),
        pull_request=digits(env.get("CI_MERGE_REQUEST_IID")),
    )


GITLAB_PIPELINE = Runner(
    type=RunnerType.GITLAB_PIPELINE,
    title="Gitlab pipeline",
    detect=_detect,
    run_url=_run_url,
    ci=_ci,
    env_vars=(
        # A bot, a group token or a private profile has no mail (reference 15), a legacy trigger no user at all.
        EnvVar("GITLAB_USER_EMAIL", required=False),
        EnvVar("GITLAB_USER_LOGIN", required=False),
        EnvVar("CI_SERVER_URL", address=True),
        EnvVar("CI_PROJECT_URL", address=True),
        EnvVar("CI_COMMIT_SHA"),
        EnvVar("CI_JOB_URL"),
        EnvVar("CI_PIPELINE_URL"),
        # Set by GitLab Runner, not by GitLab: other executors of the same pipeline leave it out.
        EnvVar("CI_RUNNER_VERSION", required=False),
        EnvVar("CI_COMMIT_REF_NAME"),
        EnvVar("CI_PROJECT_PATH"),
        EnvVar("CI_RUNNER_DESCRIPTION", required=False),
        *GITLAB_MERGE_REQUEST_VARIABLES,
    ),
    # GitLab Runner's own folder beside the checkout; it is not in the documented list but every executor sets it.
    scratch_variables=("RUNNER_TEMP_PROJECT_DIR",),
)
"""The entry of GitLab CI/CD, self-managed servers included."""
