from __future__ import annotations

import pytest

from chainloop_ci.cli.names import require_digest, require_name, split_workflow
from chainloop_ci.crafting import add
from chainloop_ci.errors import DigestInvalidError, UsageError

CREATORS = [
    ("workflow", "create", "--project", "p", "--name", "Bad Name"),
    ("workflow", "create", "--name", "w", "--project", "Bad Name"),
    ("workflow", "create", "--name", "w", "--project", "p", "--contract", "Bad Name"),
    ("workflow", "update", "w", "--contract", "Bad Name"),
    ("workflow", "contract", "describe", "Bad Name"),
    ("workflow", "contract", "delete", "Bad Name"),
    ("organization", "create", "Bad Name"),
    ("organization", "describe", "Bad Name"),
    ("organization", "update", "Bad Name", "--quota", "1GB"),
    ("organization", "api-token", "create", "--role", "read", "--name", "Bad Name"),
    ("organization", "api-token", "create", "--role", "read", "--name", "x", "--project", "Bad Name"),
    ("organization", "api-token", "create", "--name", "x", "--workflow", "p/Bad Name"),
    ("organization", "key", "create", "--organization-wide", "--name", "Bad Name"),
    ("organization", "key", "create", "--project", "Bad Name", "--name", "x"),
    ("organization", "key", "create", "--workflow", "p/Bad Name", "--name", "x"),
    ("organization", "key", "add", "--public-key", "k", "--organization-wide", "--name", "Bad Name"),
]


@pytest.mark.parametrize("words", CREATORS, ids=" ".join)
def test_a_name_is_checked_before_anything_is_asked(operate, stub, words: tuple[str, ...]) -> None:
    result = operate(*words)

    assert (result.status, stub.seen) == (2, [])
    assert "must contain only lowercase letters, numbers, and hyphens, found 'Bad Name'" in result.err
    assert "for example bad-name" in result.err


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a\n", "a" * 64])
def test_a_name_is_a_label(name: str) -> None:
    with pytest.raises(UsageError, match="only lowercase letters, numbers, and hyphens"):
        require_name("project", name)


@pytest.mark.parametrize("name", ["a", "0", "a-b", "a" * 63])
def test_a_label_is_a_name(name: str) -> None:
    assert require_name("project", name) == name


def test_the_words_are_those_of_attestation_add() -> None:
    with pytest.raises(UsageError) as of_add:
        add._require_name("Bad Name")
    with pytest.raises(UsageError) as of_ours:
        require_name("material", "Bad Name")

    assert of_ours.value.message == of_add.value.message
    assert "characters, with a letter or number first and last" in str(of_add.value.hint)
    assert "characters, with a letter or number first and last" in str(of_ours.value.hint)


@pytest.mark.parametrize(("workflow", "project"), [("release", "bedrock"), ("bedrock/release", None)])
def test_a_workflow_is_named_with_its_project(workflow: str, project: str | None) -> None:
    assert split_workflow("--workflow", workflow, project) == ("bedrock", "release")


@pytest.mark.parametrize(
    ("workflow", "project"), [("release", None), ("a/release", "b"), ("a/b/c", None), ("/x", None)]
)
def test_a_workflow_without_one_project_is_refused(workflow: str, project: str | None) -> None:
    with pytest.raises(UsageError):
        split_workflow("--workflow", workflow, project)


def test_64_digits_alone_are_sha256_and_nothing_else_is_guessed() -> None:
    assert require_digest("ab" * 32) == "sha256:" + "ab" * 32

    for typed in ("AB" * 32, "ab" * 31, "md5:" + "ab" * 16):
        with pytest.raises(DigestInvalidError):
            require_digest(typed)
