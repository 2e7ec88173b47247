"""A GitLab on loopback: what the control plane reads, writes and hears of it."""

from __future__ import annotations

from examples.forge.gitlab.forge import FakeGitLab

__all__ = ["FakeGitLab"]
