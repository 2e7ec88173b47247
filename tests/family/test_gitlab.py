"""The GitLab template as a project has it: pipelines run by gitlab-ci-local against a live control plane."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from defusedxml.ElementTree import parse

from chainloop_ci.cli.plugin_inputs import OUTPUTS
from tests.family.git_server import GitServer, git_server
from tests.family.gitlab import ROOT, Project, install_command
from tests.integration.live import CONTRACT, Job, Tenant

pytestmark = pytest.mark.real("gitlab-ci-local", "rsync")

BUILD = {"stage": "build", "script": ["mkdir -p out", "echo the build > out/app"], "artifacts": {"paths": ["out/"]}}
BOTH = {"materials": "binary=out/app\nversion=1.2.3\n"}
NO_READY_JOB = {"chainloop": {"rules": [{"when": "never"}]}}
HEAD = "0123456789abcdef0123456789abcdef01234567"
MERGE_REQUEST = {
    "CI_PIPELINE_SOURCE": "merge_request_event",
    "CI_MERGE_REQUEST_IID": "17",
    "CI_MERGE_REQUEST_TITLE": "Add a thing",
    "CI_MERGE_REQUEST_EVENT_TYPE": "merged_result",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feature",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": HEAD,
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
    "CI_MERGE_REQUEST_PROJECT_PATH": "acme/app",
    "CI_MERGE_REQUEST_PROJECT_URL": "https://gitlab.test/acme/app",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "acme/app",
    "CI_COMMIT_REF_NAME": "feature",
}


def of_settings(job: Job) -> dict[str, str]:
    """Return what an operator sets in the project's settings."""
    return {name: value for name, value in job.chainloop.env.items() if name != "CHAINLOOP_LOCAL_STATE_PATH"}


@pytest.fixture
def project(job: Job, tmp_path: Path) -> Project:
    """Return a project whose settings know the control plane, and whose image has the command."""
    return Project(tmp_path / "project", of_settings(job), [install_command(tmp_path / "bin")])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    """Serve the folder `gitlab/` as the project acme/chainloop."""
    with git_server(tmp_path / "git") as running:
        running.publish("acme/chainloop", ROOT / "gitlab", tag="v0.1.0")
        yield running


def states(job: Job) -> list[str]:
    """Return the states of the workflow's runs, oldest first."""
    return [run["state"] for run in reversed(job.runs())]


# --- the ready job ----------------------------------------------------------------------------------------------------


def test_the_ready_job_attests_the_files_of_the_jobs_before_it(job: Job, project: Project) -> None:
    project.include(BOTH, {"build": BUILD, "test": {"stage": "test", "script": ["test -s out/app"]}})

    pipeline = project.run()

    assert pipeline.status == 0, pipeline.log
    (run,) = job.runs()
    assert (run["state"], run["runnerType"]) == ("success", "GITLAB_PIPELINE")
    assert run["runnerUrl"].startswith("https://gitlab.test/acme/app/-/jobs/")
    assert (run["ci"]["provider"], run["ci"]["repository"], run["ci"]["event"]) == ("gitlab", "acme/app", "push")


def test_what_is_missing_fails_the_job_and_ends_the_run(job: Job, project: Project) -> None:
    project.include({"materials": "binary=out/app"}, {"build": BUILD})

    pipeline = project.run()

    assert pipeline.status == 1
    assert "version" in pipeline.job("chainloop")
    assert states(job) == ["error"]


def test_what_is_missing_is_in_the_reports_that_a_merge_request_shows(job: Job, project: Project) -> None:
    project.include({"materials": "binary=out/app"}, {"build": BUILD})

    project.run(variables=MERGE_REQUEST)

    reports = project.folder / "chainloop-report"
    failed = [case for case in parse(reports / "junit.xml").iter("testcase") if case.find("failure") is not None]
    assert [case.get("name") for case in failed] == ["material version (STRING)", "chainloop attestation craft"]
    assert "version" in (reports / "report.md").read_text()
    outputs = dict(line.split("=", 1) for line in (reports / "outputs.env").read_text().splitlines())
    (run,) = job.runs()
    assert (outputs["CHAINLOOP_OUTPUT_RUN_ID"], outputs["CHAINLOOP_OUTPUT_STATE"]) == (run["id"], "error")
    assert outputs["CHAINLOOP_OUTPUT_MISSING_MATERIALS"] == '["version"]'


