"""Jenkins. Sources: Jenkins handbook, "Using environment variables"; Branch API, Git plugin; reference 4.1 and 15."""

from __future__ import annotations

from chainloop_ci.contract.types import RunnerType
from chainloop_ci.runners.types import CiIdentity, Env, EnvVar, HostFacts, Runner
from chainloop_ci.runners.values import commit, identifier, link, repository, server, text


def _detect(facts: HostFacts) -> bool:
    # Not by JENKINS_HOME: that is the controller's folder, and agents may lack the variable.
    return bool(facts.env.get("BUILD_URL") and (facts.env.get("JOB_NAME") or facts.env.get("JENKINS_URL")))


def _run_url(facts: HostFacts) -> str | None:
    return link(facts.env.get("BUILD_URL"))


def _head_sha(env: Env) -> str | None:
    # R31: a multibranch job that builds the merge of a pull request has a merge commit in GIT_COMMIT that exists
    # nowhere else. Its name says so only when a job builds both forms; otherwise the claim is left to be corroborated.
    # The plugins that build pull requests in ordinary jobs tell the head by variables of their own.
    change = env.get("CHANGE_ID")
    merged = bool(change) and env.get("BRANCH_NAME") == f"PR-{change}-merge"
    return commit(
        env.get("ghprbActualCommit"),
        env.get("gitlabMergeRequestLastCommit"),
        None if merged else env.get("GIT_COMMIT"),
    )


def _pull_request(env: Env) -> str | None:
    return identifier(env, "CHANGE_ID", "ghprbPullId", "gitlabMergeRequestIid")


def _ci(facts: HostFacts) -> CiIdentity:
    env = facts.env
    return CiIdentity(
        provider="jenkins",
        server_url=server(env.get("JENKINS_URL")),
        repository=repository(env.get("GIT_URL")),
        # Builds are numbered per job; the address is unique where a plugin hides the number.
        run_id=identifier(env, "BUILD_NUMBER", "BUILD_ID", "BUILD_URL"),
        run_attempt=None,
        job=text(env, "JOB_NAME"),
        job_index=facts.job_index,
        runner_name=text(env, "NODE_NAME"),
        ref=text(env, "GIT_BRANCH", "BRANCH_NAME"),
        head_sha=_head_sha(env),
        pull_request=_pull_request(env),
    )


JENKINS_JOB = Runner(
    type=RunnerType.JENKINS_JOB,
    title="Jenkins job",
    detect=_detect,
    run_url=_run_url,
    ci=_ci,
    env_vars=(
        EnvVar("JOB_NAME"),
        EnvVar("BUILD_URL"),
        # Agents of some plugins set neither (reference 14, threads 1347 and 88).
        EnvVar("WORKSPACE", required=False),
        EnvVar("NODE_NAME", required=False),
        EnvVar("GIT_BRANCH", required=False),
        EnvVar("GIT_COMMIT", required=False),
        EnvVar("AGENT_WORKDIR", required=False),
    ),
    scratch_variables=("WORKSPACE_TMP",),
)
"""The entry of Jenkins, freestyle and pipeline jobs."""
