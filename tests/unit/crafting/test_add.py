from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from chainloop_ci.attestation.state import CraftingState
from chainloop_ci.contract.limits import MAX_MATERIAL_NAME
from chainloop_ci.contract.types import MaterialType
from chainloop_ci.crafting.add import REPLACES_ANNOTATION, WORTH_ASKING_BYTES, Add, AddRequest
from chainloop_ci.crafting.content import ContentReader
from chainloop_ci.crafting.packing import Pack, PackedFile
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import (
    ConflictError,
    ContractNotMetError,
    ContractUnsupportedError,
    FileUnreadableError,
    ImageUnresolvedError,
    LimitExceededError,
    MaterialConflictError,
    MaterialRejectedError,
    RegistryLoginError,
    StateMissingError,
    UnreachableError,
    UsageError,
)
from tests.unit.crafting.memory import (
    CONTRACT,
    NOW,
    ContestedStore,
    MemoryContents,
    MemoryFiles,
    MemoryPlane,
    MemoryStore,
    Notes,
    Registry,
)

SBOM = json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1}).encode()


class Bench:
    """Everything that an `add` needs."""

    def __init__(self, state: CraftingState, plane: MemoryPlane, notes: Notes, *, may_queue: bool = False) -> None:
        self.store = MemoryStore(state)
        self.pending = MemoryContents()
        self.may_queue = may_queue
        self.plane = plane
        self.notes = notes
        self.files = MemoryFiles(app_bin=b"binary", sbom_json=SBOM, wrong_json=b"{}", empty_bin=b"")
        self.registry = Registry()

    def add(self, value: str, name: str | None = None, **facts: object):
        add = Add(
            pending=self.pending,
            may_queue=self.may_queue,
            store=self.store,
            control_plane=lambda state: self.plane,
            reader=ContentReader(self.files, self.registry),
            now=lambda: NOW,
            report=self.notes,
        )
        return add(AddRequest(value, name, **facts))


@pytest.fixture
def bench(begun: Callable[..., CraftingState], plane: MemoryPlane, notes: Notes) -> Bench:
    return Bench(begun(), plane, notes)


def test_a_text_is_recorded_with_its_digest(bench) -> None:
    material = bench.add("deadbeef", "commit")

    assert material.type is MaterialType.STRING
    assert material.value == "deadbeef"
    assert material.digest == "sha256:" + hashlib.sha256(b"deadbeef").hexdigest()
    assert bench.plane.calls == []


def test_a_file_is_streamed_in_one_pass(bench) -> None:
    material = bench.add("app.bin", "binary")

    assert bench.plane.names == ["upload_stream"]
    assert (material.uploaded, material.filename, material.size_bytes, material.output) == (True, "app.bin", 6, True)
    assert bench.notes.meters[0].sent == 6


def test_a_document_is_checked_before_it_is_sent(bench) -> None:
    material = bench.add("sbom.json", "sbom")

    assert bench.plane.names == ["put_artifact"]
    assert material.type is MaterialType.SBOM_CYCLONEDX_JSON
    assert bench.plane.blobs[material.digest] == SBOM


def test_a_wrong_document_is_refused_and_never_sent(bench) -> None:
    with pytest.raises(MaterialRejectedError, match=r"wrong\.json"):
        bench.add("wrong.json", "sbom")

    assert bench.plane.calls == []
    assert bench.store.state.materials == {}


def test_a_document_that_was_not_checked_strictly_says_so_under_the_signature(bench) -> None:
    bench.files.files["broken.json"] = json.dumps({**json.loads(SBOM), "components": [{"name": "a"}]}).encode()

    material = bench.add("broken.json", "sbom", strict=False)

    assert material.annotations["chainloop.material.validation"] == "lenient"
    assert bench.notes.warnings


def test_an_empty_file_is_refused(bench) -> None:
    with pytest.raises(MaterialRejectedError, match="file is empty"):
        bench.add("empty.bin", "binary")


def test_an_empty_text_is_refused(bench) -> None:
    with pytest.raises(MaterialRejectedError, match="found an empty one"):
        bench.add("", "commit")


def test_a_missing_file_is_refused(bench) -> None:
    with pytest.raises(FileUnreadableError, match="there is no file"):
        bench.add("absent.bin", "binary")


