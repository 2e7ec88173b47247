"""Digests, commits and tokens are followed by the commands that `docs/finding.md` shows, on a real control plane."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from chainloop_ci.digests import sha256_digest
from tests.integration.live import PROJECT, CommandLine, Job, Tenant

GUIDE = PROJECT / "docs" / "finding.md"


@pytest.fixture
def attested(job: Job) -> Job:
    """Return a job that attested a binary of a commit."""
    folder = job.tenant.folder
    (folder / "binary").write_bytes(b"\x7fELF" + job.tenant.organization.encode())
    for words in (
        ("init", "-q"),
        ("add", "binary"),
        ("-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-qm", "a change"),
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    for words in (
        ("init",),
        ("add", "--name", "binary", "--value", "binary"),
        ("add", "--name", "version", "--value", "1.0.0"),
        ("push",),
    ):
        answer = job.chainloop("attestation", *words)
        assert answer.status == 0, answer
    return job


def digest_of(job: Job) -> str:
    return sha256_digest((job.tenant.folder / "binary").read_bytes())


def commit_of(job: Job) -> str:
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=job.tenant.folder, check=True, capture_output=True)
    return found.stdout.decode().strip()


def administrator(tenant: Tenant) -> CommandLine:
    env = {"CHAINLOOP_CONTROL_PLANE_API": tenant.url, "CHAINLOOP_TOKEN": tenant.admin_token}
    return CommandLine(tenant.folder, env)


def test_a_commit_leads_to_what_was_built_of_it(attested: Job) -> None:
    answer = attested.reader()("discover", "--commit", commit_of(attested), "--depth", "2")

    (run,) = attested.runs()
    lines = answer.stdout.splitlines()
    assert answer.status == 0, answer
    assert lines[0] == f"GIT_HEAD_COMMIT sha1:{commit_of(attested)}"
    assert lines[1] == f"└─ ATTESTATION {run['attestationDigest']}  hello/build, run {run['id']}"
    assert any(line.endswith(f"ARTIFACT {digest_of(attested)}  binary") for line in lines)


def test_a_digest_leads_to_its_run_as_a_document(attested: Job) -> None:
    answer = attested.reader()("discover", "-d", digest_of(attested), "-o", "json")

    (run,) = attested.runs()
    result = answer.document["result"]
    assert (result["digest"], result["kind"], result["downloadable"]) == (digest_of(attested), "ARTIFACT", True)
    assert [node["digest"] for node in result["references"]] == [run["attestationDigest"]]
    assert answer.document["pagination"] == {}
    assert (answer.document["links"][0]["runId"], answer.document["links"][0]["names"]) == (run["id"], ["binary"])


def test_runs_with_a_digest_are_listed(attested: Job) -> None:
    answer = attested.reader()("workflow", "run", "list", "--digest", digest_of(attested), "-o", "json")

    assert [item["id"] for item in answer.document["items"]] == [attested.runs()[0]["id"]]


def test_an_upload_that_was_never_attested_is_found_by_its_digest(job: Job) -> None:
    (job.tenant.folder / "binary").write_bytes(b"\x7fELF of an open run")
    job.chainloop("attestation", "init")
    job.chainloop("attestation", "add", "--name", "binary", "--value", "binary")

    answer = job.reader()("workflow", "run", "list", "--digest", digest_of(job), "-o", "json")

    assert [item["state"] for item in answer.document["items"]] == ["initialized"]


def test_one_command_says_what_a_token_did(attested: Job) -> None:
    (run,) = attested.runs()

    answer = administrator(attested.tenant)("organization", "api-token", "activity", run["tokenName"])

    assert answer.status == 0, answer
    assert "Last Used From" in answer.stdout
    assert "127.0.0.1" in answer.stdout
    assert "run.begun" in answer.stdout
    assert run["id"] in answer.stdout
    assert digest_of(attested) in answer.stdout


def test_an_administrator_sees_who_changed_what(attested: Job) -> None:
    answer = administrator(attested.tenant)("organization", "audit", "list", "--action", "key.registered", "-o", "json")

    (record,) = answer.document["items"]
    assert (record["tokenName"], record["address"]) == ("admin", "127.0.0.1")


def test_another_organization_discovers_nothing(attested: Job, control_plane, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    stranger = Tenant(control_plane.url, control_plane.token_file.read_text().strip(), tmp_path)

    answer = administrator(stranger)("discover", "--digest", digest_of(attested))

    assert answer.status != 0
    assert "nothing that was attested has the digest" in answer.stderr


def test_every_command_of_the_guide_works_as_it_stands(attested: Job) -> None:
    tenant = attested.tenant
    tenant.call("POST", "/api-tokens", {"name": "ci", "role": "attest", "project": "hello"})
    bin_folder = tenant.folder / "bin"
    bin_folder.mkdir()
    program = bin_folder / "chainloop"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m chainloop_ci "$@"\n')
    program.chmod(0o755)
    env = administrator(tenant).environment({"DIGEST": digest_of(attested), "COMMIT": commit_of(attested)})
    env["PATH"] = f"{bin_folder}:{env['PATH']}"
    commands = re.findall(r"^\$ (chainloop .+)$", GUIDE.read_text(), re.MULTILINE)

    failed = {
        command: done.stderr
        for command in commands
        if (
            done := subprocess.run(
                ["sh", "-c", command],
                cwd=tenant.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        ).returncode
    }

    assert len(commands) >= 9
    assert failed == {}
