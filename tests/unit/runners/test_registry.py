"""The registry: fixed order, enforcement, and what is taken from the environment."""

from __future__ import annotations

import pytest

from chainloop_ci.contract.types import RunnerType
from chainloop_ci.errors import (
    RunnerMismatchError,
    SecretVariableError,
    VariablesMissingError,
)
from chainloop_ci.runners.registry import (
    RUNNERS,
    ambiguous,
    discover,
    enforce,
    probe_paths,
    resolve_variables,
)
from chainloop_ci.runners.systems.generic import GENERIC
from chainloop_ci.runners.systems.github import GITHUB_ACTION
from chainloop_ci.runners.types import HostFacts
from tests.unit.runners.environments import SURROUNDINGS

GITHUB = {"GITHUB_REPOSITORY": "acme/api", "GITHUB_RUN_ID": "3411479373"}
GITLAB = {"GITLAB_CI": "true", "CI_JOB_URL": "https://gitlab.test/acme/api/-/jobs/9"}
JENKINS = {"BUILD_URL": "https://jenkins.test/job/api/7/", "JOB_NAME": "api"}


def test_generic_is_last():
    assert RUNNERS[-1] is GENERIC


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        (GITHUB, RunnerType.GITHUB_ACTION),
        (GITLAB, RunnerType.GITLAB_PIPELINE),
        (JENKINS, RunnerType.JENKINS_JOB),
        ({}, RunnerType.GENERIC),
    ],
)
def test_each_system_is_recognised_by_its_variables(env, expected):
    assert discover(HostFacts(env)).type is expected


def test_two_systems_at_once_give_the_first_of_the_fixed_order_and_name_the_other():
    facts = HostFacts({**JENKINS, **GITLAB, **GITHUB})

    assert discover(facts).type is RunnerType.GITHUB_ACTION
    assert ambiguous(facts) == (RunnerType.GITLAB_PIPELINE, RunnerType.JENKINS_JOB)


@pytest.mark.parametrize("env", [{}, GITHUB, JENKINS])
def test_one_system_or_none_is_not_ambiguous(env):
    assert ambiguous(HostFacts(env)) == ()


@pytest.mark.parametrize("required", [None, RunnerType.GENERIC, RunnerType.GITHUB_ACTION])
def test_the_discovered_runner_is_accepted(required):
    assert enforce(required, HostFacts(GITHUB)) is GITHUB_ACTION


def test_another_runner_than_the_contract_asks_for_is_refused_with_both_names():
    with pytest.raises(RunnerMismatchError) as caught:
        enforce(RunnerType.GITHUB_ACTION, HostFacts(JENKINS))

    assert (caught.value.required, caught.value.discovered) == ("GITHUB_ACTION", "JENKINS_JOB")
    assert "--dry-run" in str(caught.value.hint)


def test_a_mismatch_on_no_ci_system_says_so_in_words():
    with pytest.raises(
        RunnerMismatchError, match=r"runs on no CI system that is known here \(RUNNER_TYPE_UNSPECIFIED\)"
    ):
        enforce(RunnerType.GITHUB_ACTION, HostFacts({}))


def test_a_mismatch_in_an_ambiguous_environment_names_the_other_systems():
    with pytest.raises(RunnerMismatchError, match=r"runs on GITHUB_ACTION .*looks like JENKINS_JOB too"):
        enforce(RunnerType.JENKINS_JOB, HostFacts({**JENKINS, **GITHUB}))


@pytest.mark.parametrize("kind", [kind for kind in RunnerType if kind is not RunnerType.GENERIC])
def test_every_runner_type_that_a_contract_may_name_can_be_enforced(kind):
    around = SURROUNDINGS[kind]

    assert enforce(kind, around.facts).type is kind


def test_no_path_is_probed_twice():
    assert len(probe_paths()) == len(set(probe_paths()))


def test_all_missing_runner_variables_stand_in_one_error():
    with pytest.raises(VariablesMissingError) as caught:
        resolve_variables(GITHUB_ACTION, HostFacts({**GITHUB, "GITHUB_ACTOR": ""}), ())

    missing = [finding.path for finding in caught.value.findings]
    assert missing == ["GITHUB_ACTOR", "GITHUB_REPOSITORY_OWNER", "GITHUB_SHA", "RUNNER_OS"]
    assert "4 environment variables" in caught.value.message
    assert "where this is no Github action, unset GITHUB_REPOSITORY or GITHUB_RUN_ID" in (caught.value.hint or "")


