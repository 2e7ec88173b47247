"""The same control plane that the integration tests use."""

from __future__ import annotations

from tests.integration.conftest import control_plane, job, tenant

__all__ = ["control_plane", "job", "tenant"]
