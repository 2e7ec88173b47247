"""The fallback knows nothing and says nothing."""

from __future__ import annotations

from chainloop_ci.runners.systems.generic import GENERIC
from chainloop_ci.runners.types import CiIdentity, HostFacts


def test_any_place_is_generic_and_has_no_identity():
    facts = HostFacts({})

    assert GENERIC.detect(facts)
    assert GENERIC.run_url(facts) is None
    assert GENERIC.ci(facts) == CiIdentity(provider="none")
    assert GENERIC.environment(facts) == "unknown"
