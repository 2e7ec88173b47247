"""Jobs without secrets (R35), against a real control plane: they check what they can, send nothing, are never red."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.family.test_event_table import FORK, event, with_head
from tests.integration.live import CONTRACT, IMPATIENT, Job
from tests.unit.runners.environments import github, gitlab
from tests.unit.stub_server import Reply, stub_server

PUBLIC = "00000000-0000-4000-8000-000000000000"
CONTRACT_FILE = ("--contract", "contract.yaml")
STEPS = (
    ("init", *CONTRACT_FILE),
    ("add", "--name", "binary", "--value", "app"),
    ("add", "--name", "version", "--value", "1.2.3"),
    ("status",),
    ("push",),
    ("reset",),
)


def on_github(job: Job, name: str, document: Mapping[str, Any], **env: str) -> Job:
    """Return the job on GitHub, started by an event; an empty value takes a variable's content away."""
    path = job.chainloop.folder / "event.json"
    path.write_text(json.dumps(document))
    facts = {"GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": str(path), "RUNNER_TEMP": str(job.chainloop.folder)}
    repository = document["repository"]["full_name"]
    surroundings = {**github().facts.env, **facts, "GITHUB_REPOSITORY": repository, **env}
    return replace(job, chainloop=replace(job.chainloop, env={**surroundings, **job.chainloop.env, **env}))


@pytest.fixture
def built(job: Job) -> Job:
    """Return a job that has built something and has the contract in its checkout."""
    (job.chainloop.folder / "app").write_bytes(b"the build")
    (job.chainloop.folder / "contract.yaml").write_text(CONTRACT)
    return job


@pytest.fixture
def forked(built: Job) -> Job:
    """Return the job of a fork's pull request."""
    return on_github(
        built, "pull_request", with_head("pull_request", FORK), CHAINLOOP_TOKEN="", CHAINLOOP_SIGNING_KEY=""
    )


def test_r35_a_fork_s_job_checks_everything_and_is_green(forked: Job) -> None:
    crafted = forked.chainloop(
        "attestation", "craft", *CONTRACT_FILE, "--material", "binary=app", "--material", "version=1.2.3"
    )

    assert crafted.status == 0, crafted.stderr
    assert "this job has no secrets" in crafted.stderr
    assert "WRN" not in crafted.stderr
    assert json.loads(crafted.stdout)["predicateType"] == "chainloop.dev/attestation/v0.2"
    assert forked.runs() == []


def test_r35_what_a_fork_s_job_misses_is_a_warning(forked: Job) -> None:
    crafted = forked.chainloop("attestation", "craft", *CONTRACT_FILE, "--material", "binary=gone", "-o", "json")

    assert crafted.status == 0, crafted.stderr
    assert "WRN the contract build is not met: 2 things are missing or wrong" in crafted.stderr
    assert "the material binary: there is no file" in crafted.stderr
    assert "the material version (STRING) is required and was not added" in crafted.stderr
    assert "ERR" not in crafted.stderr
    assert forked.runs() == []


def test_r35_the_steps_of_a_fork_s_job_are_green_one_by_one(forked: Job) -> None:
    ended = [forked.chainloop("attestation", *step) for step in STEPS]

    assert [answer.status for answer in ended] == [0] * len(STEPS), [answer.stderr for answer in ended]
    assert "WRN" not in "".join(answer.stderr for answer in ended)
    assert forked.runs() == []


def test_r35_without_a_contract_a_fork_s_job_says_that_nothing_was_checked(forked: Job) -> None:
    ended = [forked.chainloop("attestation", step[0], *step[1:] if step[0] != "init" else ()) for step in STEPS]

    assert [answer.status for answer in ended] == [0] * len(STEPS), [answer.stderr for answer in ended]
    assert "WRN nothing was checked" in ended[0].stderr
    assert "--public-contract on" in ended[0].stderr


@pytest.mark.parametrize(
    "words",
    [
        ("craft", *CONTRACT_FILE, "--material", "nonsense"),
        ("craft", "--contract", "missing.yaml"),
        ("craft", "--contract", f"http://127.0.0.1:1/api/v1/public/contracts/{PUBLIC}"),
        ("craft", "--no-such-option"),
        ("add", "--name", "binary", "--value", "app"),
        ("push", "--bundle", "-"),
    ],
)
def test_r35_whatever_goes_wrong_a_fork_s_job_is_green(forked: Job, words: tuple[str, ...]) -> None:
    ended = forked.chainloop("attestation", *words, env=IMPATIENT)

    assert ended.status == 0, ended.stderr
    assert "WRN" in ended.stderr
    assert "ERR" not in ended.stderr