def test_the_type_of_the_contract_wins_with_a_warning(bench) -> None:
    material = bench.add("app.bin", "binary", type=MaterialType.STRING)

    assert material.type is MaterialType.ARTIFACT
    assert any("--kind is not used" in warning for warning in bench.notes.warnings)


@pytest.mark.parametrize("name", ["Upper", "under_score", "-a", "a-", "a" * 254, "a\n"])
def test_a_bad_name_is_refused_before_any_type_is_tried(bench, name) -> None:
    with pytest.raises(UsageError, match="lowercase letters, numbers, and hyphens"):
        bench.add("absent.bin", name)


def test_a_value_without_name_and_type_gets_both(bench) -> None:
    material = bench.add("sbom.json")

    assert material.type is MaterialType.SBOM_CYCLONEDX_JSON
    assert material.name == f"material-{int(NOW.timestamp())}000000000"
    assert not material.required


def test_two_materials_without_names_get_two_names(bench) -> None:
    assert bench.add("one").name != bench.add("two").name


@pytest.mark.parametrize(("value", "expected"), [("app.bin", MaterialType.ARTIFACT), ("deadbeef", MaterialType.STRING)])
def test_the_type_of_other_values_is_inferred(bench, value, expected) -> None:
    assert bench.add(value, "extra").type is expected


def test_a_path_that_does_not_exist_is_never_a_text(bench) -> None:
    with pytest.raises(FileUnreadableError, match=r"no file \./out/app"):
        bench.add("./out/app", "extra")


def test_an_image_is_resolved_and_not_uploaded(bench) -> None:
    material = bench.add("ghcr.io/acme/app:1.2", "image")

    assert material.type is MaterialType.CONTAINER_IMAGE
    assert material.digest == "sha256:" + "a" * 64
    assert bench.plane.calls == []


@pytest.mark.parametrize("error", [RegistryLoginError("401 with what was tried"), ImageUnresolvedError("unknown")])
def test_an_image_that_its_registry_does_not_give_never_becomes_a_text(bench, error) -> None:
    bench.registry.error = error

    with pytest.raises(type(error)):
        bench.add("ghcr.io/acme/app:1.2", "image")

    assert bench.store.state.materials == {}


def test_an_unimplemented_type_is_refused_by_name(bench) -> None:
    with pytest.raises(ContractUnsupportedError, match="HELM_CHART"):
        bench.add("app.bin", "chart", type=MaterialType.HELM_CHART)


def test_r17_the_same_bytes_again_change_nothing(bench) -> None:
    first = bench.add("app.bin", "binary")
    saves, calls = bench.store.saves, len(bench.plane.calls)

    second = bench.add("app.bin", "binary")

    assert second == first
    assert any(info.startswith("unchanged") and first.digest in info for info in bench.notes.infos)
    assert (bench.store.saves, len(bench.plane.calls)) == (saves, calls)


def test_r17_other_bytes_are_refused_before_they_are_sent(bench) -> None:
    bench.add("app.bin", "binary")
    bench.files.files["app.bin"] = b"other"

    with pytest.raises(MaterialConflictError, match="already added with other content"):
        bench.add("app.bin", "binary")

    assert bench.plane.names == ["upload_stream"]


def test_r17_a_replacement_is_recorded_with_job_time_and_both_digests(bench) -> None:
    first = bench.add("app.bin", "binary")
    bench.files.files["app.bin"] = b"other"

    bench.add("app.bin", "binary", replace=True)

    kept = bench.store.state.materials["binary"]
    assert kept.digest == "sha256:" + hashlib.sha256(b"other").hexdigest()
    assert kept.annotations[REPLACES_ANNOTATION] == f"{first.digest} at 2026-11-20T12:00:00Z by none"


def test_r17_other_bytes_are_a_replacement_also_after_a_removal(bench) -> None:
    first = bench.add("app.bin", "binary")
    bench.store.state = bench.store.state.without_material("binary")
    bench.files.files["app.bin"] = b"other"

    with pytest.raises(MaterialConflictError, match="already added with other content"):
        bench.add("app.bin", "binary")
    replaced = bench.add("app.bin", "binary", replace=True)

    assert bench.plane.names == ["upload_stream", "upload_stream"]
    assert replaced.digest != first.digest
    assert first.digest in bench.store.state.materials["binary"].annotations[REPLACES_ANNOTATION]


