"""What both forges keep of git: commits with whole trees, branches, differences, merge bases."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

ZERO = "0" * 40


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit and the whole tree that it stands for: path → bytes."""

    sha: str
    parents: tuple[str, ...]
    files: Mapping[str, bytes]
    message: str
    author: str
    email: str
    at: datetime

    @property
    def tree(self) -> str:
        """Return the id of the commit's tree."""
        return tree_id(self.files)


@dataclass(frozen=True, slots=True)
class Change:
    """One file that differs between two trees; `status` is added, removed, modified or renamed."""

    path: str
    status: str
    previous: str | None = None


@dataclass(slots=True)
class Network:
    """The commits that a repository and its forks share, as forges share them."""

    commits: dict[str, Commit] = field(default_factory=dict)

    def add(
        self,
        parents: Iterable[str],
        files: Mapping[str, bytes],
        message: str,
        author: str,
        at: datetime,
    ) -> Commit:
        """Keep a commit and return it; two commits are the same when everything of them is."""
        parents = tuple(parents)
        email = f"{author}@users.example"
        facts = [parents, tree_id(files), message, author, at.isoformat()]
        sha = hashlib.sha1(json.dumps(facts).encode(), usedforsecurity=False).hexdigest()
        commit = Commit(sha, parents, dict(files), message, author, email, at)
        self.commits[sha] = commit
        return commit

    def ancestors(self, sha: str) -> Iterator[str]:
        """Yield a commit and all before it, nearest first."""
        seen, queue = set(), [sha]
        while queue:
            current = queue.pop(0)
            if current in seen or current not in self.commits:
                continue
            seen.add(current)
            yield current
            queue.extend(self.commits[current].parents)

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the nearest commit that both come from."""
        known = set(self.ancestors(other))
        return next((sha for sha in self.ancestors(one) if sha in known), None)

    def between(self, base: str, head: str) -> list[Commit]:
        """Return the commits of `head` that `base` does not have, oldest first."""
        known = set(self.ancestors(base)) if base in self.commits else set()
        found = [self.commits[sha] for sha in self.ancestors(head) if sha not in known]
        found.reverse()
        return sorted(found, key=lambda commit: commit.at)

    def merged(self, base: str, head: str) -> dict[str, bytes]:
        """Return the files of `base` with what `head` changed since their merge base; conflicts go to `head`."""
        files = dict(self.commits[base].files)
        for change in self.changes(self.merge_base(base, head) or "", head):
            files.pop(change.previous or change.path, None)
            if change.status != "removed":
                files[change.path] = self.commits[head].files[change.path]
        return files

    def changes(self, base: str, head: str) -> list[Change]:
        """Return the files that differ between two commits, by path."""
        before = self.commits[base].files if base in self.commits else {}
        return differences(before, self.commits[head].files)


def blob_id(content: bytes) -> str:
    """Return the id that git gives these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def tree_id(files: Mapping[str, bytes]) -> str:
    """Return an id of a whole tree. Not git's own: nobody asks for its objects."""
    facts = sorted((path, blob_id(content)) for path, content in files.items())
    return hashlib.sha1(json.dumps(facts).encode(), usedforsecurity=False).hexdigest()


def differences(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[Change]:
    """Return what differs; a file that only moved is one renamed file, as forges show it."""
    removed = {path for path in before if path not in after}
    found = [Change(path, "modified") for path in before if path in after and before[path] != after[path]]
    for path in sorted(path for path in after if path not in before):
        old = next((name for name in sorted(removed) if before[name] == after[path]), None)
        removed.discard(old or "")
        found.append(Change(path, "renamed", old) if old else Change(path, "added"))
    found += [Change(path, "removed") for path in removed]
    return sorted(found, key=lambda change: change.path)
