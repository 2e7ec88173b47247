"""Two organizations on one server: what one has is nothing to the other, not even a difference (R7, R8; threat T38)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, select

from server.app import create_app
from server.store.tables import artifacts, run_artifacts
from server.wiring import Services, build_services
from tests.integration.server.conftest import Api, Tenant
from tests.integration.server.jobs import CONTRACT, Job, Key, digest, put_contract, register_key

OCTETS = {"Content-Type": "application/octet-stream"}
CONTENT = b"what only acme has"
DIGEST = digest(CONTENT)
UNKNOWN = digest(b"what nobody has")


@pytest.fixture
def theirs(api: Any, rival: Tenant) -> Job:
    """Return a job of `rival` that has begun its run."""
    key = Key()
    put_contract(api, rival)
    register_key(api, rival, key)
    job = Job(api(rival.token("attest", "workflow")), rival, key)
    assert job.begin().status_code == 201
    return job


@pytest.fixture
def held(api: Any, acme: Tenant) -> str:
    """Let `acme` have the content, and return its path."""
    answer = api(acme.token("operate")).put(f"/artifacts/{DIGEST}", data=CONTENT, headers=OCTETS)
    assert answer.status_code == 201
    return f"/artifacts/{DIGEST}"


def mappings(services: Services, organization_id: str) -> list[str]:
    """Return the digests that an organization, or a run of it, is said to have."""
    with services.database.read() as connection:
        return [
            row.digest
            for table in (artifacts, run_artifacts)
            for row in connection.execute(select(table.c.digest).where(table.c.organization_id == organization_id))
        ]


@contextmanager
def statements(services: Services) -> Iterator[list[str]]:
    """Collect what is asked of the database."""
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, _values: Any, _context: Any, _many: bool) -> None:
        seen.append(statement)

    event.listen(services.database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(services.database.engine, "before_cursor_execute", note)


# --- R7 --------------------------------------------------------------------------------------------------------------


def test_r7_a_bundle_that_names_anothers_digest_is_refused_and_makes_no_mapping(
    services: Services, rival: Tenant, theirs: Job, held: str
) -> None:
    theirs.add_everything()
    theirs.replace_material("binary", digest=DIGEST, size_bytes=len(CONTENT))
    before = mappings(services, rival.id)

    answer = theirs.push()

    assert answer.status_code == 422
    assert any(DIGEST in finding["message"] for finding in answer.json["findings"])
    assert mappings(services, rival.id) == before
    assert DIGEST not in before


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("role", ["attest", "read", "operate", "admin"])
def test_r7_asking_for_anothers_digest_finds_nothing_and_makes_no_mapping(
    services: Services, api: Any, rival: Tenant, held: str, role: str, method: str
) -> None:
    answer = api(rival.token(role)).request(method, held)

    assert answer.status_code == 404
    assert mappings(services, rival.id) == []


def test_r7_a_reference_to_anothers_digest_finds_nothing_and_makes_no_mapping(
    services: Services, rival: Tenant, theirs: Job, held: str
) -> None:
    answer = theirs.api.post(theirs.path + held, headers=theirs.headers)

    assert answer.status_code == 404
    assert mappings(services, rival.id) == []


def requests(theirs: Job, reader: Api) -> dict[str, Callable[[str], Any]]:
    """Return every way to ask for a digest."""
    return {
        "GET artifact": lambda found: reader.get(f"/artifacts/{found}"),
        "HEAD artifact": lambda found: reader.head(f"/artifacts/{found}"),
        "GET artifact as a job": lambda found: theirs.api.get(f"/artifacts/{found}"),
        "refer to an artifact": lambda found: theirs.api.post(
            f"{theirs.path}/artifacts/{found}", headers=theirs.headers
        ),
        "GET attestation": lambda found: reader.get(f"/attestations/{found}"),
        "GET referrers": lambda found: reader.get(f"/referrers/{found}?depth=3"),
        "list runs": lambda found: reader.get(f"/workflow-runs?digest={found}"),
    }


@pytest.mark.parametrize(
    "way",
    [
        "GET artifact",
        "HEAD artifact",
        "GET artifact as a job",
        "refer to an artifact",
        "GET attestation",
        "GET referrers",
        "list runs",
    ],
)
def test_r7_anothers_digest_takes_the_same_work_as_an_unknown_one(
    services: Services, api: Any, rival: Tenant, job: Job, theirs: Job, held: str, way: str
) -> None:
    job.begin()
    job.add_everything()
    attested = job.push().json["digest"]
    ask = requests(theirs, api(rival.token("read")))[way]
    of_acme = attested if way in ("GET attestation", "GET referrers", "list runs") else DIGEST
    ask(UNKNOWN)  # the first request of a token also writes when it was last used

    with statements(services) as for_acme:
        answer = ask(of_acme)
    with statements(services) as for_unknown:
        expected = ask(UNKNOWN)

    assert for_acme == for_unknown
    assert answer.status_code == expected.status_code
    assert len(answer.data) == len(expected.data)


# --- R8 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_r8_a_job_token_does_not_read_what_a_run_of_another_workflow_uploaded(
    api: Any, acme: Tenant, job: Job, method: str
) -> None:
    raw = CONTRACT.replace(b"app-build", b"app-deploy")
    put_contract(api, acme, raw, "app-deploy")
    other = Job(api(acme.token("attest", "project")), acme, job.key, contract=raw, workflow="app/deploy")
    assert other.begin().status_code == 201
    other.upload(CONTENT, "secret.bin")

    answer = job.api.request(method, f"/artifacts/{DIGEST}")

    assert answer.status_code == 403
    assert CONTENT not in answer.data


def test_r8_a_reference_of_a_run_gives_its_token_no_right_to_read(api: Any, acme: Tenant, job: Job, held: str) -> None:
    job.begin()

    referred = job.api.post(job.path + held, headers=job.headers)

    assert referred.status_code in (200, 201, 204)
    assert CONTENT not in referred.data
    assert job.api.get(held).status_code == 403
    assert job.api.head(held).status_code == 403
    assert api(acme.token("read")).get(held).data == CONTENT


def test_r8_a_full_organization_gets_507_with_the_numbers_keeps_nothing_and_reads_on(
    services: Services, api: Any, acme: Tenant, rival: Tenant, held: str
) -> None:
    api(acme.token("admin")).patch(f"/organizations/{acme.name}", json={"quotaBytes": len(CONTENT) + 5})
    before = mappings(services, acme.id)

    answer = api(acme.token("operate")).post("/artifacts", data=b"6 more", headers=OCTETS)

    assert (answer.status_code, answer.json["code"]) == (507, "quota-exceeded")
    assert str(len(CONTENT) + 5) in answer.json["detail"]
    assert "5 left" in answer.json["detail"]
    assert mappings(services, acme.id) == before
    assert blobs(services) == [DIGEST.removeprefix("sha256:")]
    assert api(acme.token("read")).get(held).data == CONTENT
    assert api(rival.token("operate")).post("/artifacts", data=b"6 more", headers=OCTETS).status_code == 201


def test_r8_a_run_at_its_quota_gets_507_with_the_numbers_keeps_nothing_and_reads_on(
    services: Services, acme: Tenant, job: Job
) -> None:
    job.begin()
    small = build_services(replace(services.config, run_quota_bytes=20), services.world)
    job.api = Api(create_app(small).test_client(), acme.token("attest", "workflow"))
    job.upload(CONTENT, "fits.bin")
    before = mappings(services, acme.id)

    answer = job.upload(b"three", "too-much.bin")

    assert (answer.status_code, answer.json["code"]) == (507, "quota-exceeded")
    assert "workflow run" in answer.json["detail"]
    assert "20" in answer.json["detail"]
    assert "2 left" in answer.json["detail"]
    assert mappings(services, acme.id) == before
    assert blobs(services) == [DIGEST.removeprefix("sha256:")]
    assert job.api.get(f"/artifacts/{DIGEST}").data == CONTENT


def blobs(services: Services) -> list[str]:
    return sorted(path.name for path in services.config.blobs_path.rglob("*") if path.is_file())