def test_the_outputs_are_variables_of_later_jobs(job: Job, project: Project) -> None:
    words = " ".join(f"{row.name}=${row.variable}" for row in OUTPUTS)
    show = {"stage": "deploy", "needs": ["chainloop"], "script": [f"echo {words}"]}
    project.include(BOTH, {"build": BUILD, "chainloop": {"stage": "test"}, "show": show})

    pipeline = project.run()

    assert pipeline.status == 0, pipeline.log
    (run,) = job.runs()
    shown = dict(word.split("=", 1) for word in pipeline.job("show").splitlines()[-2].split())
    assert (shown["run-id"], shown["state"], shown["compliant"]) == (run["id"], "success", "true")
    assert shown["attestation-digest"] == run["attestationDigest"]


def test_a_job_that_fails_before_leaves_no_run(job: Job, project: Project) -> None:
    project.include(BOTH, {"build": BUILD | {"script": ["exit 7"]}})

    pipeline = project.run()

    assert pipeline.status == 1
    assert states(job) == []


def test_the_project_may_say_more_of_the_ready_job(job: Job, project: Project) -> None:
    more = {"stage": "test", "needs": ["build"]}
    after = {"stage": "deploy", "needs": ["chainloop"], "script": ["test -n deployed"]}
    project.include(BOTH, {"build": BUILD, "chainloop": more, "deploy": after})

    pipeline = project.run()

    assert pipeline.status == 0, pipeline.log
    assert states(job) == ["success"]


def test_a_merge_request_is_attested_by_its_head(job: Job, project: Project) -> None:
    project.include(BOTH, {"build": BUILD})

    pipeline = project.run(variables=MERGE_REQUEST)

    assert pipeline.status == 0, pipeline.log
    (run,) = job.runs()
    assert (run["ci"]["headSha"], run["ci"]["pullRequest"], run["ci"]["event"]) == (HEAD, "17", "merge_request_event")


def test_several_attestations_of_one_pipeline_do_not_meet(job: Job, project: Project) -> None:
    inputs = {name: {"as": name, "materials": f"binary=out/app\nversion={name}\n"} for name in ("api", "web")}
    project.include()
    entries = [{"local": "templates/attestation.yml", "inputs": each} for each in inputs.values()]
    project.write_pipeline({"include": entries, "build": BUILD})

    pipeline = project.run()

    assert pipeline.status == 0, pipeline.log
    assert states(job) == ["success", "success"]
    assert all("Attestation pushed!" in pipeline.job(name) for name in inputs)


# --- the job to extend ------------------------------------------------------------------------------------------------

OWN = {
    "extends": ".chainloop",
    "stage": "build",
    "script": [
        "echo the build > app",
        "chainloop attestation add --name binary --value app",
        "chainloop attestation add --name version --value 1.2.3",
        "chainloop attestation push",
    ],
}


def test_an_attestation_can_begin_before_a_jobs_own_script(job: Job, project: Project) -> None:
    project.include({}, {"build": OWN, **NO_READY_JOB})

    pipeline = project.run()

    assert pipeline.status == 0, pipeline.log
    assert states(job) == ["success"]


def test_what_the_script_did_not_push_is_pushed_afterwards(job: Job, project: Project) -> None:
    project.include({}, {"build": OWN | {"script": OWN["script"][:-1]}, **NO_READY_JOB})

    pipeline = project.run()

    assert pipeline.status == 0, pipeline.log
    assert states(job) == ["success"]


@pytest.mark.parametrize(
    "after", [None, ["echo cleaned", "!reference [.chainloop, after_script]"]], ids=["ours", "own"]
)
def test_a_script_that_fails_ends_the_run(job: Job, project: Project, after: list[str] | None) -> None:
    build = {**OWN, "script": [OWN["script"][0], "exit 7"], **({"after_script": after} if after else {})}
    project.include({}, {"build": build, **NO_READY_JOB})

    pipeline = project.run()

    assert pipeline.status == 1
    assert ("cleaned" in pipeline.job("build")) is bool(after)
    assert states(job) == ["error"]


def test_what_a_script_did_not_add_stays_in_the_reports_when_the_run_ends(job: Job, project: Project) -> None:
    project.include({}, {"build": {**OWN, "script": [OWN["script"][0], OWN["script"][-1]]}, **NO_READY_JOB})

    project.run(variables=MERGE_REQUEST)

    cases = parse(project.folder / "chainloop-report" / "junit.xml").iter("testcase")
    assert [case.get("name") for case in cases if case.find("failure") is not None] == [
        "material binary (ARTIFACT)",
        "material version (STRING)",
        "chainloop attestation push",
    ]
    assert states(job) == ["error"]


