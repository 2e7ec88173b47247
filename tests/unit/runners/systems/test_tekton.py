"""Tekton: what Kubernetes says, or the task itself. The facts stand in `environments.tekton`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chainloop_ci.errors import VariablesMissingError
from chainloop_ci.runners.registry import resolve_variables
from chainloop_ci.runners.systems.tekton import TEKTON_PIPELINE
from chainloop_ci.runners.types import CiIdentity, HostFacts, Pod
from tests.unit.runners.environments import HEAD, tekton

TASK_RUN = {"tekton.dev/taskRun": "build-1", "tekton.dev/task": "build"}
CONTEXT = {
    "TEKTON_NAMESPACE": "ci",
    "TEKTON_PIPELINERUN_NAME": "api-run-1",
    "TEKTON_TASKRUN_NAME": "api-run-1-build",
}


def at(env, **pod) -> HostFacts:
    return HostFacts(env, existing_paths=frozenset({"/tekton/results"}), pod=Pod(**pod))


def test_the_identity_of_a_task_of_a_pipeline():
    assert TEKTON_PIPELINE.ci(tekton().facts) == CiIdentity(
        provider="tekton",
        server_url="https://tekton.test",
        repository="acme/api",
        run_id="ci/api-run-x7k2p",
        run_attempt=1,
        job="api-run-x7k2p-build",
        runner_name="api-run-x7k2p-build-pod",
        event="push",
        head_sha=HEAD,
    )


def test_a_pull_request_of_pipelines_as_code():
    labels = {
        **tekton().facts.pod.labels,
        "pipelinesascode.tekton.dev/event-type": "pull_request",
        "pipelinesascode.tekton.dev/pull-request": "17",
        "pipelinesascode.tekton.dev/branch": "feature",
    }

    found = TEKTON_PIPELINE.ci(replace(tekton().facts, pod=Pod("ci", labels)))

    assert (found.event, found.pull_request, found.ref, found.head_sha) == ("pull_request", "17", "feature", HEAD)


@pytest.mark.parametrize(
    ("hostname", "job", "attempt"),
    [
        ("build-1-pod", "build-1", 1),
        ("build-1-pod-retry1", "build-1", 2),
        ("build-1-pod-retry12", "build-1", 13),
        ("a-pod-pod", "a-pod", 1),
        ("abc123def456", None, None),
        ("", None, None),
    ],
)
def test_a_pods_name_tells_the_task_run_and_which_try_it_is(hostname, job, attempt):
    found = TEKTON_PIPELINE.ci(at({"HOSTNAME": hostname}, namespace="ci"))

    assert (found.job, found.run_attempt) == (job, attempt)


@pytest.mark.parametrize(
    ("facts", "run_id", "path"),
    [
        (at({}, namespace="ci", labels={**TASK_RUN, "tekton.dev/pipelineRun": "p-1"}), "ci/p-1", "pipelineruns/p-1"),
        (at({}, namespace="ci", labels=TASK_RUN), "ci/build-1", "taskruns/build-1"),
        (at({"HOSTNAME": "build-1-pod"}, namespace="ci"), "ci/build-1", "taskruns/build-1"),
        (at(CONTEXT), "ci/api-run-1", "pipelineruns/api-run-1"),
        (at(CONTEXT, namespace="other", labels=TASK_RUN), "ci/api-run-1", "pipelineruns/api-run-1"),
    ],
    ids=["labels", "task-run", "pod-name", "variables", "variables-first"],
)
def test_the_run_is_the_pipelines_or_else_the_tasks(facts, run_id, path):
    shown = replace(facts, env={**facts.env, "TEKTON_DASHBOARD_URL": "https://tekton.test/"})

    assert TEKTON_PIPELINE.ci(facts).run_id == run_id
    assert TEKTON_PIPELINE.run_url(shown) == f"https://tekton.test/#/namespaces/ci/{path}"


def test_without_a_dashboard_there_is_no_link():
    assert TEKTON_PIPELINE.run_url(tekton().change(TEKTON_DASHBOARD_URL=None)) is None


def test_what_kubernetes_says_is_recorded_under_the_names_of_variables():
    found, _ = resolve_variables(TEKTON_PIPELINE, tekton().facts, ())

    assert found == {
        "TEKTON_TASKRUN_NAME": "api-run-x7k2p-build",
        "TEKTON_NAMESPACE": "ci",
        "HOSTNAME": "api-run-x7k2p-build-pod",
        "TEKTON_TASK_NAME": "build-image",
        "TEKTON_PIPELINE_NAME": "api",
        "TEKTON_PIPELINERUN_NAME": "api-run-x7k2p",
        "TEKTON_PIPELINE_TASK_NAME": "build",
    }


@pytest.mark.parametrize(
    ("facts", "missing"),
    [
        (at({"HOSTNAME": "abc123"}), ["TEKTON_TASKRUN_NAME", "TEKTON_NAMESPACE"]),
        (at({"HOSTNAME": "build-1-pod"}), ["TEKTON_NAMESPACE"]),
        (at({"HOSTNAME": "abc123"}, namespace="ci"), ["TEKTON_TASKRUN_NAME"]),
    ],
)
def test_what_nobody_says_is_named_with_the_line_to_write(facts, missing):
    with pytest.raises(VariablesMissingError) as caught:
        resolve_variables(TEKTON_PIPELINE, facts, ())

    assert [finding.path for finding in caught.value.findings] == missing
    assert all(f"set {name} to $(context." in str(caught.value.hint) for name in missing)


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "GOOGLE_CLOUD_PROJECT": "acme"}, "managed"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}, "managed"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "AZURE_FEDERATED_TOKEN_FILE": "/token"}, "managed"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "self-hosted"),
        ({}, "unknown"),
    ],
)
def test_the_environment_is_read_from_the_clouds_own_variables(env, expected):
    assert TEKTON_PIPELINE.environment(at(env)) == expected
