"""R38: what only a newer revision asks for, whatever it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chainloop_ci.contract.types import (
    Annotation,
    Contract,
    ContractMaterial,
    ContractSchema,
    MaterialType,
    PrivilegedEvent,
    RunnerType,
)
from chainloop_ci.contract.upcoming import (
    Attested,
    Upcoming,
    check_attested,
    find_awaited,
    find_new_requirements,
)

DATE = datetime(2026, 12, 4, 12, tzinfo=UTC)
SBOM = ContractMaterial("sbom", MaterialType.SBOM_CYCLONEDX_JSON)
SCAN = ContractMaterial("scan", MaterialType.SARIF)
PINNED = Contract(materials=(SBOM,), runner=RunnerType.GITHUB_ACTION)
ATTESTED = Attested(materials={"sbom": MaterialType.SBOM_CYCLONEDX_JSON}, runner=RunnerType.GITHUB_ACTION)


def upcoming(contract: Contract, revision: int = 8, date: datetime = DATE) -> Upcoming:
    return Upcoming(revision, date, contract)


@pytest.mark.parametrize(
    ("newer", "code", "path"),
    [
        (replace(PINNED, materials=(SBOM, SCAN)), "missing-material", "/spec/materials/1"),
        (replace(PINNED, schema=ContractSchema.V1, materials=(SBOM, SCAN)), "missing-material", "/materials/1"),
        (replace(PINNED, materials=(SBOM, replace(SCAN, group="g"))), "missing-group", "/spec/materials/1/group"),
        (
            replace(PINNED, materials=(replace(SBOM, type=MaterialType.SBOM_SPDX_JSON),)),
            "wrong-material-type",
            "/spec/materials/0/type",
        ),
        (
            replace(PINNED, materials=(replace(SBOM, annotations=(Annotation("author"),)),)),
            "missing-annotation",
            "/spec/materials/0/annotations/0",
        ),
        (replace(PINNED, annotations=(Annotation("ticket"),)), "missing-annotation", "/spec/annotations/0"),
        (replace(PINNED, env_allow_list=("REGION",)), "missing-variable", "/spec/envAllowList/0"),
        (replace(PINNED, runner=RunnerType.GITLAB_PIPELINE), "runner-mismatch", "/spec/runner/type"),
    ],
)
def test_r38_each_thing_that_a_contract_can_ask_for_is_told_with_its_date(
    newer: Contract, code: str, path: str
) -> None:
    (found,) = find_new_requirements(PINNED, [upcoming(newer)], ATTESTED)

    assert (found.revision, found.enforced_from, found.code, found.path) == (8, DATE, code, path)


def test_r38_an_event_that_a_newer_revision_does_not_allow_any_more_is_told() -> None:
    allowing = replace(PINNED, privileged_events=(PrivilegedEvent.WORKFLOW_RUN,))
    attested = replace(ATTESTED, event="workflow_run")

    (found,) = find_new_requirements(allowing, [upcoming(PINNED)], attested)

    assert found.code == "event-not-allowed"


def test_r38_what_the_present_revision_asks_for_as_well_is_not_news() -> None:
    newer = upcoming(replace(PINNED, materials=(SBOM, SCAN)))

    found = find_new_requirements(PINNED, [newer], replace(ATTESTED, materials={}))

    assert [item.message for item in found] == ["the material scan (SARIF) is required and was not added"]


def test_r38_a_requirement_of_several_revisions_is_told_once_with_the_first_date() -> None:
    newer = replace(PINNED, materials=(SBOM, SCAN))
    both = [upcoming(newer, 9, DATE + timedelta(days=9)), upcoming(newer, 8)]

    assert [item.revision for item in find_new_requirements(PINNED, both, ATTESTED)] == [8]


def test_r38_a_newer_revision_that_asks_for_less_warns_of_nothing() -> None:
    assert find_new_requirements(PINNED, [upcoming(Contract())], Attested()) == ()


def test_r38_what_is_there_is_enough() -> None:
    complete = replace(ATTESTED, materials={**ATTESTED.materials, "scan": MaterialType.SARIF})

    assert check_attested(replace(PINNED, materials=(SBOM, SCAN)), complete) == ()


def test_r38_at_most_fifty_findings_are_listed_and_that_there_are_more() -> None:
    many = tuple(ContractMaterial(f"m{number}", MaterialType.STRING) for number in range(80))

    found = check_attested(Contract(materials=many), Attested())

    assert (len(found), found[-1].code) == (51, "more-findings")


def test_r38_a_material_is_looked_for_in_the_revision_that_comes_first() -> None:
    text = replace(SCAN, type=MaterialType.STRING)
    newer = (upcoming(Contract(materials=(SCAN,))), upcoming(Contract(materials=(text,)), 9))

    assert find_awaited(newer, "scan") == SCAN
    assert find_awaited(newer, "other") is None
