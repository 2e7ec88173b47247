"""Registry 2: the CI systems, in the order in which they are tried, and what a contract may ask of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chainloop_ci.contract.secret_names import check_variables, secret_values
from chainloop_ci.contract.types import RunnerType
from chainloop_ci.errors import (
    ContractUnsupportedError,
    Finding,
    RunnerMismatchError,
    SecretVariableError,
    VariablesMissingError,
)
from chainloop_ci.runners.systems.generic import GENERIC
from chainloop_ci.runners.systems.github import GITHUB_ACTION
from chainloop_ci.runners.systems.gitlab import GITLAB_PIPELINE
from chainloop_ci.runners.systems.jenkins import JENKINS_JOB
from chainloop_ci.runners.types import Env, HostFacts, Runner

RUNNERS: tuple[Runner, ...] = (GITHUB_ACTION, GITLAB_PIPELINE, JENKINS_JOB, GENERIC)
"""The first match wins. A system that runs inside another one's job stands before it; GENERIC matches everything and
stays last."""


def discover(facts: HostFacts) -> Runner:
    """Return the runner that this job runs on."""
    return next(runner for runner in RUNNERS if runner.detect(facts))


def ambiguous(facts: HostFacts) -> tuple[RunnerType, ...]:
    """Return the types that match besides the discovered one; worth a notice when there are any."""
    matches = [runner.type for runner in RUNNERS if runner.detect(facts)]
    return tuple(match for match in matches[1:] if match is not RunnerType.GENERIC)


def find_runner(kind: RunnerType) -> Runner | None:
    """Return the entry of `kind`; None when this version has none."""
    return next((runner for runner in RUNNERS if runner.type is kind), None)


def enforce(required: RunnerType | None, facts: HostFacts) -> Runner:
    """Return the discovered runner; a contract without one (None or `GENERIC`) accepts any.

    Raises:
        RunnerMismatchError: `required` names another runner type.
        ContractUnsupportedError: this version cannot recognise the runner type that `required` names.
    """
    discovered = discover(facts)
    if required in (None, RunnerType.GENERIC, discovered.type):
        return discovered
    if find_runner(required) is None:
        known = ", ".join(runner.type for runner in RUNNERS if runner is not GENERIC)
        raise ContractUnsupportedError(
            f"the contract requires runner {required}, which this version does not recognise (it knows {known})",
            hint="update chainloop, or ask for a contract revision with one of these runners or with none",
        )
    raise RunnerMismatchError(required, discovered.type)


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
    _require_none(_missing_runner_names(runner, facts.env), _missing(allow_list, facts.env), runner)
    return _runner_values(runner, facts.env), {name: facts.env[name] for name in allow_list}


def _runner_values(runner: Runner, env: Env) -> dict[str, str]:
    return {variable.name: env[variable.name] for variable in runner.env_vars if env.get(variable.name)}


def _missing(names: Iterable[str], env: Env) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if not env.get(name)))


def _missing_runner_names(runner: Runner, env: Env) -> tuple[str, ...]:
    return _missing((variable.name for variable in runner.env_vars if variable.required), env)


def _require_none(of_runner: Sequence[str], of_contract: Sequence[str], runner: Runner) -> None:
    findings = [_missing_finding(name, f"every {runner.title} sets it") for name in of_runner]
    findings += [_missing_finding(name, "the contract's envAllowList asks for it") for name in of_contract]
    if not findings:
        return
    names = dict.fromkeys(finding.path for finding in findings)
    raise VariablesMissingError(
        f"environment variables that must be set are empty: {', '.join(map(str, names))}",
        hint="set them in the environment of this step",
        findings=findings,
    )


def _missing_finding(name: str, reason: str) -> Finding:
    return Finding("missing-variable", f"environment variable {name} is empty; {reason}", path=name)


def _require_no_secrets(names: Sequence[str], env: Env) -> None:
    findings = check_variables({name: env.get(name, "") for name in names}, secret_values(env))
    if findings:
        raise SecretVariableError(
            "the contract's envAllowList names variables that hold secrets: "
            + ", ".join(str(finding.path) for finding in findings),
            hint="an attestation is read by others: take these names out of envAllowList",
            findings=findings,
        )
