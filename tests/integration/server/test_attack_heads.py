"""Whoever can push a branch tries to get a required status to pass without an attestation (R30, R34)."""

from __future__ import annotations

from typing import Any

from server.wiring import Services
from tests.integration.server.conftest import Tenant
from tests.integration.server.forge_world import ROLL_UP, ForgeWorld
from tests.integration.server.jobs import Job
from tests.integration.server.judged import CI_FILE, Repository

NARROWED = "on:\n  push:\n    branches: [nothing]\njobs:\n  build:\n    runs-on: x\n    steps: []\n"
FILTERED = "on:\n  push:\n    paths: ['src/**']\n  pull_request:\njobs:\n  build:\n    runs-on: x\n    steps: []\n"


def test_r34_a_new_branchs_own_copy_of_the_ci_file_excuses_nothing(world: ForgeWorld) -> None:
    sha = world.forge.push(world.repository, "evil", {CI_FILE: NARROWED, "src/a.py": "1"})

    world.settle()

    assert "success" not in world.states(sha)
    assert "success" not in world.states(sha, ROLL_UP)


def test_r34_a_branch_that_changed_its_ci_file_before_excuses_nothing(world: ForgeWorld) -> None:
    world.forge.push(world.repository, "evil", {CI_FILE: NARROWED})
    world.settle()
    sha = world.forge.push(world.repository, "evil", {"src/a.py": "1"})

    world.settle()

    assert "success" not in world.states(sha)
    assert "success" not in world.states(sha, ROLL_UP)


def test_r34_a_change_is_not_excused_by_the_last_push_of_its_branch_alone(world: ForgeWorld) -> None:
    world.forge.push(world.repository, "main", {CI_FILE: FILTERED})
    world.settle()
    world.forge.push(world.repository, "evil", {"src/a.py": "1"})
    world.settle()
    sha = world.forge.push(world.repository, "evil", {"docs/a.md": "1"})

    world.settle()

    assert "success" not in world.states(sha)
    assert "success" not in world.states(sha, ROLL_UP)


def test_r30_a_claim_about_a_branch_that_the_workflow_is_not_registered_for_makes_nothing_green(
    services: Services, api: Any, acme: Tenant, job: Job
) -> None:
    repository = Repository(services, api, acme)
    repository.register(branch="main")
    repository.see_head(branch="evil")
    before = repository.kind()

    job.begin()

    assert before is None
    said = repository.said()
    assert said is None or said.kind.value != "not-applicable"


def test_r34_a_pull_request_to_a_branch_of_ones_own_excuses_nothing(world: ForgeWorld) -> None:
    world.forge.push(world.repository, "own", {CI_FILE: NARROWED})
    world.settle()
    sha = world.forge.push(world.repository, "feature", {CI_FILE: NARROWED, "src/a.py": "1"})
    world.forge.open_pull_request(world.repository, "feature", base="own")

    world.settle()

    assert "success" not in world.states(sha)
