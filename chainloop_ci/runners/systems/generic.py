"""Any other place, a laptop included: matches always, tells nothing."""

from __future__ import annotations

from chainloop_ci.contract.types import RunnerType
from chainloop_ci.runners.types import CiIdentity, HostFacts, Runner


def _detect(facts: HostFacts) -> bool:
    return True


def _run_url(facts: HostFacts) -> str | None:
    return None


def _ci(facts: HostFacts) -> CiIdentity:
    return CiIdentity(provider="none")


GENERIC = Runner(
    type=RunnerType.GENERIC,
    title=RunnerType.GENERIC.value,
    detect=_detect,
    run_url=_run_url,
    ci=_ci,
)
"""The fallback. A contract cannot name it: it leaves the runner out."""
