"""The graph of referrers: written with the attestation, seen by its organization and scope (reference section 10)."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from chainloop_ci.contract.types import MaterialType
from tests.integration.server.conftest import Tenant
from tests.integration.server.jobs import COMMIT, EMPTY_CONTRACT, Job, Key, put_contract, register_key


@pytest.fixture
def pushed(job: Job) -> tuple[Job, str]:
    """Return a job that pushed, and its attestation's digest."""
    job.begin()
    job.add_everything()
    answer = job.push()
    assert answer.status_code == 201, answer.text
    return job, answer.json["digest"]


@pytest.fixture
def reader(api: Any, acme: Tenant) -> Any:
    return api(acme.token("read"))


def test_an_attestation_refers_to_its_materials_and_its_commit(pushed: tuple[Job, str], reader: Any) -> None:
    job, digest = pushed

    graph = reader.get(f"/referrers/{digest}").json

    assert graph["node"]["kind"] == "ATTESTATION"
    assert graph["node"]["downloadable"] is True
    assert graph["node"]["metadata"]["name"] == "build"
    assert {(node["kind"], node["digest"]) for node in graph["references"]} == {
        ("GIT_HEAD_COMMIT", f"sha1:{COMMIT}"),
        *((entry.type.value, entry.digest) for entry in job.materials.values()),
    }


@pytest.mark.parametrize("name", ["sbom", "image", "commit"])
def test_what_was_attested_refers_back_to_its_attestation(pushed: tuple[Job, str], reader: Any, name: str) -> None:
    job, digest = pushed
    known = f"sha1:{COMMIT}" if name == "commit" else job.materials[name].digest

    graph = reader.get(f"/referrers/{known}").json

    assert [(node["kind"], node["digest"]) for node in graph["references"]] == [("ATTESTATION", digest)]


def test_two_runs_with_the_same_content_share_its_node(pushed: tuple[Job, str], reader: Any) -> None:
    job, digest = pushed
    again = Job(job.api, job.tenant, job.key, run_id=str(uuid.uuid4()))
    again.begin()
    again.add_everything()
    second = again.push().json["digest"]

    graph = reader.get(f"/referrers/{job.materials['sbom'].digest}").json

    assert {node["digest"] for node in graph["references"]} == {digest, second}


def test_neighbours_come_in_pages(pushed: tuple[Job, str], reader: Any) -> None:
    path = f"/referrers/{pushed[1]}?limit=4"

    first = reader.get(path).json
    rest = reader.get(f"{path}&cursor={first['nextCursor']}").json

    found = [node["digest"] for node in first["references"] + rest["references"]]
    assert (len(first["references"]), len(rest["references"])) == (4, 2)
    assert found == sorted(found)
    assert "nextCursor" not in rest


def test_a_digest_of_two_kinds_asks_which_one_is_meant(api: Any, acme: Tenant, key: Key, reader: Any) -> None:
    put_contract(api, acme, EMPTY_CONTRACT)
    register_key(api, acme, key)
    job = Job(api(acme.token("attest")), acme, key, contract=EMPTY_CONTRACT)
    job.begin()
    job.add_file("one", MaterialType.ARTIFACT, b"same", "one")
    job.add_file("two", MaterialType.EVIDENCE, b"same", "two")
    job.push()
    path = f"/referrers/{job.materials['one'].digest}"

    unclear, clear = reader.get(path), reader.get(f"{path}?kind=EVIDENCE")

    assert unclear.status_code == 422
    assert "ARTIFACT, EVIDENCE" in unclear.json["detail"]
    assert clear.json["node"]["kind"] == "EVIDENCE"


def test_another_organization_sees_nothing_of_the_graph(pushed: tuple[Job, str], api: Any, rival: Tenant) -> None:
    job, digest = pushed
    stranger = api(rival.token("admin"))

    answers = [stranger.get(f"/referrers/{known}") for known in (digest, job.materials["sbom"].digest)]

    assert [answer.status_code for answer in answers] == [404, 404]


def test_a_reader_of_one_project_does_not_see_edges_of_another(pushed: tuple[Job, str], api: Any, acme: Tenant) -> None:
    job, _ = pushed
    put_contract(api, acme, EMPTY_CONTRACT.replace(b"app-build", b"other-build"), "other-build")
    register_key(api, acme, other_key := Key(), "other", projects=["other"])
    other = Job(
        api(acme.token("attest")),
        acme,
        other_key,
        workflow="other/build",
        contract=EMPTY_CONTRACT.replace(b"app-build", b"other-build"),
    )
    other.begin()
    other.add_image("image", output=False)
    other.add_file("secret", MaterialType.ARTIFACT, b"of the other project", "secret")
    hidden = other.push()
    scoped = api(acme.token("read", "project"))

    shared = scoped.get(f"/referrers/{job.materials['image'].digest}").json

    assert hidden.status_code == 201, hidden.text
    assert len(shared["references"]) == 1
    assert scoped.get(f"/referrers/{hidden.json['digest']}").status_code == 404
    assert scoped.get(f"/referrers/{other.materials['secret'].digest}").status_code == 404


def test_annotations_of_users_stay_with_their_own_attestation(pushed: tuple[Job, str], reader: Any) -> None:
    job, _ = pushed
    again = Job(job.api, job.tenant, job.key, run_id=str(uuid.uuid4()))
    again.begin()
    again.add_everything()
    again.add_file("note", MaterialType.EVIDENCE, b"a note", "note.txt", annotations={"owner": "team-a"})
    again.push()

    node = reader.get(f"/referrers/{again.materials['note'].digest}").json["node"]

    assert node["annotations"] == {"chainloop.material.size": "6"}


def test_a_refused_attestation_adds_nothing_to_the_graph(job: Job, reader: Any) -> None:
    job.begin()
    job.add_everything()
    job.push(Key().bundle(job.payload()))

    answer = reader.get(f"/referrers/{job.materials['sbom'].digest}")

    assert answer.status_code == 404


def test_a_job_does_not_read_the_graph(pushed: tuple[Job, str]) -> None:
    job, digest = pushed

    assert job.api.get(f"/referrers/{digest}").status_code == 403
