"""A GitHub on loopback: what the control plane reads, writes and hears of it."""

from __future__ import annotations

from examples.forge.github.forge import FakeGitHub

__all__ = ["FakeGitHub"]
