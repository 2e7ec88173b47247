"""Tekton. Sources: Tekton docs, "Labels and Annotations" and "Tasks"; Pipelines as Code; reference 4.1.

Tekton sets no variables. What is known of a step comes from Kubernetes: the pod's name (HOSTNAME), its namespace and,
where the service account may read the pod, its labels. A task may say the same by variables of the names below, with
`$(context.taskRun.name)` and its like: that needs no rights and comes first.
"""

from __future__ import annotations

from collections.abc import Mapping

from chainloop_ci.contract.types import RunnerType
from chainloop_ci.deferred import deferred_pattern
from chainloop_ci.runners.types import CiIdentity, Env, EnvVar, HostFacts, Runner
from chainloop_ci.runners.values import clean, commit, digits, identifier, link, server

RESULTS_FOLDER = "/tekton/results"
"""Tekton mounts it into every step (`pipeline.DefaultResultPath`)."""

_POD_NAME = deferred_pattern(r"(?P<task_run>.+?)-pod(?:-retry(?P<retry>[0-9]{1,6}))?")
_LABELS = {
    "TEKTON_TASKRUN_NAME": "tekton.dev/taskRun",
    "TEKTON_TASK_NAME": "tekton.dev/task",
    "TEKTON_PIPELINE_NAME": "tekton.dev/pipeline",
    "TEKTON_PIPELINERUN_NAME": "tekton.dev/pipelineRun",
    "TEKTON_PIPELINE_TASK_NAME": "tekton.dev/pipelineTask",
}
_OWN_WORD = (
    "TEKTON_TASKRUN_NAME",
    "TEKTON_PIPELINERUN_NAME",
    "TEKTON_NAMESPACE",
    "TEKTON_DASHBOARD_URL",
    "HOSTNAME",
)
_FORGE = "pipelinesascode.tekton.dev/"
_CLOUD_VARIABLES = ("GOOGLE_CLOUD_PROJECT", "AWS_WEB_IDENTITY_TOKEN_FILE", "AZURE_FEDERATED_TOKEN_FILE")


def _detect(facts: HostFacts) -> bool:
    return RESULTS_FOLDER in facts.existing_paths


def _derived(facts: HostFacts) -> Env:
    """Return what Kubernetes says, as variables; a pod's name starts with its task run's, unless that was too long."""
    labels = facts.pod.labels
    match = _POD_NAME.fullmatch(facts.env.get("HOSTNAME", ""))
    found = {
        "TEKTON_TASKRUN_NAME": match["task_run"] if match else "",
        "TEKTON_NAMESPACE": facts.pod.namespace,
        **{name: labels[label] for name, label in _LABELS.items() if labels.get(label)},
    }
    return {name: value for name, value in found.items() if value}


def _known(facts: HostFacts) -> Env:
    return {**_derived(facts), **{name: value for name in _OWN_WORD if (value := facts.env.get(name))}}


def _run(known: Env) -> tuple[str, str] | None:
    """Return the kind and the name of the run: the pipeline's, or the task's where no pipeline is known."""
    for kind, name in (("pipelineruns", "TEKTON_PIPELINERUN_NAME"), ("taskruns", "TEKTON_TASKRUN_NAME")):
        if found := identifier(known, name):
            return kind, found
    return None


def _run_url(facts: HostFacts) -> str | None:
    # Without a dashboard there is nothing that a browser could open, and what is no http(s) address is no link (T43).
    known = _known(facts)
    run, namespace = _run(known), identifier(known, "TEKTON_NAMESPACE")
    dashboard = server(known.get("TEKTON_DASHBOARD_URL"))
    if not (dashboard and namespace and run):
        return None
    return link(f"{dashboard}/#/namespaces/{namespace}/{run[0]}/{run[1]}")


def _run_id(known: Env) -> str | None:
    run, namespace = _run(known), identifier(known, "TEKTON_NAMESPACE")
    return "/".join(filter(None, (namespace, run[1]))) if run else None


def _attempt(env: Env) -> int | None:
    match = _POD_NAME.fullmatch(env.get("HOSTNAME", ""))
    return int(match["retry"] or 0) + 1 if match else None


def _repository(labels: Mapping[str, str]) -> str | None:
    owner, name = (clean(labels.get(_FORGE + part), 63) for part in ("url-org", "url-repository"))
    return f"{owner}/{name}" if owner and name else None


def _ci(facts: HostFacts) -> CiIdentity:
    known, labels = _known(facts), facts.pod.labels
    return CiIdentity(
        provider="tekton",
        server_url=server(known.get("TEKTON_DASHBOARD_URL")),
        repository=_repository(labels),
        run_id=_run_id(known),
        run_attempt=_attempt(facts.env),
        # A leg of a matrix is a task run of its own.
        job=identifier(known, "TEKTON_TASKRUN_NAME"),
        job_index=facts.job_index,
        runner_name=identifier(known, "HOSTNAME"),
        event=clean(labels.get(_FORGE + "event-type"), 63),
        ref=clean(labels.get(_FORGE + "branch"), 63),
        head_sha=commit(labels.get(_FORGE + "sha")),
        pull_request=digits(labels.get(_FORGE + "pull-request")),
    )


def _environment(facts: HostFacts) -> str:
    if any(facts.env.get(name) for name in _CLOUD_VARIABLES):
        return "managed"
    return "self-hosted" if facts.env.get("KUBERNETES_SERVICE_HOST") else "unknown"


TEKTON_PIPELINE = Runner(
    type=RunnerType.TEKTON_PIPELINE,
    title="Tekton pipeline",
    detect=_detect,
    run_url=_run_url,
    ci=_ci,
    environment=_environment,
    env_vars=(
        EnvVar(
            "TEKTON_TASKRUN_NAME",
            remedy="set TEKTON_TASKRUN_NAME to $(context.taskRun.name) in the step's env, or let the task's service "
            "account get pods",
        ),
        EnvVar(
            "TEKTON_NAMESPACE",
            remedy="set TEKTON_NAMESPACE to $(context.taskRun.namespace) in the step's env, or mount the service "
            "account's token",
        ),
        EnvVar("HOSTNAME", required=False),
        EnvVar("TEKTON_TASK_NAME", required=False),
        EnvVar("TEKTON_PIPELINE_NAME", required=False),
        EnvVar("TEKTON_PIPELINERUN_NAME", required=False),
        EnvVar("TEKTON_PIPELINE_TASK_NAME", required=False),
    ),
    derived=_derived,
    probe_paths=(RESULTS_FOLDER,),
    asks_pod=True,
)
"""The entry of Tekton Pipelines, Pipelines as Code included."""
