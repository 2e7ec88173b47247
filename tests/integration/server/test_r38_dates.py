"""R38 against the whole server, with a clock that is moved: dates of contract revisions, and what is a warning."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chainloop_ci.contract.types import MaterialType
from server.store.times import to_text
from tests.integration.server.conftest import EPOCH, Clock, Tenant
from tests.integration.server.jobs import CONTRACT, Job

STRICTER = CONTRACT.replace(b"  envAllowList:", b"    - {name: scan, type: SARIF}\n  envAllowList:")
DATE = "2026-12-04T12:00:00Z"
"""Two weeks after the epoch."""


def another(job: Job, **changes: Any) -> Job:
    return replace(job, run_id=str(uuid.uuid4()), materials={}, **changes)


@pytest.fixture
def apply(api: Any, acme: Tenant) -> Any:
    """Return what stores a contract as an operator does."""

    def apply(contract: bytes = STRICTER, date: str | None = DATE, **headers: str) -> Any:
        query = f"?enforceFrom={date}" if date else ""
        sent = {"Content-Type": "application/yaml", **headers}
        return api(acme.token("operate")).put(f"/contracts/app-build{query}", data=contract, headers=sent)

    return apply


def attest(job: Job, **changes: Any) -> Any:
    """Begin, add everything that the first contract asks for, push; return the last answer."""
    begun = job.begin(**changes)
    if begun.status_code != 201:
        return begun
    job.add_everything()
    return job.push()


def test_r38_before_its_date_a_run_is_held_to_the_enforced_revision_and_told_of_the_new_one(
    job: Job, apply: Any
) -> None:
    apply()

    context = job.api.get("/crafting-context").json
    pushed = attest(job)

    shown = job.api.get(job.path).json
    assert (context["contract"]["revision"], context["contract"]["latestRevision"]) == (2, 3)
    assert [(item["revision"], item["enforcedFrom"]) for item in context["upcoming"]] == [(3, DATE)]
    assert (pushed.status_code, pushed.json["state"]) == (201, "success")
    assert pushed.json["newRequirements"] == shown["newRequirements"] == [
        {
            "revision": 3,
            "enforcedFrom": DATE,
            "code": "missing-material",
            "message": "the material scan (SARIF) is required and was not added",
            "path": "/spec/materials/7",
            "hint": "chainloop attestation add --name scan --value <file>",
        }
    ]  # fmt: skip


def test_r38_what_has_the_new_material_is_not_warned(job: Job, apply: Any) -> None:
    apply(CONTRACT.replace(b"{name: log, type: EVIDENCE, optional: true", b"{name: log, type: EVIDENCE"))
    job.begin()
    job.add_everything()
    job.add_file("log", MaterialType.EVIDENCE, b"all of it", "log.txt")

    assert job.push().json["newRequirements"] == []


def test_r38_from_its_date_on_the_new_revision_is_what_runs_are_held_to(job: Job, apply: Any, clock: Clock) -> None:
    apply()
    clock.advance(days=14)
    old, new = another(job), another(job, contract=STRICTER, revision=3)

    context = job.api.get("/crafting-context").json
    refused_pin, refused_push = attest(old), attest(new)

    assert (context["contract"]["revision"], context["upcoming"]) == (3, [])
    assert (refused_pin.status_code, refused_pin.json["findings"][0]["code"]) == (422, "revision-too-old")
    assert refused_push.status_code == 422
    assert [finding["code"] for finding in refused_push.json["findings"][:1]] == ["missing-material"]


def test_r38_a_run_that_was_begun_before_the_date_succeeds_after_it_with_the_warning(
    job: Job, apply: Any, clock: Clock
) -> None:
    apply(date=to_text(EPOCH + timedelta(hours=1)))
    job.begin()
    job.add_everything()
    clock.advance(hours=2)

    pushed = job.push()

    assert (pushed.status_code, pushed.json["state"]) == (201, "success")
    assert [item["code"] for item in pushed.json["newRequirements"]] == ["missing-material"]


def test_r38_who_pins_the_new_revision_early_is_held_to_it(job: Job, apply: Any) -> None:
    apply()

    pushed = attest(another(job, contract=STRICTER, revision=3))

    assert (pushed.status_code, pushed.json["code"]) == (422, "attestation-refused")


def test_r38_a_minimum_that_an_operator_has_raised_does_not_wait_for_the_date(
    job: Job, api: Any, acme: Tenant, apply: Any
) -> None:
    apply()
    api(acme.token("operate")).patch(f"/workflows/{acme.workflows['app/build']}", json={"minimumRevision": 3})

    assert job.api.get("/crafting-context").json["contract"]["revision"] == 3


def test_r38_a_late_run_is_judged_by_the_revision_in_force(job: Job, apply: Any) -> None:
    apply()
    early = another(job, contract=STRICTER, revision=3)

    refused, begun = early.begin(late=True), job.begin(late=True)

    assert (refused.status_code, begun.status_code) == (409, 201)
    assert "the revision of contract app-build that is in force, 2" in refused.json["detail"]


def test_r38_each_revision_that_will_be_enforced_warns_with_its_own_date(job: Job, apply: Any) -> None:
    later = "2026-12-20T00:00:00Z"
    apply()
    apply(STRICTER.replace(b"- {name: scan", b"- {name: more, type: STRING}\n    - {name: scan"), later)

    warned = attest(job).json["newRequirements"]

    assert [(item["revision"], item["enforcedFrom"], item["message"].split()[2]) for item in warned] == [
        (3, DATE, "scan"),
        (4, later, "more"),
    ]


def test_r38_a_newer_revision_that_is_enforced_earlier_takes_the_place_of_one_that_waits(job: Job, apply: Any) -> None:
    apply()

    stored = apply(CONTRACT + b"# a comment\n", None)

    context = job.api.get("/crafting-context").json
    assert (context["contract"]["revision"], context["upcoming"]) == (4, [])
    assert stored.json["warnings"] == [
        f"revision 3 was to be enforced from {DATE} on; this newer one takes its place, and is enforced at once"
    ]


def test_r38_the_same_bytes_with_another_date_move_it_and_are_audited(
    job: Job, api: Any, acme: Tenant, apply: Any
) -> None:
    apply()

    moved, again, at_once = apply(date="2026-12-24T00:00:00Z"), apply(date=None), apply(date="now")

    actions = [
        (item["action"], item["detail"].get("enforcedFrom"))
        for item in api(acme.token("admin")).get("/audit-records").json["items"][:3]
    ]
    assert [(item.json["revision"], item.json["changed"]) for item in (moved, again, at_once)] == [(3, False)] * 3
    assert moved.json["enforcedFrom"] == again.json["enforcedFrom"] == "2026-12-24T00:00:00Z"
    assert at_once.json["enforcedFrom"] == "2026-11-20T12:00:00Z"
    assert actions == [
        ("contract.rescheduled", {"from": "2026-12-24T00:00:00Z", "to": "2026-11-20T12:00:00Z"}),
        ("contract.rescheduled", {"from": DATE, "to": "2026-12-24T00:00:00Z"}),
        ("contract.revised", DATE),
    ]


@pytest.mark.parametrize(
    ("date", "status", "said"),
    [
        ("2026-11-20T11:59:59Z", 422, "expected a date that is still to come"),
        ("2025-12-04T12:00:00Z", 422, "expected a date that is still to come"),
        ("next week", 422, "expected a time like 2026-01-31T12:00:00Z, or now"),
        ("2026-12-04T12:00:00", 422, "expected a time like"),
    ],
)
def test_r38_a_date_that_is_none_or_has_passed_is_refused(
    job: Job, apply: Any, date: str, status: int, said: str
) -> None:
    refused = apply(date=date)

    assert refused.status_code == status
    assert said in refused.json["detail"]
    assert job.api.get("/crafting-context").json["contract"]["latestRevision"] == 2


def test_r38_an_enforced_revision_gets_no_other_date(job: Job, apply: Any, clock: Clock) -> None:
    apply()
    clock.advance(days=15)

    assert apply(date="2027-01-01T00:00:00Z").status_code == 409
    assert apply(date="now").status_code == 200


def test_r38_a_first_revision_has_no_date(api: Any, acme: Tenant) -> None:
    raw = CONTRACT.replace(b"app-build", b"fresh")

    refused = api(acme.token("operate")).put(
        f"/contracts/fresh?enforceFrom={DATE}", data=raw, headers={"Content-Type": "application/yaml"}
    )

    assert (refused.status_code, refused.json["findings"][0]["code"]) == (422, "enforcement-date")
    assert api(acme.token("operate")).get("/contracts/fresh").status_code == 404


def test_r38_a_jobs_token_sets_no_date(api: Any, acme: Tenant, job: Job) -> None:
    refused = job.api.put(
        f"/contracts/app-build?enforceFrom={DATE}", data=STRICTER, headers={"Content-Type": "application/yaml"}
    )

    assert refused.status_code == 403


def test_r38_every_requirement_of_a_new_revision_is_a_warning_until_then(job: Job, apply: Any) -> None:
    strictest = (
        CONTRACT.replace(b"[DEPLOY_TARGET]", b"[DEPLOY_TARGET, REGION]")
        .replace(b"GITHUB_ACTION", b"GITLAB_PIPELINE")
        .replace(b"- {name: ticket}", b"- {name: ticket}\n    - {name: approver}")
        .replace(b"{name: binary, type: ARTIFACT", b"{name: binary, type: EVIDENCE")
    )
    apply(strictest)

    pushed = attest(job)

    assert pushed.json["state"] == "success"
    assert {item["code"] for item in pushed.json["newRequirements"]} == {
        "missing-variable",
        "runner-mismatch",
        "missing-annotation",
        "wrong-material-type",
    }


def test_r38_lists_and_revisions_say_their_dates(job: Job, api: Any, acme: Tenant, apply: Any) -> None:
    apply()
    reader = api(acme.token("read"))

    listed = reader.get("/contracts/app-build/revisions").json["items"]
    shown = reader.get("/contracts/app-build/revisions/3").json

    assert [item["enforcedFrom"] for item in listed] == [DATE, "2026-11-20T12:00:00Z", "2026-11-20T12:00:00Z"]
    assert shown["enforcedFrom"] == DATE