@pytest.mark.parametrize(("status", "state"), [("success", "success"), ("failed", "error"), ("canceled", "canceled")])
def test_the_run_ends_by_the_word_of_gitlab(job: Job, project: Project, status: str, state: str) -> None:
    """gitlab-ci-local cancels no job, so the template's own script gets each word."""
    for words in (
        ("init",),
        ("add", "--name", "binary", "--value", job.key.with_suffix(".pub")),
        ("add", "--name", "version", "--value", "1"),
    ):
        assert job.chainloop("attestation", *words).status == 0
    script = "\n".join((ROOT / "gitlab" / "scripts" / f"{name}.sh").read_text() for name in ("find", "finish"))
    env = {"PATH": project.path[0] + ":/usr/bin:/bin", "CI_JOB_STATUS": status}

    done = subprocess.run(
        ["sh", "-ec", script], env=job.chainloop.environment(env), cwd=job.chainloop.folder, check=False
    )

    assert done.returncode == 0
    assert states(job) == [state]


# --- what the template asks of GitLab and of the command --------------------------------------------------------------


def test_a_value_outside_the_options_of_an_input_is_refused_by_the_command(job: Job, project: Project) -> None:
    """Whatever a runner makes of `options:`."""
    project.include(BOTH, {"build": BUILD, "chainloop": {"variables": {"CHAINLOOP_ON_UNREACHABLE": "perhaps"}}})

    pipeline = project.run()

    assert pipeline.status == 1
    refusal = (
        "the input `on-unreachable` (CHAINLOOP_ON_UNREACHABLE): expected one of fail, warn, queue, found 'perhaps'"
    )
    assert refusal in pipeline.job("chainloop")
    assert states(job) == []


@pytest.mark.parametrize(("choice", "status"), [("fail", 1), ("warn", 0)])
def test_a_control_plane_that_does_not_answer_is_as_bad_as_the_pipeline_says(
    project: Project, choice: str, status: int
) -> None:
    del project.variables["CHAINLOOP_CONTROL_PLANE_API"]
    inputs = {"control-plane": "http://127.0.0.1:9", "patience": 2, "on-unreachable": choice}
    project.include({**BOTH, **inputs}, {"build": BUILD})

    pipeline = project.run()

    assert pipeline.status == status, pipeline.log
    assert "127.0.0.1:9" in pipeline.job("chainloop")


def test_what_is_queued_is_an_artifact_and_is_completed_later(job: Job, project: Project) -> None:
    del project.variables["CHAINLOOP_CONTROL_PLANE_API"]
    project.write("contract.yaml", CONTRACT)
    names = {"project": "hello", "workflow": "build", "contract": "contract.yaml"}
    nobody = {"control-plane": "http://127.0.0.1:9", "on-unreachable": "queue"}
    project.include({**BOTH, **names, **nobody}, {"build": BUILD})

    pipeline = project.run()

    assert pipeline.status == 0, pipeline.log
    (queued,) = (project.folder / "chainloop-report").glob("chainloop-queued-*.json")
    resumed = job.chainloop("attestation", "push", "--resume", queued)
    assert resumed.status == 0, resumed.stderr
    (run,) = job.runs()
    assert (run["state"], run["late"], run["runnerType"]) == ("success", True, "GITLAB_PIPELINE")


# --- how the template gets there --------------------------------------------------------------------------------------


def by_component(server: GitServer) -> dict[str, Any]:
    return {"component": "$CI_SERVER_FQDN/acme/chainloop/attestation@v0.1.0"}


def by_project(server: GitServer) -> dict[str, Any]:
    return {"project": "acme/chainloop", "ref": "v0.1.0", "file": "/templates/attestation.yml"}


@pytest.mark.parametrize("include", [by_component, by_project], ids=["component", "project"])
def test_the_template_comes_from_another_project(job: Job, project: Project, server: GitServer, include: Any) -> None:
    project.origin = f"{server.url}/acme/app.git"
    project.variables |= {"CI_SERVER_URL": server.url}
    project.write_pipeline({"include": [include(server) | {"inputs": BOTH}], "build": BUILD})

    pipeline = project.run()

    assert pipeline.status == 0, pipeline.log
    assert states(job) == ["success"]


