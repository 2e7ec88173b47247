"""CircleCI. Sources: CircleCI docs, "Project values and variables"; reference 4.1."""

from __future__ import annotations

from chainloop_ci.contract.types import RunnerType
from chainloop_ci.deferred import deferred_pattern
from chainloop_ci.runners.types import CiIdentity, Env, EnvVar, HostFacts, Runner
from chainloop_ci.runners.values import commit, digits, identifier, link, number, origin, repository, text

_PULL_REQUEST_URL = deferred_pattern(r"/(?:pull|pull-requests|merge_requests)/([0-9]{1,9})/?\Z")


def _detect(facts: HostFacts) -> bool:
    # Not CI as well, which the reference asks for: a step's script may have unset it, and this one says more.
    return facts.env.get("CIRCLECI") == "true"


def _run_url(facts: HostFacts) -> str | None:
    return link(facts.env.get("CIRCLE_BUILD_URL"))


def _repository(env: Env) -> str | None:
    # Only some of the forges that CircleCI knows fill each of these.
    owner, name = text(env, "CIRCLE_PROJECT_USERNAME"), text(env, "CIRCLE_PROJECT_REPONAME")
    return repository(env.get("CIRCLE_REPOSITORY_URL")) or (f"{owner}/{name}" if owner and name else None)


def _job_index(env: Env) -> str | None:
    # Set for every job; it tells legs apart only where there are several.
    legs, index = number(env, "CIRCLE_NODE_TOTAL") or 1, digits(env.get("CIRCLE_NODE_INDEX"))
    return index if legs > 1 else None


def _pull_request(env: Env) -> str | None:
    # The number is told for forks alone; the address for all.
    match = _PULL_REQUEST_URL.search(env.get("CIRCLE_PULL_REQUEST", ""))
    return digits(env.get("CIRCLE_PR_NUMBER")) or (match[1] if match else None)


def _ci(facts: HostFacts) -> CiIdentity:
    env = facts.env
    return CiIdentity(
        provider="circleci",
        server_url=origin(env.get("CIRCLE_BUILD_URL")),
        repository=_repository(env),
        # CircleCI counts no attempts: what is run again is a new workflow with a new id.
        run_id=identifier(env, "CIRCLE_WORKFLOW_ID", "CIRCLE_BUILD_NUM"),
        job=text(env, "CIRCLE_JOB"),
        job_index=facts.job_index or _job_index(env),
        ref=text(env, "CIRCLE_TAG", "CIRCLE_BRANCH"),
        head_sha=commit(env.get("CIRCLE_SHA1")),
        pull_request=_pull_request(env),
    )


CIRCLECI_BUILD = Runner(
    type=RunnerType.CIRCLECI_BUILD,
    title="CircleCI build",
    detect=_detect,
    run_url=_run_url,
    ci=_ci,
    env_vars=(
        EnvVar("CIRCLE_BUILD_URL"),
        EnvVar("CIRCLE_JOB"),
        # A build of a tag has no branch.
        EnvVar("CIRCLE_BRANCH", required=False),
        EnvVar("CIRCLE_NODE_TOTAL"),
        EnvVar("CIRCLE_NODE_INDEX"),
    ),
)
"""The entry of CircleCI, its server edition included."""
