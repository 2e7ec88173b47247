"""Addresses of a forge's pages, built from the registered source: nothing that a client or a payload says (R43)."""

from __future__ import annotations

import re
from urllib.parse import quote

from chainloop_ci.api.source_address import SourceAddress, SourceKind

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_NUMBER = re.compile(r"[1-9][0-9]{0,18}\Z")


def repository_url(address: SourceAddress) -> str:
    """Return the page of a repository, or of a Jenkins job."""
    if address.kind is SourceKind.JENKINS:
        return address.host + "".join(f"/job/{quote(name, safe='')}" for name in address.repository.split("/"))
    return f"{address.host}/{quote(address.repository)}"


def commit_url(address: SourceAddress, sha: str) -> str | None:
    """Return the page of a commit; None where the forge has none, or the text is no commit."""
    if not _SHA.match(sha):
        return None
    return _page(address, {SourceKind.GITHUB: f"commit/{sha}", SourceKind.GITLAB: f"-/commit/{sha}"})


def pull_request_url(address: SourceAddress, number: str | None) -> str | None:
    """Return the page of a pull request or merge request, or None."""
    if not number or not _NUMBER.match(number):
        return None
    return _page(address, {SourceKind.GITHUB: f"pull/{number}", SourceKind.GITLAB: f"-/merge_requests/{number}"})


def ci_run_url(address: SourceAddress, run_id: str | None, attempt: int | None = None) -> str | None:
    """Return the page of a CI run: a run of GitHub Actions, a pipeline of GitLab, a build of Jenkins; or None."""
    if not run_id or not _NUMBER.match(run_id):
        return None
    tried = f"/attempts/{attempt}" if attempt and attempt > 1 else ""
    pages = {
        SourceKind.GITHUB: f"actions/runs/{run_id}{tried}",
        SourceKind.GITLAB: f"-/pipelines/{run_id}",
        SourceKind.JENKINS: f"{run_id}/",
    }
    return _page(address, pages)


def _page(address: SourceAddress, pages: dict[SourceKind, str]) -> str | None:
    page = pages.get(address.kind)
    return f"{repository_url(address)}/{page}" if page else None
