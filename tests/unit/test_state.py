"""The local state file: what is saved survives, and only its user reads it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chainloop_ci.attestation.state import CraftedMaterial, CraftingState, RunnerFacts, Session, WorkflowPin
from chainloop_ci.attestation.state_document import is_ours
from chainloop_ci.contract.types import Contract, ContractMaterial, MaterialType, RunnerType
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import (
    AlreadyInitializedError,
    ConflictError,
    StateBrokenError,
    StateForeignError,
    StateLockedError,
    StateMissingError,
    StateUnwritableError,
)
from chainloop_ci.runners.types import CiIdentity
from chainloop_ci.state import LocalState, belongs_to_other_job

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
JOB = CiIdentity(provider="github", repository="acme/api", run_id="7", run_attempt=1, job="build")
STATE = CraftingState(
    contract=Contract(name="release", materials=(ContractMaterial("sbom", MaterialType.SBOM_CYCLONEDX_JSON),)),
    pin=WorkflowPin("build", "api", "acme", "release", 3, sha256_digest(b"contract"), run_id="run-1"),
    initialized_at=NOON,
    runner=RunnerFacts(RunnerType.GITHUB_ACTION),
    session=Session(control_plane="https://cp.test", run_handle="handle", ci=JOB),
)
posix = pytest.mark.skipif(sys.platform == "win32", reason="rights as POSIX has them")


def material(name: str, value: str = "x") -> CraftedMaterial:
    return CraftedMaterial(name, MaterialType.STRING, sha256_digest(value.encode()), NOON, value=value)


@pytest.fixture
def local(tmp_path):
    return LocalState(tmp_path / "folder" / "attestation.json")


def test_what_is_created_is_loaded(local):
    assert local.create(STATE) is None

    assert local.load() == STATE


def test_nothing_there_is_said_with_how_to_start(local):
    assert local.find() is None
    with pytest.raises(StateMissingError) as caught:
        local.load()

    assert "attestation init" in str(caught.value.hint)


def test_an_update_is_saved_and_returned(local):
    local.create(STATE)

    after = local.update(lambda state: state.with_material(material("commit")))

    assert local.load() == after == STATE.with_material(material("commit"))


def test_an_update_without_a_state_is_refused(local):
    with pytest.raises(StateMissingError):
        local.update(lambda state: state)


def test_a_change_that_fails_leaves_the_state_and_frees_the_lock(local):
    local.create(STATE)

    with pytest.raises(ZeroDivisionError):
        local.update(lambda state: replace(state, auth_id=str(1 // 0)))

    assert local.load() == STATE
    assert local.update(lambda state: replace(state, auth_id="token-1")).auth_id == "token-1"


def test_text_that_is_not_utf8_comes_back(local):
    odd = os.fsdecode(b"caf\xe9")
    local.create(STATE.with_material(replace(material("name"), value=odd)))

    assert local.load().materials["name"].value == odd


ADD = """
import sys
from dataclasses import replace
from pathlib import Path
from chainloop_ci.state import LocalState

def change(state):
    return replace(state, annotations={**state.annotations, sys.argv[2]: "x"})