def test_r17_the_same_bytes_come_back_after_a_removal(bench) -> None:
    first = bench.add("app.bin", "binary")
    bench.store.state = bench.store.state.without_material("binary")

    assert bench.add("app.bin", "binary") == first


def test_a_misspelt_name_is_a_warning_with_the_name_that_was_meant_and_the_way_back(bench) -> None:
    bench.add("deadbeef", "comit", type=MaterialType.STRING)

    [warning] = bench.notes.warnings
    assert "the contract does not know the material comit" in warning
    assert "'did_you_mean': 'commit'" in warning
    assert "chainloop attestation remove --name comit" in warning


def test_an_unknown_name_is_a_warning_with_the_open_entries_that_would_fit(bench) -> None:
    bench.add("deadbeef", "something-else", type=MaterialType.STRING)

    assert "'would_fit': 'commit'" in bench.notes.warnings[0]


def test_a_material_without_a_name_that_would_fit_is_a_warning(bench) -> None:
    bench.add("sbom.json")

    assert "'would_fit': 'sbom'" in bench.notes.warnings[0]


def test_a_material_without_a_name_that_fits_nowhere_is_no_warning(bench) -> None:
    bench.add("deadbeef", "commit")

    bench.add("deadbeef", type=MaterialType.STRING)

    assert bench.notes.warnings == []


def test_a_contract_without_materials_knows_no_unknown_ones(begun, plane, notes) -> None:
    nothing = b"apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {name: none}\nspec: {}\n"

    Bench(begun(nothing), plane, notes).add("deadbeef", "anything")

    assert notes.warnings == []


def test_a_text_that_is_the_name_of_a_file_is_a_warning(bench) -> None:
    bench.add("app.bin", "commit")

    assert "a STRING attests the text itself: app.bin" in bench.notes.warnings[0]


def test_a_wrong_file_gets_a_hint(bench) -> None:
    with pytest.raises(MaterialRejectedError) as caught:
        bench.add("wrong.json", "sbom")

    assert "CycloneDX" in str(caught.value.hint)


def test_r17_other_annotations_need_replace(bench) -> None:
    bench.add("app.bin", "binary", annotations={"tier": "gold"})

    with pytest.raises(MaterialConflictError, match="other annotations: tier"):
        bench.add("app.bin", "binary", annotations={"tier": "tin"})


def test_a_material_that_came_meanwhile_is_not_overwritten(bench) -> None:
    class Slow(MemoryFiles):
        def open_file(self, path):
            other = bench.store.state.with_material(known)
            bench.store.state = other
            return super().open_file(path)

    known = replace(bench.add("app.bin", "binary"), digest="sha256:" + "b" * 64)
    bench.store.state = replace(bench.store.state, materials={})
    bench.files = Slow(app_bin=b"binary")

    with pytest.raises(MaterialConflictError):
        bench.add("app.bin", "binary")


def test_another_attestation_that_began_meanwhile_gets_nothing(bench, begun) -> None:
    class Slow(MemoryFiles):
        def open_file(self, path):
            bench.store.state = replace(begun(), pin=replace(begun().pin, run_id="another"))
            return super().open_file(path)

    bench.files = Slow(app_bin=b"binary")

    with pytest.raises(ConflictError, match="another attestation was begun"):
        bench.add("app.bin", "binary")

    assert bench.store.state.materials == {}


def test_a_dry_run_records_the_digest_and_sends_nothing(begun, plane, notes) -> None:
    bench = Bench(begun(dry_run=True), plane, notes)

    material = bench.add("app.bin", "binary")

    assert material.digest == "sha256:" + hashlib.sha256(b"binary").hexdigest()
    assert (material.uploaded, material.inline) == (False, None)
    assert plane.calls == []


def test_skip_upload_records_the_digest_only(begun, plane, notes) -> None:
    contract = CONTRACT.replace(b"output: true", b"skipUpload: true")
    bench = Bench(begun(contract), plane, notes)

    material = bench.add("app.bin", "binary")

    assert (material.skip_upload, material.uploaded) == (True, False)
    assert plane.calls == []


def test_the_inline_store_keeps_content_in_the_attestation(begun, plane, notes) -> None:
    bench = Bench(begun(cas="inline"), plane, notes)

    assert bench.add("app.bin", "binary").inline == b"binary"
    assert bench.add("sbom.json", "sbom").inline == SBOM
    assert plane.calls == []


