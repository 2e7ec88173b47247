"""Jenkins. Sources: Jenkins handbook, "Using environment variables"; Branch API, Git plugin; reference 4.1 and 15."""

from __future__ import annotations

from chainloop_ci.contract.types import RunnerType
from chainloop_ci.runners.repository_url import without_credentials
from chainloop_ci.runners.types import CiIdentity, Env, EnvVar, HostFacts, Runner


def _detect(facts: HostFacts) -> bool:
    # Not by JENKINS_HOME: that is the controller's folder, and agents may lack the variable.
    return bool(facts.env.get("BUILD_URL") and facts.env.get("JOB_NAME"))


def _run_url(facts: HostFacts) -> str | None:
    return facts.env.get("BUILD_URL") or None


def _head_sha(env: Env) -> str | None:
    # R31: a multibranch job that builds the merge of a pull request has a merge commit in GIT_COMMIT that exists
    # nowhere else. Its name says so only when a job builds both forms; otherwise the claim is left to be corroborated.
    change = env.get("CHANGE_ID")
    if change and env.get("BRANCH_NAME") == f"PR-{change}-merge":
        return None
    return env.get("GIT_COMMIT") or None


def _ci(facts: HostFacts) -> CiIdentity:
    env = facts.env
    return CiIdentity(
        provider="jenkins",
        server_url=env.get("JENKINS_URL", "").rstrip("/") or None,
        repository=without_credentials(env.get("GIT_URL", "")) or None,
        # Builds are numbered per job; the address is unique where a plugin hides the number.
        run_id=env.get("BUILD_NUMBER") or env.get("BUILD_ID") or env.get("BUILD_URL") or None,
        run_attempt=None,
        job=env.get("JOB_NAME") or None,
        runner_name=env.get("NODE_NAME") or None,
        ref=env.get("GIT_BRANCH") or env.get("BRANCH_NAME") or None,
        head_sha=_head_sha(env),
        pull_request=env.get("CHANGE_ID") or None,
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
