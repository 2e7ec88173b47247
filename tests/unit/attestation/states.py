"""Crafting states and keys for the tests of this folder."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime

from chainloop_ci.attestation.state import (
    CasPin,
    CraftedMaterial,
    CraftingState,
    GitHead,
    ImageReference,
    Remote,
    RunnerFacts,
    Session,
    WorkflowPin,
)
from chainloop_ci.contract.types import Contract, ContractMaterial, MaterialType, RunnerType
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.materials.types import MainComponent
from chainloop_ci.runners.types import CiIdentity

INITIALIZED = datetime(2026, 11, 20, 14, 53, 33, 321683, tzinfo=UTC)
FINISHED = datetime(2026, 11, 20, 14, 53, 37, 295849, tzinfo=UTC)
BUILDER = "chainloop.dev/cli/1.0.0@sha256:" + "0" * 64
COMMIT = "6417e226890ae1340cecc9cd9d7692445ee3338e"


def material(name: str, type: MaterialType = MaterialType.ARTIFACT, **facts: object) -> CraftedMaterial:
    defaults = {"digest": sha256_digest(name.encode()), "added_at": INITIALIZED, "filename": f"{name}.bin"}
    return CraftedMaterial(name=name, type=type, **{**defaults, **facts})  # type: ignore[arg-type]


def string(name: str, value: str) -> CraftedMaterial:
    digest = sha256_digest(value.encode())
    return material(name, MaterialType.STRING, value=value, digest=digest, filename=None, size_bytes=len(value))


def image(name: str) -> CraftedMaterial:
    digest = sha256_digest(name.encode())
    reference = ImageReference("ghcr.io/acme/app", digest, tag="v1", has_latest_tag=True)
    return material(
        name, MaterialType.CONTAINER_IMAGE, digest=digest, image=reference, filename="ghcr.io/acme/app", output=True
    )


def minimal_state(**facts: object) -> CraftingState:
    pin = WorkflowPin("build", "demo", "acme", "contract", 3, sha256_digest(b"contract"))
    defaults: dict[str, object] = {
        "contract": Contract(),
        "pin": pin,
        "initialized_at": INITIALIZED,
        "runner": RunnerFacts(RunnerType.GENERIC),
    }
    return CraftingState(**{**defaults, **facts})  # type: ignore[arg-type]


def full_state() -> CraftingState:
    """Return a state in which every fact is there."""
    sbom = material(
        "sbom",
        MaterialType.SBOM_CYCLONEDX_JSON,
        main_component=MainComponent("app", "1.2", "container"),
        annotations={"chainloop.material.tool.name": "syft", "team": "core"},
        size_bytes=374735,
        required=True,
        uploaded=True,
    )
    added = (
        sbom,
        string("word", "hello"),
        image("app-image"),
        material("bin", output=True, uploaded=True, size_bytes=5),
        material("inline", inline=b"content", size_bytes=7),
        material("digest-only", skip_upload=True),
    )
    return minimal_state(
        contract=Contract(name="contract", materials=(ContractMaterial("sbom", MaterialType.SBOM_CYCLONEDX_JSON),)),
        pin=WorkflowPin(
            name="build",
            project="demo",
            organization="acme",
            contract_name="contract",
            contract_revision=3,
            contract_digest=sha256_digest(b"contract"),
            workflow_id="38127b11-1605-41ab-b86a-a23583d88eb3",
            run_id="acc5e641-ea06-4682-85ff-4a1f0de52367",
            team="core",
            project_version="v1.2.0",
            project_version_prerelease=True,
        ),
        runner=RunnerFacts(
            type=RunnerType.GITHUB_ACTION,
            url="https://github.com/acme/app/actions/runs/1",
            environment="managed",
            env={"GITHUB_ACTOR": "someone", "GITHUB_REF": "refs/heads/main"},
            authenticated=True,
            workflow_file_path=".github/workflows/ci.yml",
            called_workflow="acme/shared/.github/workflows/build.yml@refs/tags/v1",
        ),
        session=Session(
            control_plane="https://cp.test",
            run_handle="handle",
            ci=CiIdentity(
                provider="github",
                server_url="https://github.com",
                repository="acme/app",
                run_id="1",
                run_attempt=2,
                job="build",
                job_index="0",
                runner_name="runner",
                event="pull_request",
                ref="refs/pull/7/merge",
                head_sha=COMMIT,
                pull_request="7",
            ),
            expires_at=FINISHED,
            view_url="https://cp.test/runs/1",
            latest_contract_revision=4,
        ),
        head=GitHead(
            COMMIT, "Ann", "ann@example.com", "message", INITIALIZED, (Remote("origin", "https://example.com/a.git"),)
        ),
        env={"CUSTOM_VAR": "value"},
        annotations={"owner": "ann"},
        materials={entry.name: entry for entry in added},
        cas=CasPin("2f78230b-0e34-48c0-b306-7a92a9b82963", "filesystem", 1024, True),
        auth_id="70d85f9c-3a8c-4d5d-8e12-17bf73895ff3",
    )


@dataclass(frozen=True)
class MacKey:
    """A key of the tests' own: `verification` knows keys only by their protocol."""

    secret: bytes

    @property
    def key_id(self) -> Digest:
        return sha256_digest(self.secret)

    @property
    def hint(self) -> str:
        import base64

        return base64.b64encode(hashlib.sha256(self.secret).digest()).decode()

    def sign(self, message: bytes) -> bytes:
        return b"\x00" + hmac.digest(self.secret, message, "sha256")

    def verify(self, signature: bytes, message: bytes) -> bool:
        return hmac.compare_digest(signature, self.sign(message))