def test_content_over_the_limit_of_the_store_is_refused_with_both_sizes(begun, plane, notes) -> None:
    bench = Bench(begun(cas="inline"), plane, notes)
    bench.files.files["app.bin"] = b"x" * (500 * 1024 + 1)

    with pytest.raises(LimitExceededError, match=r"512001 bytes; the store inline of this run takes 512000"):
        bench.add("app.bin", "binary")


def test_r7_a_large_document_that_is_there_already_is_not_sent_again(bench) -> None:
    large = SBOM[:-1] + b" " * WORTH_ASKING_BYTES + b"}"
    bench.files.files["sbom.json"] = large
    bench.plane.blobs["sha256:" + hashlib.sha256(large).hexdigest()] = large

    material = bench.add("sbom.json", "sbom")

    assert bench.plane.names == ["reference_artifact"]
    assert material.uploaded


def test_annotations_that_the_contract_asks_for_must_be_given(begun, plane, notes) -> None:
    contract = CONTRACT.replace(b"output: true", b"annotations: [{name: tier, value: gold}, {name: owner}]")
    bench = Bench(begun(contract), plane, notes)

    with pytest.raises(ContractNotMetError, match="owner"):
        bench.add("app.bin", "binary")

    material = bench.add("app.bin", "binary", annotations={"owner": "me", "tier": "tin"})
    assert material.annotations == {"owner": "me", "tier": "gold"}


def test_nothing_is_added_before_init_was_answered(bench) -> None:
    state = bench.store.state
    bench.store.state = replace(state, session=replace(state.session, expires_at=None))

    with pytest.raises(StateMissingError, match="never answered to init"):
        bench.add("deadbeef", "commit")


@pytest.mark.parametrize("length", [100, MAX_MATERIAL_NAME])
def test_a_name_as_long_as_in_a_contract_is_taken(bench, length) -> None:
    assert bench.add("deadbeef", "a" * length).name == "a" * length


def test_a_longer_name_than_in_a_contract_is_refused(bench) -> None:
    with pytest.raises(UsageError, match="the name of a material"):
        bench.add("deadbeef", "a" * (MAX_MATERIAL_NAME + 1))


def test_a_material_is_not_put_into_another_dry_run_that_was_begun_meanwhile(begun, plane, notes) -> None:
    first = begun(dry_run=True)
    bench = Bench(first, plane, notes)
    second = replace(first, initialized_at=NOW + timedelta(seconds=1))
    bench.files.on_open = lambda: setattr(bench.store, "state", second)

    with pytest.raises(ConflictError, match="another attestation was begun here"):
        bench.add("app.bin", "binary")

    assert bench.store.state == second


def test_the_folder_of_a_layout_needs_no_type(bench) -> None:
    material = bench.add("layout/app")

    assert material.type is MaterialType.CONTAINER_IMAGE


REPORT = b'<testsuites><testsuite name="s" tests="1"><testcase name="c"/></testsuite></testsuites>'


def reports(*paths: str) -> Pack:
    return Pack("tests.zip", tuple(PackedFile(path, path) for path in paths))


def test_several_reports_are_added_as_one_checked_archive(bench) -> None:
    bench.files.files |= {"a.xml": REPORT, "b.xml": REPORT}

    added = bench.add("*.xml", "tests", type=MaterialType.JUNIT_XML, pack=reports("b.xml", "a.xml"))

    assert (added.filename, added.type, added.uploaded) == ("tests.zip", MaterialType.JUNIT_XML, True)
    assert bench.plane.blobs[added.digest].startswith(b"PK")
    assert added.size_bytes == len(bench.plane.blobs[added.digest])


def test_a_broken_report_in_an_archive_is_refused_with_its_name(bench) -> None:
    bench.files.files |= {"a.xml": REPORT, "b.xml": b"<broken"}

    with pytest.raises(MaterialRejectedError, match=r"tests\.zip.*b\.xml"):
        bench.add("*.xml", "tests", type=MaterialType.JUNIT_XML, pack=reports("a.xml", "b.xml"))

    assert bench.plane.blobs == {}


def test_a_file_that_a_checksums_file_knows_otherwise_is_never_sent(bench) -> None:
    with pytest.raises(MaterialRejectedError, match="as the checksums file says"):
        bench.add("app.bin", "binary", expected=sha256_digest(b"another"))

    assert bench.plane.names == []


