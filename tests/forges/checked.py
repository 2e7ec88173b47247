"""The stand-ins with a checker on them: what is not as the published description says fails the test that caused it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
import yaml

from examples.forge.exchange import Exchange
from examples.forge.github import FakeGitHub
from examples.forge.gitlab import FakeGitLab
from examples.forge.outbox import Delivery
from examples.forge.server import Forge
from tests.forges.description import Description
from tests.forges.packages import find, find_gitlab, is_required, load
from tests.forges.payloads import violations

# Addresses that a forge serves and does not describe.
UNDESCRIBED = {("GET", "/repositories/{repository_id}"), ("GET", "/repos/{owner}/{repo}/statuses/{ref}")}


class Checker:
    """Collects what is not as a description says; without a description it only counts what no stand-in has."""

    def __init__(self, description: Description | None) -> None:
        self.description = description
        self.violations: list[str] = []

    def __call__(self, seen: Exchange) -> None:
        """Check one exchange."""
        if seen.template is None and seen.fault is None:
            self.violations.append(f"{seen.method} {seen.path}: the stand-in has no such operation")
        elif self.description is not None and self._is_described(seen):
            self.violations += self.description.violations(seen)

    def _is_described(self, seen: Exchange) -> bool:
        if seen.template is None or (seen.method, seen.template) in UNDESCRIBED:
            return False
        # GitLab's description is a cut of some operations: what it lacks says nothing.
        return not self.description.is_lenient or self.description.has(seen.method, seen.template)

    def webhook(self, sent: Delivery) -> None:
        """Check the payload of a webhook of GitHub, where the schemas are."""
        if find("octokit-webhooks-schemas") is not None:
            name = f"webhook {sent.event} {sent.action or ''}"
            self.violations += [f"{name}: {each}" for each in violations(sent.event, sent.document)]


@cache
def github_description() -> Description | None:
    """Return GitHub's description; None where it is not installed, an error where everything is required."""
    if find("octokit-openapi") is None and not is_required():
        return None
    return Description(load("octokit-openapi"))


@cache
def gitlab_description() -> Description | None:
    """Return GitLab's description; None where it is not beside the project."""
    file = find_gitlab()
    if file is None:
        return None
    return Description(yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader), "/api/v4", is_lenient=True)


@contextmanager
def checked_github(**options: Any) -> Iterator[FakeGitHub]:
    """Run a GitHub for the length of a block; fail at its end when something was not as described."""
    checker = Checker(github_description())
    with FakeGitHub(observe=checker, **options) as forge:
        forge.outbox.observe = checker.webhook
        yield forge
    _require_none(forge, checker)


@contextmanager
def checked_gitlab(**options: Any) -> Iterator[FakeGitLab]:
    """Run a GitLab for the length of a block; fail at its end when something was not as described."""
    checker = Checker(gitlab_description())
    with FakeGitLab(observe=checker, **options) as forge:
        yield forge
    _require_none(forge, checker)


def _require_none(forge: Forge, checker: Checker) -> None:
    if checker.violations:
        lines = "\n".join(dict.fromkeys(checker.violations))
        pytest.fail(f"{type(forge).__name__}: not as the published description says:\n{lines}", pytrace=False)