def test_t04_a_token_in_a_fork_s_job_is_not_used(built: Job) -> None:
    job = on_github(built, "pull_request", with_head("pull_request", FORK))

    ended = [job.chainloop("attestation", *step) for step in STEPS]

    assert [answer.status for answer in ended] == [0] * len(STEPS), [answer.stderr for answer in ended]
    assert "the token that this job was given is not used" in ended[0].stderr
    assert job.runs() == []


def test_t04_a_fork_s_job_sends_nothing_of_an_attestation_that_it_finds(built: Job) -> None:
    trusted = on_github(built, "push", event("push"))
    assert trusted.chainloop("attestation", "init").status == 0
    job = on_github(built, "pull_request", with_head("pull_request", FORK))

    added = job.chainloop("attestation", "add", "--name", "binary", "--value", "app")
    reset = job.chainloop("attestation", "reset")

    assert (added.status, reset.status) == (0, 0)
    assert "nothing is sent from this job" in added.stderr
    assert [run["state"] for run in trusted.runs()] == ["initialized"]


def test_looking_at_a_file_may_fail_in_a_fork_s_job_too(forked: Job) -> None:
    (forked.chainloop.folder / "bundle.json").write_text("{}")

    assert forked.chainloop("attestation", "describe", "--bundle", "bundle.json").status == 1


def test_r35_gitlab_s_job_on_an_unprotected_ref_is_green_and_one_on_a_protected_ref_names_the_variable(
    built: Job,
) -> None:
    job = replace(built.chainloop, env={**gitlab().facts.env, **built.chainloop.env, "CHAINLOOP_TOKEN": ""})
    words = ("attestation", "craft", *CONTRACT_FILE, "--material", "binary=app")

    unprotected = job(*words, env={"CI_COMMIT_REF_PROTECTED": "false"})
    protected = job(*words, "--replace", env={"CI_COMMIT_REF_PROTECTED": "true"})

    assert unprotected.status == 0, unprotected.stderr
    assert "the material version (STRING) is required and was not added" in unprotected.stderr
    assert protected.status == 5
    assert "CHAINLOOP_TOKEN is set but empty" in protected.stderr


def test_r35_an_empty_token_anywhere_else_is_an_error_that_names_the_variable(built: Job) -> None:
    job = on_github(built, "push", event("push"), CHAINLOOP_TOKEN="")

    refused = job.chainloop("attestation", "craft", "--material", "binary=app")

    assert refused.status == 5
    assert "CHAINLOOP_TOKEN is set but empty" in refused.stderr


@pytest.mark.parametrize(
    ("name", "document"),
    [("pull_request_target", with_head("pull_request", FORK)), ("workflow_run", event("workflow_run"))],
)
class TestPrivilegedEvents:
    """Events whose jobs have secrets while the commit may be a stranger's."""

    WORDS = ("attestation", "craft", "--material", "binary=app", "--material", "version=1.2.3")

    def test_t04_they_are_refused_before_anything_is_begun(self, built: Job, name: str, document: Any) -> None:
        job = on_github(built, name, document)

        refused = job.chainloop(*self.WORDS)

        assert refused.status == 3, refused.stderr
        assert f"the job was started by the event {name}" in refused.stderr
        assert "runner.privilegedEvents" in refused.stderr
        assert job.runs() == []

    def test_t04_they_are_refused_without_a_token_too(self, built: Job, name: str, document: Any) -> None:
        refused = on_github(built, name, document, CHAINLOOP_TOKEN="").chainloop(*self.WORDS, *CONTRACT_FILE)

        assert refused.status == 5
        assert f"the event {name}" in refused.stderr
        assert "CHAINLOOP_TOKEN" in refused.stderr

    def test_t04_a_contract_may_allow_them(self, built: Job, name: str, document: Any) -> None:
        runner = f"  runner: {{type: GITHUB_ACTION, privilegedEvents: [{name}]}}\n"
        built.tenant.put_contract(CONTRACT + runner)
        job = on_github(built, name, document)

        crafted = job.chainloop(*self.WORDS)

        assert crafted.status == 0, crafted.stderr
        assert [(run["state"], run["ci"]["event"]) for run in job.runs()] == [("success", name)]

    def test_a_dry_run_that_somebody_asks_for_says_so_and_goes_on(self, built: Job, name: str, document: Any) -> None:
        dry = on_github(built, name, document, CHAINLOOP_TOKEN="").chainloop(*self.WORDS, "--dry-run", *CONTRACT_FILE)

        assert dry.status == 0, dry.stderr
        assert f"WRN the job was started by the event {name}" in dry.stderr


