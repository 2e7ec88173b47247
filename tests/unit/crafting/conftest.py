"""What the use cases' tests begin with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from chainloop_ci.attestation.state import CasPin, CraftingState, RunnerFacts, Session, WorkflowPin
from chainloop_ci.contract.load import load
from chainloop_ci.contract.types import RunnerType
from chainloop_ci.digests import sha256_digest
from tests.unit.crafting.memory import CONTRACT, NOW, RUN_ID, WORKFLOW_ID, MemoryPlane, Notes


@pytest.fixture
def notes() -> Notes:
    """Return what collects the messages."""
    return Notes()


@pytest.fixture
def plane() -> MemoryPlane:
    """Return a control plane that knows one workflow."""
    return MemoryPlane()


@pytest.fixture
def begun() -> Callable[..., CraftingState]:
    """Return what makes the state of an attestation that was begun."""

    def make(contract: bytes = CONTRACT, *, cas: str = "filesystem", dry_run: bool = False) -> CraftingState:
        return CraftingState(
            contract=load(contract).contract,
            pin=WorkflowPin(
                name="release",
                project="bedrock",
                organization="acme",
                contract_name="release",
                contract_revision=1,
                contract_digest=sha256_digest(contract),
                workflow_id=WORKFLOW_ID,
                run_id="" if dry_run else RUN_ID,
                team="core",
            ),
            initialized_at=NOW,
            runner=RunnerFacts(type=RunnerType.GENERIC),
            session=Session() if dry_run else Session(run_handle="handle", expires_at=NOW + timedelta(hours=6)),
            cas=CasPin()
            if dry_run
            else CasPin(id="cas-1", name=cas, max_bytes=1024**3 if cas != "inline" else 500 * 1024),
            dry_run=dry_run,
        )

    return make
