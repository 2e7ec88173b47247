from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from chainloop_ci.signing.generate import generate_key
from chainloop_ci.signing.keys import load_signing_key
from chainloop_ci.signing.public_keys import load_public_key
from tests.unit.cli.answers import DIGEST, key, page, problem, reply
from tests.unit.stub_server import Reply

CREATE = ("organization", "key", "create", "--name", "release", "--workflow", "bedrock/release")


def test_create_writes_both_files_and_registers_the_public_one(operate, stub, tmp_path: Path) -> None:
    stub.replies = [reply(key(), 201)]

    result = operate(*CREATE, "--private-key", "k.key", "--public-key", "k.pub")

    sent = json.loads(stub.seen[0].body)
    signer = load_signing_key(str(tmp_path / "k.key"), read_password=lambda: None, env={})
    assert (result.status, sent["publicKey"]) == (0, (tmp_path / "k.pub").read_text())
    assert signer.key_id == load_public_key(sent["publicKey"].encode()).key_id
    assert (sent["workflows"], sent["projects"], sent["organizationWide"]) == (["bedrock/release"], [], False)
    assert stat.S_IMODE((tmp_path / "k.key").stat().st_mode) == 0o600
    assert "not encrypted" in result.err


def test_the_files_are_named_after_the_key(operate, stub, tmp_path: Path) -> None:
    stub.replies = [reply(key(), 201)]

    operate(*CREATE)

    assert {path.name for path in tmp_path.iterdir()} == {"release.key", "release.pub"}


def test_a_password_encrypts_the_private_key(operate, stub, tmp_path: Path) -> None:
    stub.replies = [reply(key(), 201)]

    result = operate(*CREATE, "--algorithm", "ed25519", env={"CHAINLOOP_SIGNING_PASSWORD": "s3cret"})

    assert "ENCRYPTED" in (tmp_path / "release.key").read_text()
    assert load_signing_key(str(tmp_path / "release.key"), read_password=lambda: "s3cret", env={})
    assert "not encrypted" not in result.err


def test_an_existing_key_is_never_overwritten(operate, stub, tmp_path: Path) -> None:
    (tmp_path / "release.key").write_text("precious")

    result = operate(*CREATE)

    assert result.status == 1
    assert "already there" in result.err
    assert (tmp_path / "release.key").read_text() == "precious"
    assert stub.seen == []


def test_a_refused_registration_leaves_no_files(operate, stub, tmp_path: Path) -> None:
    stub.replies = [problem(403, "not-allowed", "needs the role admin")]

    result = operate(*CREATE)

    assert result.status == 5
    assert list(tmp_path.iterdir()) == []
    assert "the same command can be repeated" in result.err


def test_a_registration_whose_answer_was_lost_keeps_the_files(operate, stub, tmp_path: Path) -> None:
    stub.replies = [Reply(cut=0)]

    result = operate(*CREATE)

    assert result.status == 6
    assert {path.name for path in tmp_path.iterdir()} == {"release.key", "release.pub"}
    assert (
        "`chainloop organization key add --name release --public-key release.pub --workflow bedrock/release`"
        in result.err
    )


def test_both_halves_in_one_file_are_refused(operate, stub, tmp_path: Path) -> None:
    result = operate(*CREATE, "--private-key", "k", "--public-key", "k")

    assert (result.status, stub.seen, list(tmp_path.iterdir())) == (2, [], [])


def test_when_the_second_file_cannot_be_written_the_first_is_taken_away(operate, stub, tmp_path: Path) -> None:
    result = operate(*CREATE, "--public-key", "absent/k.pub")

    assert (result.status, stub.seen, list(tmp_path.iterdir())) == (1, [], [])
    assert "make the folder" in result.err
    assert "--public-key" in result.err


@pytest.mark.parametrize("reference", [".", "absent.pub", "/dev/null"])
def test_a_key_that_is_no_file_is_refused_with_what_is_taken(operate, stub, reference: str) -> None:
    result = operate("organization", "key", "add", "--name", "x", "--organization-wide", "--public-key", reference)

    assert (result.status, stub.seen) == (1, [])
    assert "--public-key takes the path of a PEM file, env://NAME" in result.err


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--organization-wide", "--project", "bedrock"),
        ("--workflow", "release"),
        ("--workflow", "a/b/c"),
    ],
)
def test_r3_a_key_is_bound_explicitly(operate, stub, tmp_path: Path, options: tuple[str, ...]) -> None:
    result = operate("organization", "key", "create", "--name", "release", *options)

    assert result.status == 2
    assert stub.seen == []
    assert list(tmp_path.iterdir()) == []


def test_add_registers_a_file_for_the_whole_organization(operate, stub, tmp_path: Path) -> None:
    public = generate_key()[1]
    (tmp_path / "k.pub").write_text(public)
    stub.replies = [reply(key(scopes=[{"kind": "organization"}]), 201)]

    result = operate("organization", "key", "add", "--name", "all", "--organization-wide", "--public-key", "k.pub")

    assert result.status == 0
    assert json.loads(stub.seen[0].body) == {
        "name": "all", "publicKey": public, "projects": [], "workflows": [], "organizationWide": True,
    }  # fmt: skip


def test_add_refuses_a_private_key_and_does_not_send_it(operate, stub, tmp_path: Path) -> None:
    (tmp_path / "k.key").write_text(generate_key()[0])

    result = operate("organization", "key", "add", "--name", "x", "--organization-wide", "--public-key", "k.key")

    assert result.status == 5
    assert stub.seen == []


def test_list_shows_what_each_key_verifies_and_its_state(operate, stub) -> None:
    stub.replies = [
        page(key(), key(name="old", retiredAt="2022-11-04T00:00:00Z"), key(revokedAt="2022-11-04T00:00:00Z"))
    ]

    result = operate("organization", "key", "ls")

    assert "bedrock/release │ active" in result.out
    assert "retired" in result.out
    assert "revoked" in result.out


@pytest.mark.parametrize("verb", ["retire", "revoke"])
@pytest.mark.parametrize("named", ["release", DIGEST])
def test_retire_and_revoke_take_a_name_or_an_id(operate, stub, verb: str, named: str) -> None:
    stub.replies = [page(key()), reply(key())]

    result = operate("organization", "key", verb, named)

    assert (result.status, stub.seen[1].path) == (0, f"/api/v1/verification-keys/{DIGEST}/{verb}")
    assert f"INF key {verb}d name=release" in result.err


@pytest.mark.parametrize(
    ("verb", "ended", "said"),
    [
        ("retire", {"retiredAt": "2022-11-04T00:00:00Z"}, "key was retired already"),
        ("retire", {"revokedAt": "2022-11-04T00:00:00Z"}, "key was revoked already"),
        ("revoke", {"revokedAt": "2022-11-04T00:00:00Z"}, "key was revoked already"),
    ],
)
def test_ending_a_key_again_succeeds_and_changes_nothing(operate, stub, verb: str, ended: dict, said: str) -> None:
    stub.replies = [page(key(**ended))]

    result = operate("organization", "key", verb, "release", typed="")

    assert (result.status, len(stub.seen)) == (0, 1)
    assert said in result.err


def test_a_list_without_keys_is_a_sentence(operate, stub) -> None:
    stub.replies = [page()]

    result = operate("organization", "key", "list")

    assert (result.out, result.err) == ("", "INF no keys yet\n")
