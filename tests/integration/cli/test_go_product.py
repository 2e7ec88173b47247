"""What the Go product left behind: its state, its bundles (corpus `go-product`), read by our command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.integration.live import CommandLine


@pytest.fixture
def folder(corpus: Path, tmp_path: Path) -> Path:
    """Return a copy of the Go product's files."""
    return Path(shutil.copytree(corpus / "go-product", tmp_path / "theirs", copy_function=shutil.copyfile))


@pytest.fixture
def chainloop(folder: Path) -> CommandLine:
    folder.chmod(0o755)
    return CommandLine(folder)


def test_its_crafting_state_is_read_and_described(chainloop: CommandLine, folder: Path) -> None:
    before = (folder / "crafting-state.json").read_bytes()

    answer = chainloop("attestation", "status", "--full", "--local-state-path", "crafting-state.json", "-o", "json")

    assert answer.status == 0, answer
    theirs = json.loads(before)["attestation"]
    assert answer.document["attestationID"] == theirs["workflow"]["workflowRunId"]
    assert {entry["name"] for entry in answer.document["materials"]} >= theirs["materials"].keys()
    assert (folder / "crafting-state.json").read_bytes() == before


def test_its_bundle_signed_by_a_key_verifies(chainloop: CommandLine) -> None:
    answer = chainloop("attestation", "verify", "--bundle", "bundle-key.json", "--key", "cosign.pub", "-o", "json")

    assert answer.status == 0, answer
    assert (answer.document["organization"], answer.document["workflow"]) == ("bench", "build")
    assert {deviation["code"] for deviation in answer.document["deviations"]} == {"media-type", "verification-material"}


@pytest.mark.parametrize("key", [(), ("--key", "cosign.pub")], ids=["no key", "another key"])
def test_its_bundle_signed_by_a_certificate_is_answered_with_8(chainloop: CommandLine, key: tuple[str, ...]) -> None:
    answer = chainloop("attestation", "verify", "--bundle", "bundle-file-ca.json", *key)

    assert answer.status == 8, answer
    assert "signed by a certificate that nobody here trusts" in answer.stderr


def test_its_bundle_signed_by_a_certificate_is_described(chainloop: CommandLine) -> None:
    answer = chainloop("attestation", "describe", "--bundle", "bundle-file-ca.json", "-o", "json")

    assert answer.status == 0, answer
    shown = answer.document
    assert shown["digest"] == "sha256:b5efe698459768756fa684320e6fc49192c6634b640a4f241c4e421f540ac811"
    assert shown["signer"].startswith("a certificate: O=726eb5d8-9b9b-4613-aed5-51ea6fd200f6, issued by CN=chainloop")
    assert "from 2026-11-20T14:53:37Z to 2026-11-20T15:03:37Z" in shown["signer"]
    assert shown["verified"] is False
    assert {entry["name"] for entry in shown["materials"]} >= {"sbom", "sarif", "junit", "bin", "word"}


def test_a_description_says_that_nothing_was_verified(chainloop: CommandLine) -> None:
    answer = chainloop("attestation", "describe", "--bundle", "bundle-key.json")

    assert answer.status == 0, answer
    assert "Attestation (not verified)" in answer.stdout
    assert "a key without a name" in answer.stdout
    assert "INF nothing was verified" in answer.stderr
    assert answer.stderr.count("WRN the control plane would not store it") == 2