sys.stdin.read()
LocalState(Path(sys.argv[1])).update(change)
"""


def test_twenty_parallel_updates_all_survive(local):
    local.create(STATE)
    project = Path(__file__).resolve().parents[2]
    children = [
        subprocess.Popen(
            (sys.executable, "-c", ADD, str(local.path), f"name-{number}"), stdin=subprocess.PIPE, cwd=project
        )
        for number in range(20)
    ]

    for child in children:
        assert child.stdin is not None
        child.stdin.close()  # they all start at once

    assert [child.wait(60) for child in children] == [0] * 20
    assert sorted(local.load().annotations) == sorted(f"name-{number}" for number in range(20))


def test_updates_that_clear_meets_in_between_are_never_half(local):
    local.create(STATE)
    failures: list[BaseException] = []

    def work() -> None:
        for number in range(30):
            try:
                local.update(lambda state, number=number: state.with_material(material(f"m-{number}")))
            except StateMissingError:
                local.create(STATE, replace=True)
            except BaseException as error:
                failures.append(error)
                return
            if number % 5 == 0:
                local.clear()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []


@posix
def test_file_and_folder_are_for_their_user_only(local):
    old = os.umask(0)
    try:
        local.create(STATE)
        local.save_bundle(b"bundle")
    finally:
        os.umask(old)

    assert {path.name: oct(path.stat().st_mode & 0o777) for path in local.path.parent.iterdir()} == {
        "attestation.json": "0o600",
        "attestation.json.bundle": "0o600",
        "attestation.json.lock": "0o600",
    }
    assert oct(local.path.parent.stat().st_mode & 0o777) == "0o700"


@posix
def test_a_leftover_of_a_killed_process_is_not_reused(local, tmp_path):
    local.create(STATE)
    leftover = local.path.with_name("attestation.json.new")
    leftover.symlink_to(tmp_path / "victim")

    local.update(lambda state: replace(state, auth_id="token-1"))

    assert local.load().auth_id == "token-1"
    assert not (tmp_path / "victim").exists()


def test_the_same_job_does_not_start_twice(local):
    local.create(STATE)

    with pytest.raises(AlreadyInitializedError, match=r"workflow build.*2026-01-31 12:00 UTC") as caught:
        local.create(STATE)

    assert all(way in str(caught.value.hint) for way in ("attestation push", "attestation reset", "init --replace"))


def test_r17_replace_over_an_open_run_returns_the_old_state(local):
    local.create(STATE)
    again = replace(STATE, pin=replace(STATE.pin, run_id="run-2"))

    assert local.create(again, replace=True) == STATE
    assert local.load() == again


def test_the_state_of_another_job_is_replaced_and_returned(local):
    local.create(STATE)
    other = replace(STATE, session=replace(STATE.session, ci=replace(JOB, run_id="8")))

    assert local.create(other) == STATE
    assert local.load() == other


@pytest.mark.parametrize("field", ["provider", "server_url", "repository", "run_id", "job"])
def test_another_job_is_told_by_each_part_of_its_key(field):
    assert belongs_to_other_job(STATE, replace(JOB, **{field: "other"}))


@pytest.mark.parametrize("other", [replace(JOB, run_attempt=2), CiIdentity(provider="none")])
def test_another_attempt_and_another_place_are_another_job(other):
    assert belongs_to_other_job(STATE, other)


@pytest.mark.parametrize("same", [JOB, replace(JOB, job_index="1"), replace(JOB, runner_name="other")])
def test_a_matrix_leg_that_only_one_side_knows_does_not_tell_jobs_apart(same):
    assert not belongs_to_other_job(STATE, same)


def test_two_known_matrix_legs_are_two_jobs():
    first = replace(STATE, session=replace(STATE.session, ci=replace(JOB, job_index="0")))

    assert belongs_to_other_job(first, replace(JOB, job_index="1"))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "no complete JSON"),
        (b"\0" * 4096, "no complete JSON"),
        (b'{"attestation": {', "no complete JSON"),
        (b'{\n  "schem', "no complete JSON"),
        (b'{"attestation": 5}', "expected an object"),
    ],
)
def test_a_broken_file_says_what_is_broken_and_how_to_reset(local, raw, reason):
    local.create(STATE)
    local.path.write_bytes(raw)

    with pytest.raises(StateBrokenError, match=reason) as caught:
        local.load()

    assert str(local.path) in caught.value.message
    assert "attestation reset" in str(caught.value.hint)


def test_a_broken_file_stops_init_with_its_own_error_unless_it_is_replaced(local):
    local.create(STATE)
    local.path.write_bytes(b"{")

    with pytest.raises(StateBrokenError):
        local.create(STATE)

    assert local.create(STATE, replace=True) is None
    assert local.load() == STATE


FOREIGN = [
    b"# Read me\n",
    b"[]",
    b"{}",
    b'{"bomFormat": "CycloneDX"}',
    b'{"mediaType": "x", "dsseEnvelope": {"payload": "',
    b"[" * 100_000,
    b"\x00\xff",
    b"\0" * 4096 + b"an image that begins with nothing",
]


@pytest.mark.parametrize("raw", FOREIGN)
def test_a_file_that_we_did_not_write_is_left_as_it_is_and_nobody_is_told_to_destroy_it(local, raw):
    local.path.parent.mkdir()
    local.path.write_bytes(raw)

    for attempt in (
        local.load,
        local.clear,
        lambda: local.create(STATE),
        lambda: local.create(STATE, replace=True),
        lambda: local.update(lambda state: state),
    ):
        with pytest.raises(StateForeignError, match="left as it is") as caught:
            attempt()
        assert "--local-state-path" in str(caught.value.hint)
        assert not any(word in str(caught.value.hint) for word in ("reset", "--replace"))

    assert local.path.read_bytes() == raw


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_is_not_removed(local):
    local.create(STATE)
    local.path.chmod(0)

    with pytest.raises(StateForeignError):
        local.clear()

    assert local.path.exists()


def test_a_state_of_the_go_product_is_ours(local, corpus):
    raw = (corpus / "go-product" / "crafting-state.json").read_bytes()

    assert is_ours(raw)
    assert all(is_ours(raw[:end]) for end in range(0, len(raw), 97))


def test_every_torn_state_is_ours(local):
    local.create(STATE.with_material(material("commit")))
    raw = local.path.read_bytes()

    assert all(is_ours(raw[:end]) for end in range(len(raw) + 1))


def test_after_a_push_it_is_said_what_was_pushed(local):
    local.create(STATE)
    local.save_bundle(b"bundle")

    local.finish("run-1", sha256_digest(b"bundle"))

    assert [path.name for path in local.path.parent.iterdir()] == ["attestation.json.last"]
    with pytest.raises(StateMissingError, match=f"pushed \\(run run-1, digest {sha256_digest(b'bundle')}\\)"):
        local.load()


@posix
def test_the_note_of_a_push_is_for_its_user_only(local):
    local.create(STATE)

    local.finish("run-1", sha256_digest(b"bundle"))

    assert oct(local.path.with_name("attestation.json.last").stat().st_mode & 0o777) == "0o600"


@pytest.mark.parametrize("forget", [lambda local: local.create(STATE), lambda local: local.clear()])
def test_the_note_of_a_push_goes_with_the_next_attestation(local, forget):
    local.create(STATE)
    local.finish("run-1", sha256_digest(b"bundle"))

    forget(local)

    assert not local.path.with_name("attestation.json.last").exists()


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"\xff", b"7"])
def test_a_note_that_cannot_be_read_changes_nothing(local, raw):
    local.path.parent.mkdir()
    local.path.with_name("attestation.json.last").write_bytes(raw)

    with pytest.raises(StateMissingError, match=r"no state file [^;]*$"):
        local.load()


def test_the_files_of_the_state_are_known(local, tmp_path):
    (tmp_path / "link").symlink_to(local.path.with_name("attestation.json.bundle"))

    assert local.owns(local.path)
    assert local.owns(tmp_path / "link")
    assert not local.owns(tmp_path / "attestation.json")


def test_a_broken_file_can_be_cleared(local):
    local.create(STATE)
    local.path.write_bytes(b"{")

    local.clear()

    assert local.find() is None


@pytest.mark.parametrize("place", ["folder", "/dev/null"])
def test_a_folder_or_a_device_in_place_of_the_file_is_not_ours(tmp_path, place):
    (tmp_path / "folder").mkdir()

    with pytest.raises(StateForeignError, match="a folder or a device"):
        LocalState(tmp_path / place).load()


def test_clear_leaves_nothing_and_may_be_repeated(local):
    local.create(STATE)
    local.save_bundle(b"bundle")

    local.clear()
    local.clear()

    assert list(local.path.parent.iterdir()) == []


def test_clear_without_a_folder_makes_none(local):
    local.clear()

    assert not local.path.parent.exists()


def test_the_signed_bundle_is_kept_as_it_is(local):
    local.create(STATE)
    raw = b'{ "mediaType" : "x" }\n\x00'

    local.save_bundle(raw)

    assert local.load_bundle() == raw


def test_a_change_of_materials_drops_the_bundle(local):
    local.create(STATE)
    local.save_bundle(b"bundle")

    local.update(lambda state: state.with_material(material("commit")))

    assert local.load_bundle() is None


def test_a_change_of_something_else_keeps_the_bundle(local):
    local.create(STATE)
    local.save_bundle(b"bundle")

    local.update(lambda state: replace(state, annotations={"team": "core"}))

    assert local.load_bundle() == b"bundle"


def test_r17_adding_the_same_material_again_keeps_the_bundle(local):
    local.create(STATE.with_material(material("commit")))
    local.save_bundle(b"bundle")

    local.update(lambda state: state.with_material(material("commit")))

    assert local.load_bundle() == b"bundle"


def test_a_new_state_drops_the_bundle_of_the_old_one(local):
    local.create(STATE)
    local.save_bundle(b"bundle")

    local.create(STATE, replace=True)

    assert local.load_bundle() is None


def test_a_bundle_without_its_state_is_not_found(local):
    local.create(STATE)
    local.save_bundle(b"bundle")
    local.path.unlink()

    assert local.load_bundle() is None
    with pytest.raises(StateMissingError):
        local.save_bundle(b"bundle")


def test_a_material_that_is_added_while_signing_refuses_the_bundle(local):
    local.create(STATE)
    signed = local.load()
    local.update(lambda state: state.with_material(material("late")))

    with pytest.raises(ConflictError, match="changed while"):
        local.save_bundle(b"bundle", signed=signed)

    assert local.load_bundle() is None


def test_a_lock_that_is_not_freed_ends_in_an_error(local):
    local.create(STATE)
    impatient = LocalState(local.path, lock_timeout_seconds=0.02)

    with pytest.raises(StateLockedError, match=r"more than 0\.02 s"):
        local.update(lambda state: impatient.update(lambda inner: inner))


def test_a_place_that_cannot_be_written_is_said_with_a_way_out(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(StateUnwritableError) as caught:
        LocalState(tmp_path / "file" / "attestation.json").create(STATE)

    assert "--local-state-path" in str(caught.value.hint)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
def test_a_state_that_another_user_laid_down_is_refused(tmp_path):
    tmp_path.chmod(0o755)
    planted = LocalState(tmp_path / "attestation.json")
    planted.create(STATE)
    os.chown(planted.path, 12345, 12345)
    planted.path.chmod(0o644)
    facts = planted.path.stat()

    os.seteuid(12346)
    try:
        with pytest.raises(StateBrokenError, match="another user"):
            planted._require_own(facts)
    finally:
        os.seteuid(0)


def test_loading_needs_no_heavy_library():
    code = "import sys, chainloop_ci.state; print(*sorted(sys.modules))"

    loaded = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True).stdout.split()

    assert {"yaml", "jsonschema", "jsonschema_rs", "cryptography", "urllib3", "oras", "subprocess"}.isdisjoint(loaded)
