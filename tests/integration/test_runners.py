"""A real command line against a real control plane, under the environment of each CI system."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from chainloop_ci.api.record import from_dict, to_dict
from chainloop_ci.contract.types import RunnerType
from chainloop_ci.runners.registry import get_runner
from chainloop_ci.runners.types import CiIdentity
from tests.integration.cluster import Cluster
from tests.integration.live import Answer, CommandLine, Job, Tenant, Within
from tests.unit.runners.environments import HEAD, MERGE, SURROUNDINGS

STEP = Path(__file__).with_name("tekton_step.sh")
CONTRACT = """\
apiVersion: chainloop.dev/v1
kind: Contract
metadata:
  name: build
spec:
  materials:
    - name: version
      type: STRING
"""
SYSTEMS = [kind for kind in RunnerType if kind is not RunnerType.TEKTON_PIPELINE]


def contract_for(kind: RunnerType) -> str:
    return CONTRACT if kind is RunnerType.GENERIC else f"{CONTRACT}  runner:\n    type: {kind.value}\n"


def place(job: Job, env: Mapping[str, str]) -> CommandLine:
    """Return the job's command line inside a CI job with these variables."""
    return replace(job.chainloop, env={**env, **job.chainloop.env})


def write_event(folder: Path, event: Mapping[str, object]) -> str:
    path = folder / "event.json"
    path.write_text(json.dumps(event))
    return str(path)


def attest(chainloop: CommandLine) -> None:
    for words in (("init",), ("add", "--name", "version", "--value", "1.0.0"), ("push", "--bundle", "bundle.json")):
        answer = chainloop("attestation", *words)
        assert answer.status == 0, (words, answer)


def read_back(job: Job) -> dict[str, Any]:
    (listed,) = job.runs()
    detail = job.tenant.call("GET", f"/workflow-runs/{listed['id']}")
    run: dict[str, Any] = detail["run"]
    assert {**listed, "refusals": 0} == {**run, "refusals": 0}
    assert (run["state"], detail["verified"]) == ("success", True)
    return run


@pytest.mark.parametrize("kind", SYSTEMS)
def test_what_a_ci_system_says_of_its_job_is_read_back_from_the_api(tenant: Tenant, kind: RunnerType) -> None:
    around, runner = SURROUNDINGS[kind], get_runner(kind)
    job = tenant.job(contract_for(kind))
    env = dict(around.facts.env)
    if "GITHUB_EVENT_PATH" in env:
        env["GITHUB_EVENT_PATH"] = write_event(tenant.folder, around.facts.event)

    attest(place(job, env))

    run = read_back(job)
    assert run["runnerType"] == kind.value
    assert from_dict(CiIdentity, run["ci"]) == runner.ci(around.facts)
    assert run["runnerUrl"] == (runner.run_url(around.facts) or "")
    assert run["runnerEnvironment"] == runner.environment(around.facts)


def test_the_job_is_shown_by_describe_as_it_was_told(tenant: Tenant) -> None:
    job = tenant.job(contract_for(RunnerType.AZURE_PIPELINE))
    attest(place(job, SURROUNDINGS[RunnerType.AZURE_PIPELINE].facts.env))
    (run,) = job.runs()

    answer = job.reader()("workflow", "run", "describe", "--id", run["id"])

    assert answer.status == 0, answer
    for text in (
        "AZURE_PIPELINE (claimed)",
        "azure",
        "build/compile",
        "Azure Pipelines 4",
        "IndividualCI",
        "refs/heads/main",
        HEAD,
    ):
        assert text in answer.stdout


def test_r31_a_pull_request_is_attested_by_its_head_and_never_by_the_test_merge(tenant: Tenant) -> None:
    job = tenant.job(contract_for(RunnerType.GITHUB_ACTION))
    event = {"pull_request": {"number": 17, "head": {"sha": HEAD}}}
    changes = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/17/merge", "GITHUB_SHA": MERGE}
    env = {**SURROUNDINGS[RunnerType.GITHUB_ACTION].facts.env, **changes}

    attest(place(job, {**env, "GITHUB_EVENT_PATH": write_event(tenant.folder, event)}))

    ci = read_back(job)["ci"]
    assert (ci["headSha"], ci["pullRequest"]) == (HEAD, "17")
    listed = job.tenant.call("GET", f"/workflow-runs?commit={HEAD}")["items"]
    assert [run["id"] for run in listed] == [run["id"] for run in job.runs()]


def test_a_re_run_and_a_matrix_leg_are_told_apart_in_the_record(tenant: Tenant) -> None:
    job = tenant.job(contract_for(RunnerType.GITHUB_ACTION))
    env = SURROUNDINGS[RunnerType.GITHUB_ACTION].facts.env

    attest(place(job, {**env, "GITHUB_RUN_ATTEMPT": "2", "CHAINLOOP_JOB_INDEX": "3"}))

    ci = read_back(job)["ci"]
    assert (ci["runAttempt"], ci["jobIndex"]) == (2, "3")


def test_both_files_of_a_reusable_workflow_are_in_the_statement_and_shown(tenant: Tenant) -> None:
    around = SURROUNDINGS[RunnerType.GITHUB_ACTION]
    job = tenant.job(contract_for(RunnerType.GITHUB_ACTION))
    called = "acme/shared/.github/workflows/build.yml@refs/tags/v1"
    env = {
        **around.facts.env,
        "GITHUB_WORKFLOW_REF": "acme/api/.github/workflows/ci.yml@refs/heads/main",
        "CHAINLOOP_JOB_WORKFLOW": called,
    }

    attest(place(job, env))

    read_back(job)
    shown = job.chainloop("attestation", "describe", "--bundle", "bundle.json", "-o", "json").document["statement"]
    assert (shown["workflowFile"], shown["calledWorkflow"]) == (".github/workflows/ci.yml", called)


