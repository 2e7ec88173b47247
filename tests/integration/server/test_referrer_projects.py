"""Projects of one organization that attest the same digests: whose word is shown to whom (R12, R13, T38)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from chainloop_ci.attestation.state import CraftedMaterial
from chainloop_ci.contract.types import MaterialType
from chainloop_ci.digests import sha256_digest
from tests.integration.server.conftest import EPOCH, Tenant
from tests.integration.server.jobs import COMMIT, Job, Key, put_contract, register_key

CONTENT = b"the firmware of a project"
DIGEST = sha256_digest(CONTENT)
COMMIT_PATH = f"/referrers/sha1:{COMMIT}"
CONTENT_PATH = f"/referrers/{DIGEST}"

CONTRACT = """apiVersion: chainloop.dev/v1
kind: Contract
metadata: {name: %s-build}
spec:
  materials:
    - {name: content, type: ARTIFACT, skipUpload: true}
"""

Begin = Callable[[str], Job]


@pytest.fixture
def begin(api: Any, acme: Tenant) -> Begin:
    """Return a function that begins a run of a project, each with a key of its own."""
    keys: dict[str, Key] = {}

    def run(project: str) -> Job:
        contract = (CONTRACT % project).encode()
        if project not in keys:
            put_contract(api, acme, contract, f"{project}-build")
            keys[project] = Key()
            register_key(api, acme, keys[project], project, projects=[project])
        job = Job(
            api(acme.token("attest")),
            acme,
            keys[project],
            workflow=f"{project}/build",
            contract=contract,
            run_id=str(uuid.uuid4()),
        )
        job.begin()
        return job

    return run


@pytest.fixture
def of_app(api: Any, acme: Tenant) -> Any:
    """Return a reader of the project `app` only."""
    return api(acme.token("read", "project"))


@pytest.fixture
def of_all(api: Any, acme: Tenant) -> Any:
    return api(acme.token("read"))


def push(job: Job, **commit: str) -> None:
    def say(document: Any) -> None:
        for subject in document["subject"]:
            if subject["name"] == "git.head":
                subject["annotations"].update(commit)

    answer = job.push(job.key.bundle(job.payload(say)))
    assert answer.status_code == 201, answer.text


def claim(job: Job, size_bytes: int) -> None:
    """Name the digest of a content that the job does not have."""
    job.materials["content"] = CraftedMaterial(
        "content", MaterialType.ARTIFACT, DIGEST, EPOCH, filename="x", size_bytes=size_bytes, uploaded=False
    )


def attest_a_claim(begin: Begin, project: str, size_bytes: int = 3, **commit: str) -> None:
    job = begin(project)
    claim(job, size_bytes)
    push(job, **commit)


def attest_the_content(begin: Begin, project: str, **commit: str) -> None:
    job = begin(project)
    job.add_file("content", MaterialType.ARTIFACT, CONTENT, "firmware.bin")
    push(job, **commit)


def node(reader: Any, path: str) -> Any:
    return reader.get(path).json["node"]


def size_of(shown: Any) -> str | None:
    size: str | None = shown["annotations"].get("chainloop.material.size")
    return size


def test_t38_who_attests_a_digest_of_another_project_learns_nothing_of_it(begin: Begin, of_app: Any) -> None:
    attest_the_content(begin, "other", message="their secret release", **{"author.email": "dev@other"})
    attest_a_claim(begin, "app", size_bytes=3, message="of app")

    commit, content = node(of_app, COMMIT_PATH), node(of_app, CONTENT_PATH)

    assert commit["annotations"]["message"] == "of app"
    assert "dev@other" not in str(commit)
    assert (content["downloadable"], size_of(content)) == (False, "3")


def test_r12_the_first_project_to_name_a_digest_does_not_speak_for_the_next(begin: Begin, of_app: Any) -> None:
    attest_a_claim(begin, "other", message="approved by the security team")
    attest_the_content(begin, "app", message="work in progress")

    commit, content = node(of_app, COMMIT_PATH), node(of_app, CONTENT_PATH)

    assert commit["annotations"]["message"] == "work in progress"
    assert (content["downloadable"], size_of(content)) == (True, str(len(CONTENT)))


@pytest.mark.parametrize("order", [("claim", "content"), ("content", "claim")])
def test_r12_content_that_is_held_comes_before_what_was_only_said(
    begin: Begin, of_all: Any, order: tuple[str, str]
) -> None:
    for what in order:
        if what == "claim":
            attest_a_claim(begin, "other")
        else:
            attest_the_content(begin, "app")

    content = node(of_all, CONTENT_PATH)

    assert (content["downloadable"], size_of(content)) == (True, str(len(CONTENT)))


def test_r12_the_organization_is_shown_only_what_its_projects_agree_in(begin: Begin, of_all: Any) -> None:
    attest_a_claim(begin, "other", message="approved by the security team", date="2026-01-01T00:00:00Z")
    attest_a_claim(begin, "app", size_bytes=4, message="work in progress", date="2026-01-01T00:00:00Z")

    commit, content = node(of_all, COMMIT_PATH), node(of_all, CONTENT_PATH)

    assert "message" not in commit["annotations"]
    assert commit["annotations"]["date"] == "2026-01-01T00:00:00Z"
    assert size_of(content) is None


def test_of_one_project_the_newest_word_is_shown(begin: Begin, of_app: Any, of_all: Any) -> None:
    attest_a_claim(begin, "app", size_bytes=3, message="first")
    attest_a_claim(begin, "app", size_bytes=4, message="second")

    shown = [(node(reader, COMMIT_PATH)["annotations"]["message"], size_of(node(reader, CONTENT_PATH))) for reader in
             (of_app, of_all)]  # fmt: skip

    assert shown == [("second", "4"), ("second", "4")]


def test_r12_a_project_that_holds_content_does_not_forget_its_facts(begin: Begin, of_app: Any) -> None:
    attest_the_content(begin, "app")
    attest_a_claim(begin, "app")

    content = node(of_app, CONTENT_PATH)

    assert (content["downloadable"], size_of(content)) == (True, str(len(CONTENT)))


def test_t38_a_node_is_as_old_as_the_project_has_known_it(begin: Begin, clock: Any, of_app: Any, of_all: Any) -> None:
    attest_a_claim(begin, "other")
    clock.advance(hours=1)
    attest_a_claim(begin, "app")

    own, whole = node(of_app, CONTENT_PATH), node(of_all, CONTENT_PATH)

    assert own["createdAt"] > whole["createdAt"]
