"""What is kept of an attestation: contents by their digest, and one file that is whole or not there."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from chainloop_ci.attestation.state import CraftedMaterial, CraftingState
from chainloop_ci.attestation.state_document import to_document
from chainloop_ci.contract.types import MaterialType
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import FileUnreadableError, FileUnwritableError, PathRefusedError, StateUnwritableError
from chainloop_ci.queued import MAX_EMBEDDED_BYTES, PendingContents, Queued, QueueFile
from chainloop_ci.workspace.paths import open_material
from tests.unit.crafting.conftest import begun as begun
from tests.unit.crafting.memory import NOW

BUNDLE = b'{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json"}'
SMALL, LARGE = b"small", b"x" * (MAX_EMBEDDED_BYTES + 1)


class FakeSeal:
    """Seals for who holds the same token, as the real one does, and shows what it was given."""

    def __init__(self, token: str) -> None:
        self.token = token

    def seal(self, handle: str, run_id: str) -> str:
        return f"{self.token}/{run_id}/{handle[::-1]}"

    def unseal(self, sealed: str, run_id: str) -> str | None:
        token, of, handle = sealed.split("/")
        return handle[::-1] if (token, of) == (self.token, run_id) else None


SEAL = FakeSeal("token")


def open_inside(folder: Path, name: str) -> BinaryIO:
    return open_material(name, root=folder)


@pytest.fixture
def pending(tmp_path: Path) -> PendingContents:
    return PendingContents(tmp_path / "job" / "attestation.json")


@pytest.fixture
def file(tmp_path: Path) -> QueueFile:
    return QueueFile(tmp_path / "chainloop-queued-1.json", SEAL)


@pytest.fixture
def state(begun, pending: PendingContents) -> CraftingState:
    """Return the state of an attestation with two contents that were kept."""
    made = begun().gone_offline()
    for name, content in (("small", SMALL), ("large", LARGE), ("again", SMALL)):
        digest = pending.keep(io.BytesIO(content))
        made = made.with_material(
            CraftedMaterial(name, MaterialType.ARTIFACT, digest, NOW, filename=f"{name}.bin", uploaded=True)
        )
    return made


def test_a_content_is_called_by_its_digest_and_is_for_its_user_only(pending: PendingContents) -> None:
    digest = pending.keep(io.BytesIO(SMALL))

    [kept] = pending.folder.iterdir()
    assert (f"sha256:{kept.name}", digest) == (sha256_digest(SMALL), sha256_digest(SMALL))
    if sys.platform != "win32":
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_what_is_kept_can_be_read_again(file: QueueFile, state: CraftingState, pending: PendingContents) -> None:
    file.write(state, BUNDLE, pending)

    found = QueueFile(file.path, SEAL)
    kept = found.read()

    assert (kept.state, kept.bundle) == (state, BUNDLE)
    contents = {}
    for content in kept.contents:
        with found.open_content(content, open_inside) as source:
            contents[content.filename] = source.read()
    assert contents == {"small.bin": SMALL, "large.bin": LARGE}
    assert [path.name for path in file.folder.iterdir()] == [sha256_digest(LARGE).removeprefix("sha256:")]


def test_r14_the_handle_is_in_the_file_only_sealed(
    file: QueueFile, state: CraftingState, pending: PendingContents
) -> None:
    file.write(state, BUNDLE, pending)

    document = json.loads(file.path.read_text())
    assert state.session.run_handle
    assert state.session.run_handle not in file.path.read_text()
    assert document["sealedHandle"] == SEAL.seal(state.session.run_handle, state.pin.run_id)
    assert document["mediaType"] == "application/vnd.chainloop.queued-attestation.v2+json"


def test_r14_another_token_reads_everything_but_the_handle(
    file: QueueFile, state: CraftingState, pending: PendingContents
) -> None:
    file.write(state, BUNDLE, pending)

    kept = QueueFile(file.path, FakeSeal("another")).read()

    assert kept.state == replace(state, session=replace(state.session, run_handle=""))
    assert kept.bundle == BUNDLE


def test_a_file_of_the_first_form_is_read_with_its_clear_handle(
    file: QueueFile, state: CraftingState, pending: PendingContents
) -> None:
    file.write(state, BUNDLE, pending)
    document = json.loads(file.path.read_text())
    del document["sealedHandle"]
    first = {"mediaType": "application/vnd.chainloop.queued-attestation.v1+json", "state": to_document(state)}
    file.path.write_text(json.dumps({**document, **first}))

    kept = file.read()
    file.replace(kept)

    assert kept.state == state
    # What is written again is sealed, and the contents are still there.
    assert state.session.run_handle not in file.path.read_text()
    assert file.read() == kept


def test_a_file_without_a_sealed_handle_is_refused(
    file: QueueFile, state: CraftingState, pending: PendingContents
) -> None:
    file.write(state, BUNDLE, pending)
    document = json.loads(file.path.read_text())
    del document["sealedHandle"]
    file.path.write_text(json.dumps(document))

    with pytest.raises(FileUnreadableError, match="is no attestation"):
        file.read()


def test_what_would_make_the_file_too_large_lies_beside_it(
    tmp_path: Path, state: CraftingState, pending: PendingContents
) -> None:
    file = QueueFile(tmp_path / "chainloop-queued-1.json", SEAL, max_embedded_bytes=len(SMALL) - 1)

    file.write(state, BUNDLE, pending)

    assert len(list(file.folder.iterdir())) == 2
    assert all("content" not in entry for entry in json.loads(file.path.read_text())["contents"])


def test_a_material_without_a_content_of_its_own_is_not_among_them(
    file: QueueFile, begun, pending: PendingContents
) -> None:
    text = CraftedMaterial("text", MaterialType.STRING, sha256_digest(b"v"), NOW, value="v")
    gone = CraftedMaterial("gone", MaterialType.ARTIFACT, sha256_digest(b"sent before"), NOW, uploaded=True)
    skipped = CraftedMaterial("skipped", MaterialType.ARTIFACT, pending.keep(io.BytesIO(SMALL)), NOW, uploaded=False)

    file.write(begun().with_material(text).with_material(gone).with_material(skipped), BUNDLE, pending)

    assert file.read().contents == ()


@pytest.mark.skipif(sys.platform == "win32", reason="links of POSIX")
def test_r22_what_is_kept_is_no_link_that_a_checkout_brought_along(
    file: QueueFile, state: CraftingState, pending: PendingContents, tmp_path: Path
) -> None:
    # A material that was sent has no content here; its digest is no secret from who wrote it.
    (tmp_path / "secret").write_text("of the machine")
    sent = CraftedMaterial("sent", MaterialType.ARTIFACT, sha256_digest(b"sent"), NOW, uploaded=True)
    (pending.folder / sent.digest.removeprefix("sha256:")).symlink_to(tmp_path / "secret")

    file.write(state.with_material(sent), BUNDLE, pending)

    assert sent.digest not in {content.digest for content in file.read().contents}


def test_another_state_takes_the_place_and_the_contents_stay(
    file: QueueFile, state: CraftingState, pending: PendingContents
) -> None:
    file.write(state, BUNDLE, pending)
    other = replace(state, pin=replace(state.pin, run_id="another"))

    file.replace(Queued(other, b"signed again", file.read().contents))

    again = file.read()
    assert (again.state.pin.run_id, again.bundle, len(again.contents)) == ("another", b"signed again", 2)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root writes everywhere")
def test_where_nothing_can_be_written_it_says_so(pending: PendingContents, tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    (tmp_path / "job").chmod(0o500)

    with pytest.raises(StateUnwritableError):
        pending.keep(io.BytesIO(SMALL))


def test_a_file_that_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, state: CraftingState, pending: PendingContents
) -> None:
    (tmp_path / "taken").mkdir()
    file = QueueFile(tmp_path / "taken", SEAL)

    with pytest.raises(FileUnwritableError):
        file.write(state, BUNDLE, pending)

    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert len(list(pending.folder.iterdir())) == 2


def test_a_file_that_is_too_large_to_be_read_says_so(
    file: QueueFile, state: CraftingState, pending: PendingContents
) -> None:
    file.write(state, BUNDLE, pending)
    size = file.path.stat().st_size

    assert QueueFile(file.path, SEAL, max_file_bytes=size).read().bundle == BUNDLE
    with pytest.raises(FileUnreadableError, match=f"it is larger than {size - 1} bytes"):
        QueueFile(file.path, SEAL, max_file_bytes=size - 1).read()


def test_the_file_is_for_its_user_only_and_holds_any_text(
    file: QueueFile, state: CraftingState, pending: PendingContents
) -> None:
    named = replace(state, annotations={"note": "no UTF-8: \udcff"})

    file.write(named, BUNDLE, pending)

    assert file.read().state == named
    if sys.platform != "win32":
        assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "[]", "{}", "not json", '{"mediaType": "text/plain"}', "[" * 200_000])
def test_another_file_is_refused(file: QueueFile, text: str) -> None:
    file.path.write_text(text)

    with pytest.raises(FileUnreadableError, match="is no attestation"):
        file.read()


@pytest.mark.parametrize(
    ("field", "said"),
    [("sizeBytes", "1e999"), ("content", '"\u00e9"'), ("content", '"%"'), ("filename", '"\\ud800"')],
)
def test_a_content_that_no_job_keeps_is_refused(
    file: QueueFile, state: CraftingState, pending: PendingContents, field: str, said: str
) -> None:
    file.write(state, BUNDLE, pending)
    document = json.loads(file.path.read_text())
    for entry in document["contents"]:
        entry[field] = "in its place"
    file.path.write_text(json.dumps(document).replace('"in its place"', said))

    with pytest.raises(FileUnreadableError, match="is no attestation"):
        for content in file.read().contents:
            with file.open_content(content, open_inside):
                pass


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices of POSIX")
@pytest.mark.parametrize("place", ["pipe", "/dev/zero"])
def test_r22_a_pipe_or_a_device_is_not_read(tmp_path: Path, place: str) -> None:
    if place == "pipe":
        os.mkfifo(tmp_path / place)

    with pytest.raises(FileUnreadableError, match="cannot be read: it is no ordinary file"):
        QueueFile(tmp_path / place, SEAL).read()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other rights")
def test_what_lies_beside_the_file_is_for_its_user_only(
    file: QueueFile, state: CraftingState, pending: PendingContents
) -> None:
    file.folder.mkdir()
    file.folder.chmod(0o755)

    file.write(state, BUNDLE, pending)

    assert [stat.S_IMODE(path.stat().st_mode) for path in file.folder.iterdir()] == [0o600]


def test_a_missing_file_is_named(file: QueueFile) -> None:
    with pytest.raises(FileUnreadableError, match=r"chainloop-queued-1\.json cannot be read"):
        file.read()


@pytest.mark.parametrize("content", [SMALL, LARGE])
def test_a_content_that_is_not_what_its_digest_says_is_not_given(
    file: QueueFile, state: CraftingState, pending: PendingContents, content: bytes
) -> None:
    file.write(state, BUNDLE, pending)
    document = json.loads(file.path.read_text())
    for entry in document["contents"]:
        if "content" in entry:
            entry["content"] = "b3RoZXI="
    file.path.write_text(json.dumps(document))
    [beside] = file.folder.iterdir()
    beside.write_bytes(b"x" * (len(LARGE) - 1) + b"y")
    [wanted] = [entry for entry in file.read().contents if entry.digest == sha256_digest(content)]

    with (
        pytest.raises(FileUnreadableError, match="is another one than sha256:"),
        file.open_content(wanted, open_inside),
    ):
        pytest.fail("it was given")


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of POSIX")
@pytest.mark.parametrize("target", ["../../outside-of-the-queue", "/proc/self/environ", None])
def test_r22_a_content_beside_the_file_may_not_lead_elsewhere(
    file: QueueFile, state: CraftingState, pending: PendingContents, tmp_path: Path, target: str | None
) -> None:
    file.write(state, BUNDLE, pending)
    (tmp_path.parent / "outside-of-the-queue").write_bytes(LARGE)
    [beside] = file.folder.iterdir()
    beside.unlink()
    if target is None:
        os.mkfifo(beside)
    else:
        beside.symlink_to(target)
    [wanted] = [entry for entry in file.read().contents if entry.digest == sha256_digest(LARGE)]

    with pytest.raises(PathRefusedError), file.open_content(wanted, open_inside):
        pytest.fail("it was given")


def test_contents_share_the_room_that_the_file_has_for_them(tmp_path: Path, begun, pending: PendingContents) -> None:
    state = begun().gone_offline()
    for name in ("first", "other"):
        digest = pending.keep(io.BytesIO(name.encode()))
        state = state.with_material(CraftedMaterial(name, MaterialType.ARTIFACT, digest, NOW, uploaded=True))
    file = QueueFile(tmp_path / "chainloop-queued-1.json", SEAL, max_embedded_bytes=len("first") + 1)

    file.write(state, BUNDLE, pending)

    assert ["content" in entry for entry in json.loads(file.path.read_text())["contents"]] == [True, False]
