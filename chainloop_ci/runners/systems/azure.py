"""Azure Pipelines. Sources: Azure DevOps docs, "Use predefined variables"; reference 4.1."""

from __future__ import annotations

from chainloop_ci.contract.types import RunnerType
from chainloop_ci.runners.types import CiIdentity, Env, EnvVar, HostFacts, Runner
from chainloop_ci.runners.values import commit, digits, identifier, link, number, repository, server, text

_NAMELESS = "__default"
"""What Azure calls a stage or a job that has no name in the pipeline's file."""


def _detect(facts: HostFacts) -> bool:
    return bool(facts.env.get("TF_BUILD") and facts.env.get("BUILD_BUILDURI"))


def _collection_url(env: Env) -> str | None:
    # Azure DevOps Server leaves the collection out of the last one, and without it the address leads nowhere.
    names = ("SYSTEM_COLLECTIONURI", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "SYSTEM_TEAMFOUNDATIONSERVERURI")
    return next((found for name in names if (found := server(env.get(name)))), None)


def _run_url(facts: HostFacts) -> str | None:
    from urllib.parse import quote, urlencode

    env = facts.env
    collection, project, build = _collection_url(env), text(env, "SYSTEM_TEAMPROJECT"), identifier(env, "BUILD_BUILDID")
    if not (collection and project and build):
        return None
    job = identifier(env, "SYSTEM_JOBID")
    query = urlencode({"buildId": build, **({"j": job} if job else {}), "view": "logs"})
    return link(f"{collection}/{quote(project, safe='')}/_build/results?{query}")


def _job(env: Env) -> str | None:
    named = [found for name in ("SYSTEM_STAGENAME", "SYSTEM_PHASENAME") if (found := identifier(env, name))]
    return "/".join(name for name in named if name != _NAMELESS) or text(env, "SYSTEM_JOBDISPLAYNAME", "AGENT_JOBNAME")


def _job_index(env: Env) -> str | None:
    # Set for every job; it tells legs apart only where there are several.
    legs, position = number(env, "SYSTEM_TOTALJOBSINPHASE") or 1, digits(env.get("SYSTEM_JOBPOSITIONINPHASE"))
    return position if legs > 1 else None


def _head_sha(env: Env) -> str | None:
    # R31: for a pull request BUILD_SOURCEVERSION is the test merge commit.
    merged = env.get("BUILD_REASON") == "PullRequest" or env.get("BUILD_SOURCEBRANCH", "").startswith("refs/pull/")
    return commit(env.get("SYSTEM_PULLREQUEST_SOURCECOMMITID"), None if merged else env.get("BUILD_SOURCEVERSION"))


def _pull_request(env: Env) -> str | None:
    # For repositories on GitHub the id is Azure's own and the number the forge's.
    names = ("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "SYSTEM_PULLREQUEST_PULLREQUESTID")
    return next((found for name in names if (found := digits(env.get(name)))), None)


def _ci(facts: HostFacts) -> CiIdentity:
    env = facts.env
    return CiIdentity(
        provider="azure",
        server_url=_collection_url(env),
        repository=repository(env.get("BUILD_REPOSITORY_URI")) or text(env, "BUILD_REPOSITORY_NAME"),
        run_id=identifier(env, "BUILD_BUILDID"),
        run_attempt=number(env, "SYSTEM_JOBATTEMPT"),
        job=_job(env),
        job_index=facts.job_index or _job_index(env),
        runner_name=text(env, "AGENT_NAME"),
        event=identifier(env, "BUILD_REASON"),
        ref=text(env, "BUILD_SOURCEBRANCH"),
        head_sha=_head_sha(env),
        pull_request=_pull_request(env),
    )


AZURE_PIPELINE = Runner(
    type=RunnerType.AZURE_PIPELINE,
    title="Azure pipeline",
    detect=_detect,
    run_url=_run_url,
    ci=_ci,
    env_vars=(
        EnvVar("BUILD_REQUESTEDFOR"),
        EnvVar("BUILD_BUILDID"),
        EnvVar("BUILD_BUILDNUMBER"),
        EnvVar("BUILD_BUILDURI"),
        EnvVar("BUILD_REQUESTEDFOREMAIL", required=False),
        EnvVar("BUILD_REPOSITORY_URI", required=False, address=True),
        EnvVar("BUILD_REPOSITORY_NAME", required=False),
        EnvVar("BUILD_REASON", required=False),
        EnvVar("TF_BUILD", required=False),
    ),
    # Emptied after each job.
    scratch_variables=("AGENT_TEMPDIRECTORY",),
)
"""The entry of Azure Pipelines, Azure DevOps Server included."""