def test_the_example_is_built_tested_attested_and_deployed(tenant: Tenant, tmp_path: Path, server: GitServer) -> None:
    job = tenant.job((ROOT / "examples" / "gitlab" / "contract.yaml").read_text(), project="shop", workflow="app")
    variables = {**of_settings(job), "CI_SERVER_URL": server.url}
    project = Project(tmp_path / "project", variables, [install_command(tmp_path / "bin")])
    project.origin = f"{server.url}/acme/app.git"
    shutil.copytree(ROOT / "examples" / "gitlab", project.folder)

    pipeline = project.run()

    assert pipeline.status == 0, pipeline.log
    (run,) = job.runs()
    assert run["state"] == "success"
    assert f"deploying what {run['attestationDigest']} attests" in pipeline.job("deploy")


def test_the_template_comes_from_an_address(job: Job, project: Project) -> None:
    handler = partial(SimpleHTTPRequestHandler, directory=str(ROOT / "gitlab" / "templates"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as files:
        threading.Thread(target=files.serve_forever, daemon=True).start()
        remote = f"http://127.0.0.1:{files.server_address[1]}/attestation.yml"
        project.write_pipeline({"include": [{"remote": remote, "inputs": BOTH}], "build": BUILD})

        pipeline = project.run()

        files.shutdown()
    assert pipeline.status == 0, pipeline.log
    assert states(job) == ["success"]


# --- jobs without secrets ---------------------------------------------------------------------------------------------

FORK = {
    "CI_PROJECT_ID": "31",
    "CI_PROJECT_PATH": "stranger/app",
    "CI_MERGE_REQUEST_PROJECT_ID": "7",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "31",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "stranger/app",
}
PARENT = {"CI_PROJECT_ID": "7", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "31", "CI_MERGE_REQUEST_PROJECT_ID": "7"}


@pytest.fixture
def stranger(project: Project) -> Project:
    """Return the project as a job without its secrets sees it."""
    for name in ("CHAINLOOP_TOKEN", "CHAINLOOP_SIGNING_KEY"):
        del project.variables[name]
    project.write("contract.yaml", CONTRACT)
    return project


@pytest.mark.parametrize(
    "place",
    [MERGE_REQUEST | FORK, MERGE_REQUEST | PARENT, {"CI_COMMIT_REF_PROTECTED": "false"}],
    ids=["in the fork", "in the parent project", "on a ref that is not protected"],
)
def test_t04_a_job_without_secrets_says_what_is_missing_and_is_green(
    job: Job, stranger: Project, place: dict[str, str]
) -> None:
    stranger.include({"materials": "binary=out/app", "contract": "contract.yaml"}, {"build": BUILD})

    pipeline = stranger.run(variables=place)

    assert pipeline.status == 0, pipeline.log
    assert "version" in pipeline.job("chainloop")
    assert "WRN" in pipeline.job("chainloop")
    assert states(job) == []


def test_a_job_that_should_have_a_token_and_has_none_is_told_its_name(job: Job, stranger: Project) -> None:
    stranger.variables["CHAINLOOP_SIGNING_KEY"] = str(job.key)
    stranger.include({"materials": "binary=out/app", "contract": "contract.yaml"}, {"build": BUILD})

    pipeline = stranger.run()

    assert pipeline.status == 1
    assert "CHAINLOOP_TOKEN" in pipeline.job("chainloop")
    assert states(job) == []


# --- secrets ----------------------------------------------------------------------------------------------------------


PASSWORDS = ("CHAINLOOP_SIGNING_PASSWORD", "CHAINLOOP_REGISTRY_PASSWORD", "CI_JOB_TOKEN")


@pytest.mark.parametrize("materials", ["binary=out/app\nversion=1.2.3", "binary=nothing-here"])
def test_t07_neither_token_nor_key_is_in_a_log_or_a_file(job: Job, project: Project, materials: str) -> None:
    canaries = {name: f"canary-{name.lower()}-7f3a9c" for name in PASSWORDS}
    project.variables |= {"CHAINLOOP_SIGNING_KEY": job.key.read_text(), **canaries}
    project.include({"materials": materials, "debug": True}, {"build": BUILD})

    pipeline = project.run()

    secrets = [job.token, *canaries.values(), *(line for line in job.key.read_text().splitlines() if len(line) > 40)]
    assert len(secrets) > len(PASSWORDS) + 1
    for secret in secrets:
        assert secret not in pipeline.log
    assert leaks(project, secrets) == []


def leaks(project: Project, secrets: list[str]) -> list[str]:
    """Return the files that a job wrote and that hold a secret."""
    written = (path for path in project.folder.rglob("*") if path.is_file() and path.name != _SETTINGS)
    return [str(path) for path in written if any(secret.encode() in path.read_bytes() for secret in secrets)]


_SETTINGS = ".gitlab-ci-local-variables.yml"
