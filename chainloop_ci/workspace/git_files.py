"""Reads git's own files, for machines without the `git` program. Source: gitrepository-layout(5), git-config(1)."""

from __future__ import annotations

import re
import zlib
from datetime import UTC, datetime
from pathlib import Path

from chainloop_ci.attestation.state import GitHead
from chainloop_ci.deferred import deferred_pattern

_HASH = deferred_pattern(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_AUTHOR = deferred_pattern(r"(?P<name>.*?) ?<(?P<email>[^>]*)> (?P<seconds>-?[0-9]+) [-+][0-9]{4}\Z")
_REMOTE_SECTION = deferred_pattern(r'\s*\[\s*remote\s+"(?P<name>(?:[^"\\]|\\.)*)"\s*\]\s*\Z', re.IGNORECASE)
_URL = deferred_pattern(r"\s*url\s*=\s*(?P<url>.*?)\s*\Z", re.IGNORECASE)
_MAX_SMALL_BYTES = 4096
_MAX_CONFIG_BYTES = 1024 * 1024
_MAX_PACKED_REFS_BYTES = 64 * 1024 * 1024
_MAX_COMMIT_BYTES = 1024 * 1024
_MAX_SYMBOLIC_REFS = 5


def is_commit_hash(text: str) -> bool:
    """Tell whether `text` is a whole commit hash, SHA-1 or SHA-256."""
    return _HASH.match(text) is not None


def parse_moment(seconds: str) -> datetime | None:
    """Return the time that a commit carries; it may carry any number, so None for one that is no time."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def find_git_dir(start: Path) -> Path | None:
    """Return the git folder of the checkout that holds `start`: its `.git`, or where its `.git` file points to."""
    here = start.absolute()
    for folder in (here, *here.parents):
        candidate = folder / ".git"
        if (candidate / "HEAD").is_file():
            return candidate
        if candidate.is_file():
            return _linked_git_dir(candidate)
    return None


def _linked_git_dir(file: Path) -> Path | None:
    """Follow the `.git` file of a worktree or a submodule."""
    kind, _, target = _text(file).partition(":")
    if kind != "gitdir" or not target.strip():
        return None
    git_dir = file.parent / target.strip()
    return git_dir if (git_dir / "HEAD").is_file() else None


def read_commit(git_dir: Path, sha: str | None = None) -> GitHead | None:
    """Return the commit `sha`, else that of HEAD; a packed commit has only its hash. None without a commit."""
    if sha is not None:
        return _loose_commit(git_dir, sha)
    found = _resolve(git_dir, "HEAD")
    return (_loose_commit(git_dir, found) or GitHead(hash=found)) if found else None


def read_remotes(git_dir: Path) -> list[tuple[str, str]]:
    """Return (name, address) of the remotes in the repository's own configuration, as they stand there."""
    pairs: list[tuple[str, str]] = []
    name: str | None = None
    for line in _text(_common_dir(git_dir) / "config", _MAX_CONFIG_BYTES).splitlines():
        if line.lstrip().startswith("["):
            section = _REMOTE_SECTION.match(line)
            name = re.sub(r"\\(.)", r"\1", section["name"]) if section else None
        elif name is not None and (match := _URL.match(line)):
            pairs.append((name, match["url"].strip('"')))
    return pairs


def _common_dir(git_dir: Path) -> Path:
    """Return the folder that a worktree shares with the repository it belongs to."""
    target = _text(git_dir / "commondir").strip()
    return git_dir / target if target else git_dir


def _resolve(git_dir: Path, ref: str) -> str | None:
    """Follow symbolic references from `ref` to a commit hash."""
    for _ in range(_MAX_SYMBOLIC_REFS):
        text = _read_ref(git_dir, ref)
        if is_commit_hash(text):
            return text
        if not text.startswith("ref:"):
            return None
        ref = text.removeprefix("ref:").strip()
        if not ref.startswith("refs/") or ".." in ref:
            return None
    return None


def _read_ref(git_dir: Path, ref: str) -> str:
    common = _common_dir(git_dir)
    for folder in (git_dir, common):
        if text := _text(folder / ref).strip():
            return text
    for line in _text(common / "packed-refs", _MAX_PACKED_REFS_BYTES).splitlines():
        commit, _, name = line.partition(" ")
        if name == ref:
            return commit
    return ""


def _loose_commit(git_dir: Path, sha: str) -> GitHead | None:
    path = _common_dir(git_dir) / "objects" / sha[:2] / sha[2:]
    try:
        with path.open("rb") as file:
            raw = zlib.decompressobj().decompress(file.read(_MAX_COMMIT_BYTES), _MAX_COMMIT_BYTES)
    except (OSError, zlib.error):
        return None
    kind, _, body = raw.partition(b"\0")
    return _parse_commit(sha, body.decode("utf-8", "replace")) if kind.startswith(b"commit ") else None


def _parse_commit(sha: str, text: str) -> GitHead:
    headers, _, message = text.partition("\n\n")
    line = next((line for line in headers.splitlines() if line.startswith("author ")), "")
    author = _AUTHOR.match(line.removeprefix("author "))
    if author is None:
        return GitHead(hash=sha, message=message.rstrip("\n"))
    return GitHead(sha, author["name"], author["email"], message.rstrip("\n"), parse_moment(author["seconds"]))


def _text(path: Path, limit: int = _MAX_SMALL_BYTES) -> str:
    """Return the beginning of a small file; nothing when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(limit).decode("utf-8", "replace")
    except OSError:
        return ""