def test_a_dagger_pipeline_in_a_github_job_is_one_and_the_user_hears_of_both(tenant: Tenant) -> None:
    job = tenant.job(contract_for(RunnerType.DAGGER_PIPELINE))
    env = {**SURROUNDINGS[RunnerType.GITHUB_ACTION].facts.env, "CHAINLOOP_DAGGER_CLIENT": "v1"}

    answer = place(job, env)("attestation", "init")

    assert answer.status == 0, answer
    assert "several CI systems" in answer.stderr
    assert "GITHUB_ACTION" in answer.stderr


def test_every_missing_variable_of_the_runner_is_named_at_once(tenant: Tenant) -> None:
    job = tenant.job(contract_for(RunnerType.AZURE_PIPELINE))

    answer = place(job, {"TF_BUILD": "True", "BUILD_BUILDURI": "vstfs:///Build/Build/1"})("attestation", "init")

    assert answer.status != 0
    for name in ("BUILD_REQUESTEDFOR", "BUILD_BUILDID", "BUILD_BUILDNUMBER"):
        assert name in answer.stderr
    assert job.runs() == []


# --- Tekton is a place, not a set of variables ------------------------------------------------------------------------


@dataclass
class TektonStep(CommandLine):
    """`chainloop` where Tekton's folder and a service account are."""

    account: Path = field(default_factory=Path)
    after: str = "true"
    """What the step's shell runs when `chainloop` has ended well."""

    def start(
        self, *words: str | Path, env: Mapping[str, str] | None = None, within: Within = list
    ) -> subprocess.Popen[str]:
        """Start a command in the container."""
        root = self.folder / "root"
        root.mkdir(exist_ok=True)
        inside = ["unshare", "--map-root-user", "--mount", STEP, root, self.account]
        shell = ["sh", "-c", f'"$0" -m chainloop_ci "$@" && {self.after}', sys.executable]
        return subprocess.Popen(
            within([*inside, *shell, *map(str, words)]),
            cwd=self.folder,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def require_namespaces() -> None:
    """Skip where a process may not have a view of the file system of its own."""
    command = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if shutil.which("unshare") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine gives a process no mount namespace of its own (unshare)")


@pytest.fixture
def step(tenant: Tenant) -> tuple[Job, TektonStep]:
    require_namespaces()
    job = tenant.job(contract_for(RunnerType.TEKTON_PIPELINE))
    env = {**job.chainloop.env, "TEKTON_DASHBOARD_URL": "https://tekton.test/", "HOSTNAME": "api-run-x7k2p-build-pod"}
    account = tenant.folder / "account"
    account.mkdir()
    return job, TektonStep(job.chainloop.folder, env, account)


def test_a_step_of_tekton_is_read_back_with_what_kubernetes_says(
    step: tuple[Job, TektonStep], tmp_path_factory: pytest.TempPathFactory
) -> None:
    job, chainloop = step
    around = SURROUNDINGS[RunnerType.TEKTON_PIPELINE]
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.label(dict(around.facts.pod.labels))
        cluster.write_account(chainloop.account)
        chainloop.env |= cluster.env

        attest(chainloop)

        asked = len(cluster.requests)
    run = read_back(job)
    runner = get_runner(RunnerType.TEKTON_PIPELINE)
    assert (run["runnerType"], run["runnerEnvironment"]) == ("TEKTON_PIPELINE", "self-hosted")
    assert from_dict(CiIdentity, run["ci"]) == runner.ci(around.facts)
    assert run["runnerUrl"] == "https://tekton.test/#/namespaces/ci/pipelineruns/api-run-x7k2p"
    assert asked == 1, "only init asks"


def test_a_step_whose_account_may_not_read_its_pod_is_attested_all_the_same(step: tuple[Job, TektonStep]) -> None:
    job, chainloop = step
    (chainloop.account / "namespace").write_text("ci")

    attest(chainloop)

    run = read_back(job)
    assert to_dict(from_dict(CiIdentity, run["ci"])) == {
        "provider": "tekton",
        "serverUrl": "https://tekton.test",
        "runId": "ci/api-run-x7k2p-build",
        "runAttempt": 1,
        "job": "api-run-x7k2p-build",
        "runnerName": "api-run-x7k2p-build-pod",
    }


def test_the_result_of_a_step_is_the_summary(step: tuple[Job, TektonStep]) -> None:
    _, chainloop = step
    (chainloop.account / "namespace").write_text("ci")
    chainloop.after = "cat /tekton/results/attestation-report"

    answer: Answer = chainloop("attestation", "init", "-o", "json")

    assert answer.status == 0, answer.stderr
    summary = answer.stdout.partition("## Chainloop attestation")[2]
    assert "**The attestation is begun; 1 thing is missing or wrong.**" in summary


def test_a_step_that_is_told_nothing_says_what_to_write(step: tuple[Job, TektonStep]) -> None:
    job, chainloop = step

    answer: Answer = chainloop("attestation", "init", env={"HOSTNAME": "9f8e7d6c"})

    assert answer.status != 0
    assert "$(context.taskRun.name)" in answer.stderr
    assert "$(context.taskRun.namespace)" in answer.stderr
    assert job.runs() == []
