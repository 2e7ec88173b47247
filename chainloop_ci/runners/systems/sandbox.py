"""Chainloop's own sandbox, where a contract is tried out before there is a pipeline. Source: reference 4.1."""

from __future__ import annotations

from chainloop_ci.contract.types import RunnerType
from chainloop_ci.runners.types import CiIdentity, HostFacts, Runner


def _detect(facts: HostFacts) -> bool:
    return bool(facts.env.get("CHAINLOOP_SANDBOX"))


def _run_url(facts: HostFacts) -> str | None:
    return None


def _ci(facts: HostFacts) -> CiIdentity:
    # Whatever it was started from is not what is attested: the variables around it are nobody's word here.
    return CiIdentity(provider="sandbox", job_index=facts.job_index)


CHAINLOOP_SANDBOX = Runner(
    type=RunnerType.CHAINLOOP_SANDBOX,
    title="Chainloop sandbox",
    detect=_detect,
    run_url=_run_url,
    ci=_ci,
)
"""The entry of the sandbox. It has no variables of its own and no address."""
