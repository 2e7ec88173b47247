"""Git's own files, read without the program."""

from __future__ import annotations

import pytest

from chainloop_ci.workspace.git_files import find_git_dir, read_commit, read_remotes

COMMIT = "a" * 40


@pytest.fixture
def git_dir(tmp_path):
    folder = tmp_path / ".git"
    folder.mkdir()
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    return folder


def test_the_git_folder_is_found_upward(git_dir, tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)

    assert find_git_dir(tmp_path / "a" / "b") == git_dir


def test_a_git_file_leads_to_the_git_folder_of_a_submodule(git_dir, tmp_path):
    (tmp_path / "module").mkdir()
    (tmp_path / "module" / ".git").write_text("gitdir: ../.git\n")

    found = find_git_dir(tmp_path / "module")

    assert found is not None
    assert found.resolve() == git_dir


@pytest.mark.parametrize("text", ["", "gitdir:", "gitdir: /nonexistent", "something else"])
def test_a_git_file_that_leads_nowhere_is_no_repository(tmp_path, text):
    (tmp_path / ".git").write_text(text)

    assert find_git_dir(tmp_path) is None


def test_a_packed_reference_is_found(git_dir):
    (git_dir / "packed-refs").write_text(
        f"# pack-refs with: peeled\n{'b' * 40} refs/tags/v1\n{COMMIT} refs/heads/main\n"
    )

    head = read_commit(git_dir)

    assert head is not None
    assert head.hash == COMMIT


@pytest.mark.parametrize("head", ["ref: refs/heads/main", "ref: ../../secret", "ref: /etc/passwd", "garbage", ""])
def test_a_head_that_leads_to_no_commit_is_none(git_dir, head):
    (git_dir / "HEAD").write_text(head)

    assert read_commit(git_dir) is None


def test_references_in_a_circle_end(git_dir):
    (git_dir / "refs" / "heads").mkdir(parents=True)
    (git_dir / "refs" / "heads" / "main").write_text("ref: refs/heads/main\n")

    assert read_commit(git_dir) is None


def test_a_broken_object_leaves_the_hash(git_dir):
    (git_dir / "HEAD").write_text(COMMIT)
    (git_dir / "objects" / COMMIT[:2]).mkdir(parents=True)
    (git_dir / "objects" / COMMIT[:2] / COMMIT[2:]).write_bytes(b"no zlib stream")

    head = read_commit(git_dir)

    assert head is not None
    assert (head.hash, head.message) == (COMMIT, "")


def test_only_addresses_of_remotes_are_read_from_the_configuration(git_dir):
    (git_dir / "config").write_text(
        '[core]\n\turl = no\n[remote "origin"]\n\turl = https://h/a\n\tpushurl = https://h/p\n'
        '[branch "x"]\n\turl = no\n'
    )

    assert read_remotes(git_dir) == [("origin", "https://h/a")]
