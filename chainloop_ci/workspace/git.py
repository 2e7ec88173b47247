"""The commit that is built: asked of the `git` program, else read from git's files.

Nothing that a repository configures is executed: the program gets the git folder by name (which also ends its question
whether the folder's owner is trusted: containers run as another user than the one who checked out), no configuration
of system and user, and no way to a network, a pager, a monitor or a signature checker.
"""

from __future__ import annotations

import os
import shutil
import subprocess  # nosec B404 # argument lists only, never a shell
from collections.abc import Mapping
from pathlib import Path

from chainloop_ci.attestation.state import GitHead, Remote
from chainloop_ci.errors import UsageError
from chainloop_ci.runners.repository_url import without_credentials
from chainloop_ci.workspace import git_files

GIT_TIMEOUT_SECONDS = 10.0
"""How long one call of the program may take; afterwards its files are read instead."""
MAX_MESSAGE_CHARACTERS = 16_384
"""Longest commit message that is kept: it becomes part of the signed statement."""

_FORMAT = "%H%x00%an%x00%ae%x00%at%x00%B"
_SAFE_OPTIONS = (
    "--no-pager",
    *("-c", "core.fsmonitor=false"),
    *("-c", "log.showSignature=false"),
    *("-c", "protocol.allow=never"),
)
_SAFE_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
}


def read_head(start: Path, *, sha: str | None = None, env: Mapping[str, str]) -> GitHead | None:
    """Return the commit that is checked out at `start` or above, or the commit `sha` (a pull request's head, R31).

    Of a commit that is not here (`sha` in a shallow clone) only the hash and the remotes are known. None outside of a
    repository and in one without a commit.

    Raises:
        UsageError: `sha` is no commit hash.
    """
    if sha is not None:
        sha = _require_hash(sha)
    git_dir = git_files.find_git_dir(start)
    if git_dir is None:
        return None
    remotes = _remotes(git_dir, env)
    head = _commit_by_program(git_dir, sha or "HEAD", env) or git_files.read_commit(git_dir, sha)
    if head is None:
        return GitHead(hash=sha, remotes=remotes) if sha else None
    return GitHead(
        hash=head.hash,
        author_name=head.author_name,
        author_email=head.author_email,
        message=head.message[:MAX_MESSAGE_CHARACTERS],
        date=head.date,
        remotes=remotes,
    )


def _require_hash(text: str) -> str:
    if not git_files.is_commit_hash(text.lower()):
        raise UsageError(
            f"expected a commit hash of 40 or 64 hexadecimal digits, found {text[:80]!r}",
            hint="it comes from the CI system's variables or its event document",
        )
    return text.lower()


def _commit_by_program(git_dir: Path, revision: str, env: Mapping[str, str]) -> GitHead | None:
    arguments = ("log", "-1", "--no-show-signature", "--no-mailmap", "--encoding=UTF-8", f"--format={_FORMAT}")
    answer = _run(git_dir, (*arguments, "--end-of-options", revision, "--"), env)
    fields = answer.split("\0", 4) if answer else []
    if len(fields) < 5 or not git_files.is_commit_hash(fields[0]):
        return None
    commit, name, email, seconds, message = fields
    return GitHead(commit, name, email, message.rstrip("\n"), git_files.parse_moment(seconds))


def _remotes(git_dir: Path, env: Mapping[str, str]) -> tuple[Remote, ...]:
    answer = _run(git_dir, ("config", "--local", "-z", "--get-regexp", r"^remote\..*\.url$"), env)
    if answer is None:
        pairs = git_files.read_remotes(git_dir)
    else:
        lines = (line.partition("\n") for line in answer.split("\0") if line)
        pairs = [(key[len("remote.") : -len(".url")], url) for key, _, url in lines]
    # A remote may have several addresses; the first is the one that is fetched from.
    first = {name: url for name, url in reversed(pairs) if url}
    return tuple(Remote(name, without_credentials(first[name])) for name in sorted(first))


def _run(git_dir: Path, arguments: tuple[str, ...], env: Mapping[str, str]) -> str | None:
    """Return what the program printed; None when it is absent, too slow or fails."""
    program = shutil.which("git", path=env.get("PATH"))
    if program is None:
        return None
    inherited = {name: env[name] for name in ("PATH", "SYSTEMROOT", "TMPDIR", "TEMP") if name in env}
    try:
        done = subprocess.run(  # nosec B603 # see the module's first lines
            (program, *_SAFE_OPTIONS, f"--git-dir={git_dir}", *arguments),
            env={**inherited, **_SAFE_ENVIRONMENT},
            cwd=git_dir,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
