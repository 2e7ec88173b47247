"""Every endpoint of `/api/v1`, in the order of the documentation."""

from __future__ import annotations

from server.routes import (
    apply,
    artifacts,
    attestations,
    audit,
    audit_export,
    contracts,
    drift,
    gates,
    inbound,
    integrations,
    keys,
    organizations,
    overrides,
    projects,
    public_contracts,
    referrers,
    runs,
    shared_states,
    source_hooks,
    sources,
    tokens,
    workflows,
)
from server.routes.endpoints import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    *organizations.ENDPOINTS,
    *tokens.ENDPOINTS,
    *audit.ENDPOINTS,
    *audit_export.ENDPOINTS,
    *keys.ENDPOINTS,
    *projects.ENDPOINTS,
    *workflows.ENDPOINTS,
    *sources.ENDPOINTS,
    *inbound.ENDPOINTS,
    *source_hooks.ENDPOINTS,
    *contracts.ENDPOINTS,
    *apply.ENDPOINTS,
    *runs.ENDPOINTS,
    *overrides.ENDPOINTS,
    *gates.ENDPOINTS,
    *drift.ENDPOINTS,
    *shared_states.ENDPOINTS,
    *attestations.ENDPOINTS,
    *artifacts.ENDPOINTS,
    *referrers.ENDPOINTS,
    *integrations.ENDPOINTS,
)

PUBLIC_ENDPOINTS: tuple[Endpoint, ...] = public_contracts.ENDPOINTS
"""Those of `/api/v1` that ask for no token."""
