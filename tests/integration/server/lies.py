"""A client that lies: changes to an honest statement or bundle, and what a refusal has to look like (R9-R11)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from server.store.tables import metadata
from server.wiring import Services
from tests.integration.server.jobs import Job, digest

Document = dict[str, Any]
Lie = Callable[[Document], object]


def count_rows(services: Services) -> dict[str, int]:
    """Return how many rows every table has; those of counters come and stay with the first thing that is counted."""
    with services.database.read() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
            if table.name != "counters"
        }


@pytest.fixture
def honest(job: Job) -> Job:
    """Return a job that has begun and added everything; it only has to push."""
    job.begin()
    job.add_everything()
    return job


def assert_refused(services: Services, job: Job, bundle: bytes, path: str, code: str) -> TestResponse:
    """Push, and check that the refusal names the field, is described, and that nothing else changed."""
    before, rows = job.api.get(job.path).json, count_rows(services)

    answer = job.push(bundle)

    after = job.api.get(job.path).json
    assert answer.status_code == 422, answer.text
    assert answer.json["code"] == "attestation-refused"
    found = [(finding.get("path"), finding["code"]) for finding in answer.json["findings"]]
    assert (path, code) in found, found
    assert after["run"] == before["run"] | {"refusals": before["run"]["refusals"] + 1}
    assert after["refusals"][-1]["findings"] == answer.json["findings"]
    assert after["refusals"][-1]["bundleDigest"] == digest(bundle)
    # The refusal, and the event that tells of it.
    assert count_rows(services) == rows | {name: rows[name] + 1 for name in ("refused_stores", "events")}
    return answer


def put(*path: str | int, value: object) -> Lie:
    """Return the lie that sets one value."""

    def lie(document: Document) -> None:
        place: Any = document
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value

    return lie


def drop(*path: str | int) -> Lie:
    """Return the lie that leaves one value out."""

    def lie(document: Document) -> None:
        place: Any = document
        for part in path[:-1]:
            place = place[part]
        del place[path[-1]]

    return lie


# The statement lists materials by name: binary, image, sbom, unit, version; subjects: workflow, commit, binary, image.
BINARY, IMAGE, SBOM, UNIT, VERSION = range(5)
META = ("predicate", "metadata")
MATERIALS = ("predicate", "materials")
OTHER_ID = "00000000-0000-4000-8000-000000000000"
OTHER_DIGEST = "0" * 64


def without(name: str) -> Lie:
    """Return the lie that leaves a material out, among the subjects too."""

    def lie(document: Document) -> None:
        label = "chainloop.material.name"
        predicate = document["predicate"]
        predicate["materials"] = [item for item in predicate["materials"] if item["annotations"][label] != name]
        document["subject"] = [item for item in document["subject"] if item.get("annotations", {}).get(label) != name]

    return lie


def edited(bundle: bytes, change: Lie) -> bytes:
    """Return a bundle whose envelope was changed after signing."""
    document = json.loads(bundle)
    change(document)
    return json.dumps(document).encode()
