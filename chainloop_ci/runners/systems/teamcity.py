"""TeamCity. Sources: TeamCity docs, "List of Predefined Build Parameters"; reference 4.1."""

from __future__ import annotations

from chainloop_ci.contract.types import RunnerType
from chainloop_ci.deferred import deferred_pattern
from chainloop_ci.runners.types import CiIdentity, Env, EnvVar, HostFacts, Runner
from chainloop_ci.runners.values import commit, identifier, link, text

_BUILD_URL = deferred_pattern(
    r"(?P<server>https?://.+?)/(?:(?:buildConfiguration/[^/?#]+|build)/(?P<path>[0-9]{1,18})|viewLog\.html\?"
    r"(?:[^#]*&)?buildId=(?P<query>[0-9]{1,18}))(?:[/?#&].*)?"
)
"""The forms of a build's address: those of today and the one of servers before 2022."""


def _detect(facts: HostFacts) -> bool:
    # Not by TEAMCITY_VERSION: people set it themselves, so that their tools report in TeamCity's form.
    return bool(facts.env.get("TEAMCITY_PROJECT_NAME"))


def _run_url(facts: HostFacts) -> str | None:
    return link(facts.env.get("BUILD_URL"))


def _build(env: Env) -> tuple[str | None, str | None]:
    """Return the server's address and the build's id, which no variable holds by themselves."""
    match = _BUILD_URL.fullmatch(link(env.get("BUILD_URL")) or "")
    return (match["server"], match["path"] or match["query"]) if match else (None, None)


def _job(env: Env) -> str | None:
    return " / ".join(filter(None, (text(env, "TEAMCITY_PROJECT_NAME"), text(env, "TEAMCITY_BUILDCONF_NAME")))) or None


def _ci(facts: HostFacts) -> CiIdentity:
    server_url, build_id = _build(facts.env)
    return CiIdentity(
        provider="teamcity",
        server_url=server_url,
        # A build that is run again is a new build. Numbers are counted per configuration, ids over the whole server.
        run_id=build_id or identifier(facts.env, "BUILD_NUMBER"),
        job=_job(facts.env),
        job_index=facts.job_index,
        runner_name=text(facts.env, "AGENT_NAME"),
        # With several version control roots there is one variable per root, and none of them is the commit.
        head_sha=commit(facts.env.get("BUILD_VCS_NUMBER")),
    )


TEAMCITY_PIPELINE = Runner(
    type=RunnerType.TEAMCITY_PIPELINE,
    title="TeamCity pipeline",
    detect=_detect,
    run_url=_run_url,
    ci=_ci,
    env_vars=(
        # Servers before 2023.09 do not set it, and nothing but a link is made of it.
        EnvVar("BUILD_URL", required=False),
        EnvVar("TEAMCITY_PROJECT_NAME"),
        EnvVar("TEAMCITY_VERSION", required=False),
        EnvVar("BUILD_NUMBER", required=False),
        EnvVar("USER", required=False),
        EnvVar("TEAMCITY_GIT_VERSION", required=False),
        EnvVar("BUILD_VCS_NUMBER", required=False),
        EnvVar("HOME", required=False),
    ),
)
"""The entry of TeamCity."""
