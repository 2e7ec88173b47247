"""`attestation craft`: the whole attestation in one process, against a real control plane."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.integration.live import IMPATIENT, Answer, Job

CRAFT = ("attestation", "craft", "--project", "hello", "--workflow", "build")
BOTH = ("--material", "binary=app", "--material", "version=1.2.3")
BEGIN = "attestations:\n  - name: build\n    project: hello\n    workflow: build\n    materials:\n"


@pytest.fixture
def built(job: Job) -> Job:
    """Return a job that has built something."""
    (job.chainloop.folder / "app").write_bytes(b"the build")
    return job


def write_project_file(job: Job, materials: str) -> Path:
    path = job.chainloop.folder / ".chainloop.yml"
    path.write_text(BEGIN + materials)
    return path


def assert_nothing_is_left(job: Job) -> None:
    status: Answer = job.chainloop("attestation", "status")
    assert status.status == 1, status.stderr


def test_one_process_begins_adds_and_pushes(built: Job) -> None:
    crafted = built.chainloop(*CRAFT, *BOTH, "--bundle", "attestation.json", "-o", "json")

    assert crafted.status == 0, crafted.stderr
    assert crafted.document["state"] == "success"
    assert [run["state"] for run in built.runs()] == ["success"]
    bundle = built.chainloop.folder / "attestation.json"
    assert built.chainloop("attestation", "verify", "--bundle", bundle, "--key", built.public_key).status == 0
    assert_nothing_is_left(built)


def test_a_step_with_two_materials_needs_five_requests(built: Job) -> None:
    (built.chainloop.folder / "extra").write_bytes(b"more")

    crafted = built.chainloop(*CRAFT, *BOTH, "--material", "extra=extra", "--debug")

    assert crafted.status == 0, crafted.stderr
    assert len(re.findall(r"^DBG answered ", crafted.stderr, re.MULTILINE)) == 5  # contract, run, two uploads, store


def test_everything_that_is_wrong_is_told_at_once_and_ends_the_run(built: Job) -> None:
    refused = built.chainloop(*CRAFT, "--material", "binary=nothing-here", "-o", "json")
    again = built.chainloop(*CRAFT, *BOTH)

    assert refused.status == 3, refused.stderr
    error = json.loads(refused.stdout)["error"]
    assert [finding["code"] for finding in error["findings"]] == ["file-unreadable", "missing-material"]
    assert re.match(r"the material binary: there is no file .*/nothing-here", error["findings"][0]["message"])
    assert "the material version (STRING) is required" in error["findings"][1]["message"]
    assert again.status == 0, again.stderr
    assert [run["state"] for run in built.runs()] == ["success", "error"]
    assert built.runs()[1]["reason"] == "the contract build is not met: 2 things are missing or wrong"


def test_a_missing_material_ends_the_run_too(built: Job) -> None:
    refused = built.chainloop(*CRAFT, "--material", "binary=app")

    assert refused.status == 3
    assert "the material version (STRING) is required and was not added" in refused.stderr
    assert "run the job again" in refused.stderr
    assert [run["state"] for run in built.runs()] == ["error"]
    assert_nothing_is_left(built)


def test_a_file_of_another_kind_is_named_with_what_it_was_taken_for(job: Job) -> None:
    folder = job.chainloop.folder
    contract = "apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {name: sboms}\nspec:\n  materials:\n"
    (folder / "sboms.yaml").write_text(f"{contract}    - {{name: sbom, type: SBOM_CYCLONEDX_JSON}}\n")
    (folder / "notes.txt").write_text("not JSON")
    (folder / "spdx.json").write_text('{"spdxVersion": "SPDX-2.3"}')
    crafting = ("attestation", "craft", "--dry-run", "--contract", "sboms.yaml", "--replace")

    text = job.chainloop(*crafting, "--material", "sbom=notes.txt")
    other = job.chainloop(*crafting, "--material", "sbom=spdx.json")

    expected = "expected a CycloneDX SBOM (JSON), found"
    assert f"the material sbom: notes.txt: {expected} text that is not JSON (line 1, column 1:" in text.stderr
    assert f'the material sbom: spdx.json: {expected} an SPDX document ("SPDX-2.3"); /bomFormat:' in other.stderr


def test_r5_without_a_key_nothing_is_begun(built: Job) -> None:
    refused = built.chainloop(*CRAFT, *BOTH, env={"CHAINLOOP_SIGNING_KEY": ""})

    assert refused.status == 5
    assert "there is no key to sign with" in refused.stderr
    assert built.runs() == []


def test_materials_come_from_the_repository_s_own_file(built: Job) -> None:
    write_project_file(built, "      - {name: binary, path: app}\n      - {name: version, value: 1.0.0}\n")

    crafted = built.chainloop("attestation", "craft", "--material", "version=2.0.0", "-o", "json")

    assert crafted.status == 0, crafted.stderr
    materials = {entry["name"]: entry["value"] for entry in crafted.document["materials"]}
    assert (materials["version"], set(materials)) == ("2.0.0", {"binary", "version"})


def test_r22_the_repository_s_file_may_not_name_git_s_own_files(built: Job) -> None:
    config = built.chainloop.folder / ".git" / "config"
    config.parent.mkdir()
    config.write_text("[http]\n\textraheader = AUTHORIZATION: basic c2VjcmV0\n")
    write_project_file(built, "      - {name: binary, path: .git/config}\n      - {name: version, value: v}\n")

    refused = built.chainloop("attestation", "craft")

    assert refused.status == 3, refused.stderr
    assert ".git/config is a file of git's own" in refused.stderr


def test_r22_a_link_in_the_checkout_is_no_list_of_checksums(built: Job) -> None:
    outside = built.chainloop.folder.parent / "secret"
    outside.write_text("aws_secret: AKIACANARY123\n")
    (built.chainloop.folder / "sums").symlink_to(outside)

    refused = built.chainloop(*CRAFT, "--checksums", "sums")

    assert refused.status == 1, refused.stderr
    assert "sums leads out of the workspace" in refused.stderr
    assert "AKIACANARY123" not in refused.stderr + refused.stdout
    assert built.runs() == []


@pytest.mark.parametrize("value", ["path: ../secret", "path: link", "path: /proc/self/environ", "value: ../secret"])
def test_r22_the_repository_s_file_leads_nowhere_else(built: Job, value: str) -> None:
    outside = built.chainloop.folder.parent / "secret"
    outside.write_text("not of this workspace")
    (built.chainloop.folder / "link").symlink_to(outside)
    write_project_file(built, f"      - {{name: binary, {value}}}\n      - {{name: version, value: v}}\n")

    refused = built.chainloop("attestation", "craft")

    assert refused.status == 3, refused.stderr
    assert "the material binary: " in refused.stderr
    assert value.split()[1] in refused.stderr
    assert [run["state"] for run in built.runs()] == ["error"]


def test_a_dry_run_needs_no_server_and_keeps_its_state(built: Job) -> None:
    (built.chainloop.folder / "contract.yaml").write_text(
        "apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {name: build}\n"
        "spec: {materials: [{name: binary, type: ARTIFACT}, {name: version, type: STRING}]}\n"
    )
    offline = {"CHAINLOOP_CONTROL_PLANE_API": "http://127.0.0.1:1", "CHAINLOOP_SIGNING_KEY": ""}
    dry = ("attestation", "craft", "--dry-run", "--contract", "contract.yaml")

    complete = built.chainloop(*dry, *BOTH, env=offline)
    incomplete = built.chainloop(*dry, "--replace", "--material", "binary=app", env=offline)

    assert complete.status == 0, complete.stderr
    assert json.loads(complete.stdout)["predicateType"] == "chainloop.dev/attestation/v0.2"
    assert incomplete.status == 3
    assert json.loads(incomplete.stdout)["predicateType"] == "chainloop.dev/attestation/v0.2"
    assert built.chainloop("attestation", "status").status == 0
    assert built.runs() == []


def test_a_control_plane_that_does_not_answer_is_unreachable(built: Job) -> None:
    failed = built.chainloop(*CRAFT, *BOTH, env={"CHAINLOOP_CONTROL_PLANE_API": "http://127.0.0.1:1", **IMPATIENT})

    assert failed.status == 6, failed.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--material", "binary"), "expected NAME=VALUE, found 'binary'"),
        (("--material", "a=1", "--material", "a=2"), "named more than once: a"),
        (("--material", "version="), "a value that comes from a variable is empty where there is none"),
        (("--material", "a=1", "--attestation", "x"), "check that the job has its checkout by now"),
    ],
)
def test_a_material_that_cannot_be_read_is_a_usage_error_before_anything_is_begun(
    built: Job, words: tuple[str, ...], said: str
) -> None:
    refused = built.chainloop(*CRAFT, *words)

    assert refused.status == 2
    assert said in refused.stderr
    assert built.runs() == []
