"""Registry 2: the CI systems, in the order in which they are tried, and what a contract may ask of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from chainloop_ci.contract.secret_names import check_variables, secret_values
from chainloop_ci.contract.types import RunnerType
from chainloop_ci.errors import (
    Finding,
    RunnerMismatchError,
    SecretVariableError,
    VariablesMissingError,
)
from chainloop_ci.runners.repository_url import without_credentials
from chainloop_ci.runners.systems.azure import AZURE_PIPELINE
from chainloop_ci.runners.systems.circleci import CIRCLECI_BUILD
from chainloop_ci.runners.systems.dagger import DAGGER_PIPELINE
from chainloop_ci.runners.systems.generic import GENERIC
from chainloop_ci.runners.systems.github import GITHUB_ACTION
from chainloop_ci.runners.systems.gitlab import GITLAB_PIPELINE
from chainloop_ci.runners.systems.jenkins import JENKINS_JOB
from chainloop_ci.runners.systems.sandbox import CHAINLOOP_SANDBOX
from chainloop_ci.runners.systems.teamcity import TEAMCITY_PIPELINE
from chainloop_ci.runners.systems.tekton import TEKTON_PIPELINE
from chainloop_ci.runners.types import Env, EnvVar, HostFacts, Runner

RUNNERS: tuple[Runner, ...] = (
    CHAINLOOP_SANDBOX,
    DAGGER_PIPELINE,
    TEKTON_PIPELINE,
    GITHUB_ACTION,
    GITLAB_PIPELINE,
    AZURE_PIPELINE,
    CIRCLECI_BUILD,
    TEAMCITY_PIPELINE,
    JENKINS_JOB,
    GENERIC,
)
"""The first match wins. A system that runs inside another one's job stands before it: the sandbox and Dagger are begun
by such a job, and a Tekton step may be handed the variables of the forge that started it. Jenkins is recognised by the
plainest names and stands behind the other hosts; GENERIC matches everything and stays last."""


def discover(facts: HostFacts) -> Runner:
    """Return the runner that this job runs on."""
    return next(runner for runner in RUNNERS if runner.detect(facts))


def ambiguous(facts: HostFacts) -> tuple[RunnerType, ...]:
    """Return the types that match besides the discovered one; worth a notice when there are any."""
    matches = [runner.type for runner in RUNNERS if runner.detect(facts)]
    return tuple(match for match in matches[1:] if match is not RunnerType.GENERIC)


def get_runner(kind: RunnerType) -> Runner:
    """Return the entry of `kind`; every type has one."""
    return next(runner for runner in RUNNERS if runner.type is kind)


def enforce(required: RunnerType | None, facts: HostFacts) -> Runner:
    """Return the discovered runner; a contract without one (None or `GENERIC`) accepts any.

    Raises:
        RunnerMismatchError: `required` names another runner type.
    """
    discovered = discover(facts)
    if required in (None, RunnerType.GENERIC, discovered.type):
        return discovered
    raise RunnerMismatchError(required, discovered.type, ambiguous(facts))


def probe_paths() -> tuple[str, ...]:
    """Return every path whose existence some entry asks for, in order, each once."""
    return tuple(dict.fromkeys(path for runner in RUNNERS for path in runner.probe_paths))


def resolve_variables(
    runner: Runner, facts: HostFacts, allow_list: Sequence[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the runner's own variables that are set, and those of the allow list, each in the order of its list.

    Raises:
        SecretVariableError: with every name of the allow list that may hold a secret, and every one whose value is a
            secret's (R24).
        VariablesMissingError: with every missing name of both.
    """
    _require_no_secrets(allow_list, facts.env)
    own = {**runner.derived(facts), **{name: value for name, value in facts.env.items() if value}}
    of_runner = _missing_of_runner(runner, own)
    _require_none(
        of_runner, _missing_of_contract(allow_list, facts.env), _elsewhere(runner, facts) if of_runner else ""
    )
    return _runner_values(runner, own), {name: facts.env[name] for name in allow_list}


def resolve_awaited(env: Env, names: Iterable[str]) -> dict[str, str]:
    """Return those of the variables that are set and hold no secret: one day a contract will ask for them (R38)."""
    secrets = secret_values(env)
    known = {name: env[name] for name in dict.fromkeys(names) if env.get(name)}
    refused = {finding.path for finding in check_variables(known, secrets)}
    return {name: value for name, value in known.items() if name not in refused}


def _runner_values(runner: Runner, env: Env) -> dict[str, str]:
    return {variable.name: _recorded(variable, env) for variable in runner.env_vars if env.get(variable.name)}


def _recorded(variable: EnvVar, env: Env) -> str:
    value = env[variable.name]
    return without_credentials(value) if variable.address else value


def _missing_of_runner(runner: Runner, env: Env) -> list[Finding]:
    reason = f"every {runner.title} has it"
    return [
        _missing_finding(variable.name, reason, variable.remedy)
        for variable in runner.env_vars
        if variable.required and not env.get(variable.name)
    ]


def _missing_of_contract(allow_list: Iterable[str], env: Env) -> list[Finding]:
    reason = "the contract's envAllowList asks for it"
    return [_missing_finding(name, reason, "") for name in dict.fromkeys(allow_list) if not env.get(name)]


def _elsewhere(runner: Runner, facts: HostFacts) -> str:
    """Return what to unset where the job is not on that system at all: each name alone undoes its recognition."""
    names = [
        name
        for name in facts.env
        if not runner.detect(replace(facts, env={key: value for key, value in facts.env.items() if key != name}))
    ]
    return f"where this is no {runner.title}, unset {' or '.join(sorted(names))}, which it looks like" if names else ""


def _require_none(of_runner: Sequence[Finding], of_contract: Sequence[Finding], elsewhere: str) -> None:
    findings = [*of_runner, *of_contract]
    if not findings:
        return
    remedies = dict.fromkeys(finding.hint for finding in findings if finding.hint)
    raise VariablesMissingError(
        # With several, each is named by its finding.
        findings[0].message
        if len(findings) == 1
        else f"{len(findings)} environment variables that must be set are empty",
        hint="; ".join(filter(None, ("set them in the environment of this step", *remedies, elsewhere))),
        findings=findings,
    )


def _missing_finding(name: str, reason: str, remedy: str) -> Finding:
    return Finding(
        "missing-variable", f"environment variable {name} is empty; {reason}", path=name, hint=remedy or None
    )


def _require_no_secrets(names: Sequence[str], env: Env) -> None:
    findings = check_variables({name: env.get(name, "") for name in names}, secret_values(env))
    if findings:
        raise SecretVariableError(
            "the contract's envAllowList names variables that hold secrets: "
            + ", ".join(str(finding.path) for finding in findings),
            hint="an attestation is read by others: take these names out of envAllowList",
            findings=findings,
        )
