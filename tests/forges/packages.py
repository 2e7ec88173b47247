"""Where the published descriptions are that the stand-ins are checked with, and what is done where they are not."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
# Package → the file of it that `.ci/install-tools` keeps.
FILES = {
    "octokit-openapi": "generated/api.github.com.json",
    "octokit-webhooks-schemas": "schema.json",
    "octokit-webhooks-examples": "api.github.com/index.json",
}


def find(package: str) -> Path | None:
    """Return the file of a package, of the version that is installed; None where it is not."""
    tools = Path(os.environ.get("CHAINLOOP_TOOLS") or Path.home() / ".cache" / "chainloop-tools")
    found = sorted((tools / "npm").glob(f"{package}-*/{FILES[package]}"))
    return found[-1] if found else None


def find_gitlab() -> Path | None:
    """Return GitLab's description beside the project, None where it is not."""
    file = CORPUS / "gitlab-openapi" / "gitlab-cut.yaml"
    return file if file.is_file() else None


@cache
def load(package: str) -> Any:
    """Return the JSON of a package's file; the test is skipped where it is absent, and fails where all is required."""
    file = find(package)
    if file is None:
        lack(f"needs {package} of npm, not installed here (.ci/install-tools does)")
    return json.loads(file.read_bytes())


def lack(reason: str) -> None:
    """Skip the test for this reason; fail it where everything is required."""
    if is_required():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def is_required() -> bool:
    """Tell whether a missing component is an error."""
    return os.environ.get("CHAINLOOP_TEST_REQUIRE") == "all"