def test_a_file_that_a_checksums_file_knows_is_added(bench) -> None:
    assert bench.add("app.bin", "binary", expected=sha256_digest(b"binary")).digest == sha256_digest(b"binary")


def test_a_file_that_changes_after_it_was_compared_is_not_recorded(bench) -> None:
    class Changing(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1) -> bytes:
            self.reads += 1  # to its end by two reads, to compare it; then to send it
            return b"changed" if self.reads == 3 else super().read(size)

    bench.files.open_file = lambda path: Changing(b"binary")

    with pytest.raises(MaterialRejectedError, match="as the checksums file says"):
        bench.add("app.bin", "binary", expected=sha256_digest(b"binary"))

    assert bench.store.load().materials == {}


def test_a_further_file_of_an_entry_is_no_slip(bench) -> None:
    bench.add("app.bin", "binary-1", type=MaterialType.ARTIFACT, is_further=True)

    assert bench.notes.warnings == []


def test_a_file_whose_name_is_no_text_is_refused(bench) -> None:
    bench.files.files["app-\udcff"] = b"x"

    with pytest.raises(MaterialRejectedError, match=r"bytes that are no UTF-8"):
        bench.add("app-\udcff", "binary")


def test_r16_what_an_earlier_attempt_added_is_replaced_without_asking_and_recorded(bench) -> None:
    bench.add("first", "commit")
    bench.store.state = replace(bench.store.state, carried=frozenset({"commit"}))

    bench.add("second", "commit")

    assert bench.store.state.materials["commit"].value == "second"
    assert REPLACES_ANNOTATION in bench.store.state.materials["commit"].annotations
    with pytest.raises(MaterialConflictError):
        bench.add("third", "commit")


def test_r16_the_same_content_again_is_of_the_new_attempt(bench) -> None:
    bench.add("same", "commit")
    bench.store.state = replace(bench.store.state, carried=frozenset({"commit"}))

    bench.add("same", "commit")

    assert bench.store.state.carried == frozenset()
    assert REPLACES_ANNOTATION not in bench.store.state.materials["commit"].annotations


def test_r16_what_an_earlier_attempt_took_out_may_be_added_with_other_content(bench) -> None:
    bench.add("first", "commit")
    bench.store.state = replace(bench.store.state.without_material("commit"), carried=frozenset({"commit"}))

    bench.add("second", "commit")

    assert bench.store.state.materials["commit"].value == "second"


def test_r20_what_cannot_be_sent_is_kept_and_nothing_more_is_tried(begun, plane, notes) -> None:
    bench = Bench(begun(), plane, notes, may_queue=True)
    plane.failures["upload_stream"] = [UnreachableError("down")]

    first = bench.add("app.bin", "binary")
    second = bench.add("sbom.json", "sbom")

    assert (first.uploaded, second.uploaded) == (True, True)
    assert set(bench.pending.blobs) == {first.digest, second.digest}
    assert plane.names == ["upload_stream"]
    assert bench.store.load().session.offline


def test_without_queue_a_control_plane_that_is_down_is_an_error(begun, plane, notes) -> None:
    bench = Bench(begun(), plane, notes)
    plane.failures["upload_stream"] = [UnreachableError("down")]

    with pytest.raises(UnreachableError):
        bench.add("app.bin", "binary")

    assert bench.pending.blobs == {}
    assert bench.store.load().materials == {}


def test_a_replacement_is_recorded_when_the_change_has_to_be_made_again(bench) -> None:
    bench.add("first", "commit")
    bench.store = ContestedStore(bench.store.state)

    bench.add("second", "commit", replace=True)

    [annotation] = [
        text for name, text in bench.store.state.materials["commit"].annotations.items() if name == REPLACES_ANNOTATION
    ]
    assert annotation.startswith("sha256:" + hashlib.sha256(b"first").hexdigest())


def test_r16_what_a_later_attempt_adds_is_recorded_when_the_change_has_to_be_made_again(bench) -> None:
    bench.add("first", "commit")
    bench.store = ContestedStore(replace(bench.store.state, carried=frozenset({"commit"})))

    bench.add("second", "commit")

    assert REPLACES_ANNOTATION in bench.store.state.materials["commit"].annotations
