"""GitHub Actions. Sources: GitHub Docs, "Variables reference", "Events that trigger workflows"; reference 4.1, 15."""

from __future__ import annotations

from chainloop_ci.contract.types import RunnerType
from chainloop_ci.runners.commits import github_head, github_pull_request
from chainloop_ci.runners.types import CiIdentity, Env, EnvVar, HostFacts, Runner, WorkflowFiles
from chainloop_ci.runners.values import MAX_CHARACTERS, clean, identifier, link, number, origin, server, text

_PUBLIC = "https://github.com"
_API_PATH = "/api/v3"


def _detect(facts: HostFacts) -> bool:
    # Not CI as well, which the reference asks for: a step's script may have unset it, and these two say more.
    return all(facts.env.get(name) for name in ("GITHUB_REPOSITORY", "GITHUB_RUN_ID"))


def _server_url(env: Env) -> str:
    # Not always github.com: GitHub Enterprise Server sets its own address.
    return server(env.get("GITHUB_SERVER_URL")) or _server_of_api(env) or _PUBLIC


def _server_of_api(env: Env) -> str | None:
    """Return the server of an API: `https://HOST/api/v3` on an own server, `https://api.HOST` on GitHub's."""
    api = server(env.get("GITHUB_API_URL"))
    if api is None:
        return None
    if api.endswith(_API_PATH):
        return api.removesuffix(_API_PATH)
    scheme, _, host = (origin(api) or "").partition("://")
    return f"{scheme}://{host.removeprefix('api.')}"


def _run_url(facts: HostFacts) -> str | None:
    repository, run_id = text(facts.env, "GITHUB_REPOSITORY"), identifier(facts.env, "GITHUB_RUN_ID")
    if not repository or not run_id:
        return None
    return link(f"{_server_url(facts.env)}/{repository}/actions/runs/{run_id}")


def _ci(facts: HostFacts) -> CiIdentity:
    env = facts.env
    return CiIdentity(
        provider="github",
        server_url=_server_url(env),
        repository=text(env, "GITHUB_REPOSITORY"),
        run_id=identifier(env, "GITHUB_RUN_ID"),
        run_attempt=number(env, "GITHUB_RUN_ATTEMPT"),
        job=text(env, "GITHUB_JOB"),
        # No variable holds the matrix leg (`strategy.job-index`).
        job_index=facts.job_index,
        runner_name=text(env, "RUNNER_NAME"),
        event=identifier(env, "GITHUB_EVENT_NAME"),
        ref=text(env, "GITHUB_REF"),
        head_sha=github_head(facts),
        pull_request=github_pull_request(facts),
    )


def _environment(facts: HostFacts) -> str:
    return {"github-hosted": "managed", "self-hosted": "self-hosted"}.get(
        facts.env.get("RUNNER_ENVIRONMENT", ""), "unknown"
    )


def _workflow_files(facts: HostFacts) -> WorkflowFiles:
    """Return the caller's file, and that of a reusable workflow.

    GITHUB_WORKFLOW_REF is always the caller's; of the called file only the context knows (`job.workflow_ref`, "Contexts
    reference"), which the step hands over as an option.
    """
    begun, called = text(facts.env, "GITHUB_WORKFLOW_REF") or "", clean(facts.job_workflow, MAX_CHARACTERS) or ""
    path = begun.partition("@")[0].removeprefix(f"{facts.env.get('GITHUB_REPOSITORY')}/")
    return WorkflowFiles(path, called if called != begun else "")


GITHUB_ACTION = Runner(
    type=RunnerType.GITHUB_ACTION,
    title="Github action",
    detect=_detect,
    run_url=_run_url,
    ci=_ci,
    environment=_environment,
    workflow_files=_workflow_files,
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
