"""Real repositories, made by the `git` program."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

AUTHOR = {
    "GIT_AUTHOR_NAME": "Ana Müller",
    "GIT_AUTHOR_EMAIL": "ana@example.com",
    "GIT_AUTHOR_DATE": "2026-01-31T12:00:00+0200",
    "GIT_COMMITTER_NAME": "Bot",
    "GIT_COMMITTER_EMAIL": "bot@example.com",
    "GIT_COMMITTER_DATE": "2026-01-31T13:00:00+0200",
}

Git = Callable[..., str]


@pytest.fixture
def git() -> Git:
    """Return a function that runs git in a folder and returns what it prints."""
    if shutil.which("git") is None:
        pytest.skip("the git program is not here")

    def run(folder: Path, *arguments: str) -> str:
        env = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, **AUTHOR}
        done = subprocess.run(("git", *arguments), cwd=folder, env=env, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    return run


@pytest.fixture
def repository(tmp_path: Path, git: Git) -> Path:
    """Return a checkout with one commit."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "Subject\n\nBody")
    return folder
