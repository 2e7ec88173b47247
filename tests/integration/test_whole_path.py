"""From init to a stored, verified attestation, through real processes."""

from __future__ import annotations

import hashlib

from tests.integration.live import Job


def attest(job: Job) -> None:
    (job.tenant.folder / "binary").write_bytes(b"\x7fELF" + bytes(2000))
    for words in (
        ("init",),
        ("add", "--name", "binary", "--value", "binary"),
        ("add", "--name", "version", "--value", "1.0.0"),
    ):
        answer = job.chainloop("attestation", *words)
        assert answer.status == 0, answer


def test_a_run_becomes_a_success_with_a_verified_attestation(job: Job) -> None:
    attest(job)

    pushed = job.chainloop("attestation", "push", "--bundle", "bundle.json")

    assert pushed.status == 0, pushed
    digest = "sha256:" + hashlib.sha256((job.tenant.folder / "bundle.json").read_bytes()).hexdigest()
    (run,) = job.runs()
    assert (run["state"], run["attestationDigest"]) == ("success", digest)
    stored = job.tenant.request("GET", f"/attestations/{digest}")
    assert stored.data == (job.tenant.folder / "bundle.json").read_bytes()


def test_a_pushed_bundle_verifies_offline(job: Job) -> None:
    attest(job)
    job.chainloop("attestation", "push", "--bundle", "bundle.json")

    answer = job.chainloop("attestation", "verify", "--bundle", "bundle.json", "--key", job.public_key)

    assert answer.status == 0, answer


def test_what_was_attested_is_downloaded_again(job: Job) -> None:
    attest(job)
    job.chainloop("attestation", "push")
    digest = "sha256:" + hashlib.sha256((job.tenant.folder / "binary").read_bytes()).hexdigest()

    answer = job.reader()("artifact", "download", "-d", digest, "--path", "copy")

    assert answer.status == 0, answer
    assert (job.tenant.folder / "copy" / "binary").read_bytes() == (job.tenant.folder / "binary").read_bytes()


def test_a_missing_material_is_exit_3_and_names_it_with_the_command_to_type(job: Job) -> None:
    job.chainloop("attestation", "init")

    answer = job.chainloop("attestation", "push")

    assert answer.status == 3
    assert "binary" in answer.stderr
    assert "version" in answer.stderr
    assert "chainloop attestation add --name version" in answer.stderr
    assert job.runs()[0]["state"] == "initialized"


def test_a_reset_run_is_an_error_with_its_reason(job: Job) -> None:
    job.chainloop("attestation", "init")

    answer = job.chainloop("attestation", "reset", "--reason", "the build broke")

    assert answer.status == 0, answer
    assert (job.runs()[0]["state"], job.runs()[0]["reason"]) == ("error", "the build broke")
