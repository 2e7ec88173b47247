"""What every entry of the registry must do: be recognised by little, and say what is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chainloop_ci.api.record import parse_request, to_dict
from chainloop_ci.api.runs import RunRequest
from chainloop_ci.contract.types import RunnerType
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import VariablesMissingError
from chainloop_ci.runners.registry import RUNNERS, ambiguous, discover, get_runner, resolve_variables
from chainloop_ci.runners.types import HostFacts
from tests.unit.runners.environments import SURROUNDINGS, dagger, github, gitlab, jenkins, sandbox, teamcity, tekton

ALL = [pytest.param(kind, around, id=kind.value) for kind, around in SURROUNDINGS.items()]
DETECTION = [
    pytest.param(kind, around, group, id=f"{kind.value}-{'+'.join(group)}")
    for kind, around in SURROUNDINGS.items()
    for group in around.detection
]
REQUIRED = [
    pytest.param(kind, around, name, id=f"{kind.value}-{name}")
    for kind, around in SURROUNDINGS.items()
    for name in around.required
]


def test_every_runner_type_has_exactly_one_entry_and_one_environment_here():
    assert sorted(runner.type for runner in RUNNERS) == sorted(RunnerType)
    assert set(SURROUNDINGS) == set(RunnerType)
    assert all(get_runner(kind).type is kind for kind in RunnerType)


@pytest.mark.parametrize(("kind", "around"), ALL)
def test_a_job_is_recognised_and_nothing_else_looks_like_it(kind, around):
    assert discover(around.facts).type is kind
    assert ambiguous(around.facts) == ()


@pytest.mark.parametrize(("kind", "around", "group"), DETECTION)
@pytest.mark.parametrize("empty", ["", None])
def test_without_what_it_is_recognised_by_it_is_not(kind, around, group, empty):
    facts = around.change(**dict.fromkeys(group, empty))

    assert discover(facts).type is not kind


def test_tekton_is_recognised_by_its_folder_alone():
    around = tekton()

    assert discover(HostFacts({}, existing_paths=frozenset(around.detection_paths))).type is RunnerType.TEKTON_PIPELINE
    assert discover(replace(around.facts, existing_paths=frozenset())).type is RunnerType.GENERIC


@pytest.mark.parametrize(("kind", "around"), ALL)
def test_a_job_has_all_that_is_required(kind, around):
    runner = get_runner(kind)

    found, _ = resolve_variables(runner, around.facts, ())

    assert {variable.name for variable in runner.env_vars if variable.required} <= set(found)


@pytest.mark.parametrize(("kind", "around", "name"), REQUIRED)
@pytest.mark.parametrize("empty", ["", None])
def test_a_required_variable_that_is_missing_is_named(kind, around, name, empty):
    facts = around.change(**{name: empty})

    with pytest.raises(VariablesMissingError) as caught:
        resolve_variables(get_runner(kind), facts, ())

    assert discover(facts).type is kind
    assert [finding.path for finding in caught.value.findings] == [name]
    assert caught.value.hint


@pytest.mark.parametrize(("kind", "around"), ALL)
def test_all_required_variables_that_are_missing_stand_in_one_error_in_the_order_of_the_entry(kind, around):
    runner = get_runner(kind)
    required = [variable.name for variable in runner.env_vars if variable.required]
    if not required:
        assert kind in (RunnerType.GENERIC, RunnerType.CHAINLOOP_SANDBOX)
        return

    with pytest.raises(VariablesMissingError) as caught:
        resolve_variables(runner, HostFacts({}), ())

    assert [finding.path for finding in caught.value.findings] == required


@pytest.mark.parametrize(("kind", "around"), ALL)
def test_what_the_job_says_has_the_form_that_the_control_plane_asks_for(kind, around):
    runner = get_runner(kind)
    request = RunRequest(
        workflow_id="5f0c2f6e-2f0b-4c56-9a0e-6f1f3c0e7a11",
        contract_revision=1,
        contract_digest=sha256_digest(b"contract"),
        runner_type=kind,
        handle_sha256="0" * 64,
        ci=runner.ci(around.facts),
        runner_url=runner.run_url(around.facts) or "",
        runner_environment=runner.environment(around.facts),
    )

    assert parse_request(RunRequest, to_dict(request)) == request


@pytest.mark.parametrize(("kind", "around"), ALL)
@pytest.mark.parametrize("junk", ["$(Some.Variable)", "a\nb", "\x1b[31m", "x" * 5000, "javascript:alert(1)", "\udc80"])
def test_junk_in_every_variable_never_stops_a_job_and_breaks_no_rule_of_the_wire(kind, around, junk):
    runner = get_runner(kind)
    facts = replace(around.facts, env=dict.fromkeys(around.facts.env, junk))

    ci = runner.ci(facts)
    request = RunRequest(
        "5f0c2f6e-2f0b-4c56-9a0e-6f1f3c0e7a11",
        1,
        sha256_digest(b"contract"),
        kind,
        "0" * 64,
        ci,
        runner_url=runner.run_url(facts) or "",
    )

    assert parse_request(RunRequest, to_dict(request)).ci == ci


@pytest.mark.parametrize(("kind", "around"), ALL)
def test_no_secret_of_an_address_is_recorded(kind, around):
    variables, _ = resolve_variables(get_runner(kind), around.facts, ())
    ci = get_runner(kind).ci(around.facts)

    assert "s3cret" not in repr((variables, ci))
    assert all("@" not in value for name, value in variables.items() if name.endswith(("_URI", "_URL")))


@pytest.mark.parametrize(("kind", "around"), ALL)
def test_the_matrix_leg_that_the_pipeline_tells_is_recorded_on_every_system(kind, around):
    ci = get_runner(kind).ci(replace(around.facts, job_index="3"))

    assert ci.job_index == (None if kind is RunnerType.GENERIC else "3")


# --- one system in a job of another -----------------------------------------------------------------------------------


def merged(*arounds):
    """Return the facts of jobs inside one another."""
    env, paths = {}, frozenset()
    for around in arounds:
        env |= around.facts.env
        paths |= around.facts.existing_paths
    return HostFacts(env, existing_paths=paths)


@pytest.mark.parametrize(
    ("outer", "inner", "wins", "also"),
    [
        (github(), dagger(), RunnerType.DAGGER_PIPELINE, (RunnerType.GITHUB_ACTION,)),
        (gitlab(), dagger(), RunnerType.DAGGER_PIPELINE, (RunnerType.GITLAB_PIPELINE,)),
        (jenkins(), dagger(), RunnerType.DAGGER_PIPELINE, (RunnerType.JENKINS_JOB,)),
        (tekton(), dagger(), RunnerType.DAGGER_PIPELINE, (RunnerType.TEKTON_PIPELINE,)),
        (github(), sandbox(), RunnerType.CHAINLOOP_SANDBOX, (RunnerType.GITHUB_ACTION,)),
        (dagger(), sandbox(), RunnerType.CHAINLOOP_SANDBOX, (RunnerType.DAGGER_PIPELINE,)),
        (github(), tekton(), RunnerType.TEKTON_PIPELINE, (RunnerType.GITHUB_ACTION,)),
        (jenkins(), github(), RunnerType.GITHUB_ACTION, (RunnerType.JENKINS_JOB,)),
        (jenkins(), gitlab(), RunnerType.GITLAB_PIPELINE, (RunnerType.JENKINS_JOB,)),
        (jenkins(), teamcity(), RunnerType.TEAMCITY_PIPELINE, (RunnerType.JENKINS_JOB,)),
    ],
)
def test_of_several_systems_the_first_of_the_fixed_order_counts_and_the_others_are_named(outer, inner, wins, also):
    facts = merged(outer, inner)

    assert discover(facts).type is wins
    assert ambiguous(facts) == also


def test_a_teamcity_build_is_no_jenkins_job_though_both_have_a_build_url():
    assert discover(teamcity().facts).type is RunnerType.TEAMCITY_PIPELINE
    assert discover(teamcity().change(TEAMCITY_PROJECT_NAME=None)).type is RunnerType.GENERIC
