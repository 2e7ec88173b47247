"""Two hundred workflows from files, against a control plane as users run it; and the folder of the examples."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.integration.live import PROJECT, CommandLine, Job, Tenant

EXAMPLES = PROJECT / "examples" / "apply"
SERVICE = """\
apiVersion: chainloop.dev/v1
kind: Workflow
metadata:
  name: build
spec:
  project: service-{number}
  team: core
  contract: {contract}
  source:
    repository: github:acme/service-{number}
    ciFile: .github/workflows/build.yml
    branch: main
"""
CONTRACT = """\
apiVersion: chainloop.dev/v1
kind: Contract
metadata:
  name: {name}
spec:
  materials:
    - name: binary
      type: ARTIFACT
"""


@pytest.fixture
def operator(tenant: Tenant) -> CommandLine:
    """Return the command line of an operator."""
    env = {"CHAINLOOP_CONTROL_PLANE_API": tenant.url, "CHAINLOOP_TOKEN": tenant.token("operate")}
    return CommandLine(tenant.folder, env)


def results(operator: CommandLine, *words: str | Path) -> dict[tuple[str, str], int]:
    """Apply, and return how many of each kind became what."""
    answer = operator("apply", *words, "-o", "json")
    assert answer.status == 0, answer.stderr
    return dict(Counter((item["kind"], item["result"]) for item in answer.document["items"]))


def requests(operator: CommandLine, *words: str | Path) -> int:
    """Apply, and return how many requests that took."""
    answer = operator("apply", *words, "--debug")
    assert answer.status == 0, answer.stderr
    return answer.stderr.count("DBG answered")


@pytest.fixture
def services(tenant: Tenant) -> Path:
    """Return a folder with two contracts and two hundred workflows, each in a project of its own."""
    folder = tenant.folder / "services"
    folder.mkdir()
    for name in ("small", "large"):
        (folder / f"{name}.yaml").write_text(CONTRACT.format(name=name))
    for number in range(200):
        text = SERVICE.format(number=number, contract="small" if number % 2 else "large")
        (folder / f"service-{number}.yaml").write_text(text)
    return folder


def test_two_hundred_workflows_take_one_command_and_few_requests(
    operator: CommandLine, tenant: Tenant, services: Path
) -> None:
    tried = results(operator, "-f", services, "--dry-run")
    count = requests(operator, "-f", services)
    again = results(operator, "-f", services)

    assert tried == {("project", "created"): 200, ("contract", "created"): 2, ("workflow", "created"): 200}
    assert count <= 6
    assert again == {("contract", "unchanged"): 2, ("workflow", "unchanged"): 200}
    assert len(tenant.call("GET", "/sources?limit=200")["items"]) == 200


def test_what_was_interrupted_is_ended_by_repeating_it(operator: CommandLine, services: Path) -> None:
    half = operator.folder / "half"
    half.mkdir()
    for number in range(100):
        (half / f"{number}.yaml").write_text(SERVICE.format(number=number, contract="large"))
    results(operator, "-f", services / "large.yaml", "-f", half)

    ended = results(operator, "-f", services)

    assert ended == {
        ("project", "created"): 100,
        ("contract", "created"): 1,
        ("contract", "unchanged"): 1,
        ("workflow", "created"): 100,
        # Every second one of the first half had the other contract.
        ("workflow", "changed"): 50,
        ("workflow", "unchanged"): 50,
    }


def test_one_broken_file_among_two_hundred_changes_nothing(
    operator: CommandLine, tenant: Tenant, services: Path
) -> None:
    (services / "service-77.yaml").write_text(SERVICE.format(number=77, contract="no-such-contract"))
    (services / "service-78.yaml").write_text(SERVICE.format(number=78, contract="nor-this"))

    answer = operator("apply", "-f", services)

    assert answer.status == 1
    for name in ("service-77.yaml", "service-78.yaml"):
        assert f"{services / name}#/metadata/name" in answer.stderr
    assert tenant.call("GET", "/workflows")["items"] == []
    assert tenant.call("GET", "/projects")["items"] == []


def test_r2_a_job_applies_nothing(job: Job) -> None:
    before = job.tenant.call("GET", "/workflows")

    answer = job.chainloop("apply", "-f", EXAMPLES)

    assert answer.status == 5
    assert job.tenant.call("GET", "/workflows") == before


def test_the_examples_are_applied_as_they_are(operator: CommandLine, tenant: Tenant) -> None:
    first, again = results(operator, "-f", EXAMPLES), results(operator, "-f", EXAMPLES)

    assert first == {("project", "created"): 1, ("contract", "created"): 2, ("workflow", "created"): 3}
    assert again == {("contract", "unchanged"): 2, ("workflow", "unchanged"): 3}
    assert {item["source"] for item in tenant.call("GET", "/sources")["items"]} == {
        "github:example/shop",
        "gitlab:https://gitlab.example.com/shop/backend/api",
        "jenkins:https://ci.example.com/job/shop/job/nightly",
    }


def test_r30_what_an_attestation_claimed_is_accepted_with_its_workflow_file(job: Job, operator: CommandLine) -> None:
    github = {
        "GITHUB_REPOSITORY": "acme/app", "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "1", "CI": "true",
        "GITHUB_REPOSITORY_OWNER": "acme", "GITHUB_ACTOR": "somebody", "GITHUB_SHA": "a" * 40, "RUNNER_OS": "Linux",
        "GITHUB_REF": "refs/heads/main", "GITHUB_EVENT_NAME": "push", "GITHUB_JOB": "build",
        "GITHUB_WORKFLOW_REF": "acme/app/.github/workflows/build.yml@refs/heads/main",
    }  # fmt: skip
    (job.chainloop.folder / "app.bin").write_bytes(b"a binary")
    added = [["add", "--name", name, "--value", value] for name, value in (("binary", "app.bin"), ("version", "1"))]
    for words in (["init"], *added, ["push"]):
        answer = job.chainloop("attestation", *words, env=github)
        assert answer.status == 0, answer.stderr

    shown = operator("workflow", "source", "show", "hello/build", "-o", "json").document
    accepted = operator("workflow", "source", "accept", "hello/build", "--yes", "-o", "json").document

    assert (shown["state"], shown["source"], shown["ciFile"]) == (
        "claimed", "github:acme/app", ".github/workflows/build.yml",
    )  # fmt: skip
    assert (accepted["state"], accepted["source"], accepted["ciFile"]) == ("accepted", shown["source"], shown["ciFile"])
