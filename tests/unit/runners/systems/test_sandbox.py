"""The sandbox knows nothing of what it was started from."""

from __future__ import annotations

import pytest

from chainloop_ci.runners.registry import resolve_variables
from chainloop_ci.runners.systems.sandbox import CHAINLOOP_SANDBOX
from chainloop_ci.runners.types import CiIdentity
from tests.unit.runners.environments import github, sandbox


@pytest.mark.parametrize("around", [{}, github().facts.env])
def test_a_sandbox_has_no_identity_wherever_it_runs(around):
    facts = sandbox().change(**around)

    assert CHAINLOOP_SANDBOX.ci(facts) == CiIdentity(provider="sandbox")
    assert CHAINLOOP_SANDBOX.run_url(facts) is None
    assert CHAINLOOP_SANDBOX.environment(facts) == "unknown"
    assert resolve_variables(CHAINLOOP_SANDBOX, facts, ()) == ({}, {})