@pytest.fixture
def public(forked: Job) -> str:
    """Return the address of the contract, which an operator has made public."""
    operator = replace(
        forked.chainloop,
        env={"CHAINLOOP_CONTROL_PLANE_API": forked.tenant.url, "CHAINLOOP_TOKEN": forked.tenant.token("operate")},
    )
    changed = operator("workflow", "update", "build", "--public-contract", "on")
    assert changed.status == 0, changed.stderr
    [address] = [word for word in changed.stdout.split() if "/api/v1/public/contracts/" in word]
    return address


def test_r35_a_fork_s_job_is_held_to_the_public_contract(forked: Job, public: str) -> None:
    crafted = forked.chainloop("attestation", "craft", "--contract", public, "--material", "binary=app")

    assert crafted.status == 0, crafted.stderr
    assert "the material version (STRING) is required and was not added" in crafted.stderr
    assert forked.runs() == []


def test_the_public_address_may_stay_in_the_step_of_a_job_that_has_a_token(built: Job, public: str) -> None:
    words = ("attestation", "craft", "--contract", public, "--material", "binary=app", "--material", "version=1.2.3")

    crafted = built.chainloop(*words)

    assert crafted.status == 0, crafted.stderr
    assert [run["state"] for run in built.runs()] == ["success"]


def test_r23_a_public_address_elsewhere_is_not_asked(forked: Job, public: str) -> None:
    path = public.partition("/api/")[2]
    words = ("attestation", "craft", "--dry-run", "--contract")
    other = {"CHAINLOOP_CONTROL_PLANE_API": "https://cp.example"}
    none = {"CHAINLOOP_CONTROL_PLANE_API": ""}
    person = replace(forked.chainloop, env=forked.tenant.job(workflow="other").chainloop.env)

    elsewhere = person(*words, public, env=other)
    plain = person(*words, f"http://192.0.2.7/api/{path}", env=none)
    nothing = person(*words, "https://cp.example/contract.yaml", env=none)

    assert [answer.status for answer in (elsewhere, plain, nothing)] == [2, 2, 2]
    assert "the control plane of this job is https://cp.example" in elsewhere.stderr
    assert "http to another machine (192.0.2.7)" in plain.stderr
    assert "expected the address of a public contract" in nothing.stderr


def test_r23_the_public_contract_is_asked_for_without_the_token(built: Job) -> None:
    with stub_server() as stub:
        stub.replies = [Reply(200, CONTRACT.encode(), {"Content-Type": "application/yaml"})]
        address = f"{stub.url}/api/v1/public/contracts/{PUBLIC}"

        dry = built.chainloop(
            *("attestation", "init", "--dry-run", "--contract", address), env={"CHAINLOOP_CONTROL_PLANE_API": stub.url}
        )

        assert dry.status == 0, dry.stderr
        assert [(request.path, request.headers.get("Authorization")) for request in stub.seen] == [
            (f"/api/v1/public/contracts/{PUBLIC}", None)
        ]


def test_r35_a_login_that_a_fork_s_job_has_after_all_is_not_sent(forked: Job) -> None:
    image = "spec: {materials: [{name: image, type: CONTAINER_IMAGE}]}"
    text = f"apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {{name: build}}\n{image}\n"
    (forked.chainloop.folder / "contract.yaml").write_text(text)
    with stub_server() as stub:
        stub.replies = [Reply(401, b"", {"WWW-Authenticate": 'Basic realm="registry"'})]
        host = stub.url.removeprefix("http://")
        login = ("--registry-server", host, "--registry-username", "robot", "--registry-password", "planted-password")

        crafted = forked.chainloop("attestation", "craft", *CONTRACT_FILE, "--material", f"image={host}/app:1", *login)

    assert crafted.status == 0, crafted.stderr
    assert stub.seen
    assert not any("Authorization" in request.headers for request in stub.seen)
