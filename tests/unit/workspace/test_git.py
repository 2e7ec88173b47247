"""The commit that is built, with the git program and without it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from chainloop_ci.attestation.state import GitHead, Remote
from chainloop_ci.errors import UsageError
from chainloop_ci.workspace import git as git_module
from chainloop_ci.workspace.git import read_head

WITHOUT_GIT = {"PATH": "/nonexistent"}
WITH_GIT = {"PATH": os.environ["PATH"]}
both_ways = pytest.mark.parametrize("env", [WITH_GIT, WITHOUT_GIT], ids=["program", "files"])


@both_ways
def test_the_commit_that_is_checked_out_is_read_from_a_subfolder(repository, git, env):
    (repository / "src" / "deep").mkdir(parents=True)

    head = read_head(repository / "src" / "deep", env=env)

    assert head == GitHead(
        hash=git(repository, "rev-parse", "HEAD"),
        author_name="Ana Müller",
        author_email="ana@example.com",
        message="Subject\n\nBody",
        date=datetime(2026, 1, 31, 10, 0, tzinfo=UTC),
    )


@both_ways
def test_a_detached_head_is_read(repository, git, env):
    git(repository, "checkout", "--quiet", "--detach")

    head = read_head(repository, env=env)

    assert head is not None
    assert head.hash == git(repository, "rev-parse", "HEAD")


@both_ways
def test_a_folder_outside_of_a_repository_has_no_head(tmp_path, env):
    assert read_head(tmp_path, env=env) is None


@both_ways
def test_a_repository_without_a_commit_has_no_head(tmp_path, git, env):
    git(tmp_path, "init", "--quiet")

    assert read_head(tmp_path, env=env) is None


@both_ways
def test_credentials_of_remotes_are_removed(repository, git, env):
    git(repository, "remote", "add", "origin", "https://x-access-token:ghs_secret@github.com/acme/api.git")
    git(repository, "remote", "add", "fork", "git@github.com:ana/api.git")

    head = read_head(repository, env=env)

    assert head is not None
    assert head.remotes == (
        Remote("fork", "git@github.com:ana/api.git"),
        Remote("origin", "https://github.com/acme/api.git"),
    )


@both_ways
def test_r31_a_given_commit_that_is_here_has_its_metadata(repository, git, env):
    first = git(repository, "rev-parse", "HEAD")
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "Merge")

    head = read_head(repository, sha=first, env=env)

    assert head is not None
    assert (head.hash, head.message) == (first, "Subject\n\nBody")


@both_ways
def test_r31_a_given_commit_that_is_not_here_has_only_its_hash_and_the_remotes(repository, git, env):
    git(repository, "remote", "add", "origin", "https://github.com/acme/api.git")

    head = read_head(repository, sha="a" * 40, env=env)

    assert head == GitHead(hash="a" * 40, remotes=(Remote("origin", "https://github.com/acme/api.git"),))


@pytest.mark.parametrize("sha", ["", "main", "--output=/tmp/x", "a" * 39, "g" * 40, "a" * 40 + "\n"])
def test_what_is_no_commit_hash_is_refused(tmp_path, sha):
    with pytest.raises(UsageError, match="commit hash"):
        read_head(tmp_path, sha=sha, env=WITH_GIT)


@both_ways
def test_a_linked_worktree_has_its_own_head(repository, git, env, tmp_path):
    git(repository, "worktree", "add", "--quiet", "-b", "feature", str(tmp_path / "tree"))
    git(tmp_path / "tree", "commit", "--quiet", "--allow-empty", "-m", "Feature")

    head = read_head(tmp_path / "tree", env=env)

    assert head is not None
    assert head.hash == git(tmp_path / "tree", "rev-parse", "HEAD")
    assert head.hash != git(repository, "rev-parse", "HEAD")


@both_ways
def test_packed_refs_and_objects_give_at_least_the_hash(repository, git, env):
    git(repository, "gc", "--quiet")
    git(repository, "pack-refs", "--all")

    head = read_head(repository, env=env)

    assert head is not None
    assert head.hash == git(repository, "rev-parse", "HEAD")


@both_ways
def test_a_repository_with_sha256_objects_is_read(tmp_path, git, env):
    git(tmp_path, "init", "--quiet", "--object-format=sha256")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "x")

    head = read_head(tmp_path, env=env)

    assert head is not None
    assert len(head.hash) == 64


@both_ways
def test_a_long_message_is_cut(repository, git, env):
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "x" * 20_000)

    head = read_head(repository, env=env)

    assert head is not None
    assert len(head.message) == git_module.MAX_MESSAGE_CHARACTERS


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a folder away")
def test_a_checkout_of_another_user_is_read(repository, git):
    for folder, _, files in os.walk(repository):
        for name in [folder, *(os.path.join(folder, file) for file in files)]:
            os.chown(name, 12345, 12345)

    head = read_head(repository, env=WITH_GIT)

    assert head is not None
    assert head.message == "Subject\n\nBody"


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_nothing_that_the_repository_configures_is_executed(repository, git, tmp_path):
    mark, program = tmp_path / "executed", tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o755)
    for name in ("core.fsmonitor", "gpg.program", "core.pager", "core.sshCommand", "diff.external"):
        git(repository, "config", name, str(program))
    git(repository, "config", "log.showSignature", "true")
    git(repository, "config", "remote.origin.url", f"ext::{program}")
    git(repository, "config", "remote.origin.promisor", "true")

    read_head(repository, env=WITH_GIT)
    read_head(repository, sha="a" * 40, env=WITH_GIT)

    assert not mark.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_a_program_that_fails_leaves_the_reading_to_us(repository, git, tmp_path):
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 128\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)

    head = read_head(repository, env={"PATH": str(program.parent)})

    assert head is not None
    assert head.message == "Subject\n\nBody"


def test_a_repository_of_another_user_is_read_too(repository, git, tmp_path):
    # Containers run as another user than the one who checked out; git then asks to be told that the folder is safe.
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec "{shutil.which("git")}" "$@"\n')
    wrapper.chmod(0o755)
    env = {"PATH": f"{wrapper.parent}:{os.environ['PATH']}"}
    asked = subprocess.run(["git", "status"], cwd=repository, env=env, capture_output=True, text=True, check=False)

    head = read_head(repository, env=env)

    assert "dubious ownership" in asked.stderr
    assert head is not None
    assert (head.hash, head.author_name) == (git(repository, "rev-parse", "HEAD"), "Ana Müller")