def test_only_the_runners_own_variables_are_taken_and_empty_optional_ones_left_out():
    env = {
        **GITHUB,
        **{"GITHUB_ACTOR": "ana", "GITHUB_REPOSITORY_OWNER": "acme", "GITHUB_SHA": "a" * 40, "RUNNER_OS": "Linux"},
        **{"GITHUB_HEAD_REF": "", "HOME": "/home/ana", "GITHUB_TOKEN": "ghs_0123456789"},
    }

    found, _ = resolve_variables(GITHUB_ACTION, HostFacts(env), ())

    assert list(found) == [
        *("GITHUB_ACTOR", "GITHUB_REPOSITORY", "GITHUB_REPOSITORY_OWNER", "GITHUB_RUN_ID", "GITHUB_SHA", "RUNNER_OS")
    ]


def test_the_generic_runner_has_no_variables():
    assert resolve_variables(GENERIC, HostFacts({"HOME": "/home/ana"}), ()) == ({}, {})


def test_the_allow_list_is_resolved_in_its_order():
    env = {"B": "2", "A": "1", "C": "3"}

    _, found = resolve_variables(GENERIC, HostFacts(env), ("B", "A"))

    assert list(found.items()) == [("B", "2"), ("A", "1")]


def test_all_missing_names_of_the_allow_list_stand_in_one_error():
    with pytest.raises(VariablesMissingError) as caught:
        resolve_variables(GENERIC, HostFacts({"SET": "x", "TWO": ""}), ("ONE", "SET", "TWO"))

    assert [finding.path for finding in caught.value.findings] == ["ONE", "TWO"]


def test_missing_names_of_runner_and_contract_stand_in_one_error():
    with pytest.raises(VariablesMissingError) as caught:
        resolve_variables(GITHUB_ACTION, HostFacts({**GITHUB, "RUNNER_OS": "Linux"}), ("CUSTOM_VAR",))

    missing = [finding.path for finding in caught.value.findings]
    assert missing == ["GITHUB_ACTOR", "GITHUB_REPOSITORY_OWNER", "GITHUB_SHA", "CUSTOM_VAR"]


def test_variables_of_runner_and_contract_are_told_apart():
    own, listed = resolve_variables(GENERIC, HostFacts({"CUSTOM_VAR": "x"}), ("CUSTOM_VAR",))

    assert (own, listed) == ({}, {"CUSTOM_VAR": "x"})


def test_r24_names_of_secrets_are_refused_all_at_once_and_without_their_values():
    env = {"NPM_TOKEN": "npm_abcdefgh", "PATH": "/bin", "DB_PASSWORD": "correct horse"}

    with pytest.raises(SecretVariableError) as caught:
        resolve_variables(GENERIC, HostFacts(env), ("NPM_TOKEN", "PATH", "DB_PASSWORD", "CHAINLOOP_ANYTHING"))

    assert [finding.path for finding in caught.value.findings] == ["NPM_TOKEN", "DB_PASSWORD", "CHAINLOOP_ANYTHING"]
    text = f"{caught.value.message} {caught.value.hint} {caught.value.findings}"
    assert "npm_abcdefgh" not in text
    assert "correct horse" not in text


def test_r24_an_innocent_name_with_the_value_of_a_secret_is_refused_by_name():
    env = {"COPY": "npm_abcdefgh", "NPM_TOKEN": "npm_abcdefgh"}

    with pytest.raises(SecretVariableError) as caught:
        resolve_variables(GENERIC, HostFacts(env), ("COPY",))

    assert [finding.path for finding in caught.value.findings] == ["COPY"]
    assert "npm_abcdefgh" not in f"{caught.value.message} {caught.value.findings}"


def test_r24_a_short_value_that_a_setting_has_too_is_no_secret():
    env = {"DEBUG": "true", "CHAINLOOP_API_INSECURE": "true"}

    assert resolve_variables(GENERIC, HostFacts(env), ("DEBUG",)) == ({}, {"DEBUG": "true"})
