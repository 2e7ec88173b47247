from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from chainloop_ci.api.runs import ContentPlace
from chainloop_ci.attestation.view import MaterialView
from chainloop_ci.contract.types import MaterialType
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.materials.registry import get_kind
from server.cas.blobs import Incoming
from server.model.material_claims import PlacedMaterial
from server.services.contents import MAX_CHECKED_BYTES, TOO_LARGE, TOO_MUCH, ContentReport, Contents

SBOM = b'{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1}'


class MemoryBlobs:
    """Blobs that a test put there; reading any other is a fault of the test."""

    def __init__(self, *contents: bytes) -> None:
        self.contents = {sha256_digest(content): content for content in contents}
        self.read_digests: list[Digest] = []

    def receive(self) -> AbstractContextManager[Incoming]:
        raise NotImplementedError

    def read(self, digest: Digest) -> Iterator[bytes]:
        self.read_digests.append(digest)
        return iter([self.contents[digest]])


def placed(
    kind: MaterialType,
    content: bytes,
    *,
    size: int | None = None,
    place: ContentPlace = ContentPlace.CAS,
    annotations: dict[str, str] | None = None,
) -> PlacedMaterial:
    view = MaterialView(
        "thing", kind.value, sha256_digest(content), annotations=annotations or {}, uploaded=place is ContentPlace.CAS
    )
    return PlacedMaterial(0, view, get_kind(kind), place, len(content) if size is None else size)


def check(blobs: MemoryBlobs, *materials: PlacedMaterial) -> ContentReport:
    locations = {material.view.digest or Digest(""): "memory" for material in materials}
    return Contents({"memory": blobs}, locations).check(materials)


def test_r11_a_document_is_checked_on_the_stored_bytes() -> None:
    report = check(MemoryBlobs(SBOM), placed(MaterialType.SBOM_CYCLONEDX_JSON, SBOM))

    assert [entry.content_check for entry in report.materials] == ["checked"]
    assert report.findings == ()


@pytest.mark.parametrize("content", [b"{}", b"plain text", b"\xff\xfe", b"[" * 500])
def test_r11_content_that_is_not_what_its_type_says_is_named(content: bytes) -> None:
    report = check(MemoryBlobs(content), placed(MaterialType.SBOM_CYCLONEDX_JSON, content))

    assert report.findings[0].code == "material-rejected"
    assert report.findings[0].message.startswith("material thing (SBOM_CYCLONEDX_JSON): ")
    assert {finding.path for finding in report.findings} == {"/predicate/materials/0"}


def test_r11_a_larger_document_is_recorded_as_not_checked_and_not_read() -> None:
    blobs = MemoryBlobs()

    report = check(blobs, placed(MaterialType.SBOM_CYCLONEDX_JSON, SBOM, size=MAX_CHECKED_BYTES + 1))

    assert [entry.content_check for entry in report.materials] == [TOO_LARGE]
    assert TOO_LARGE == "not checked: larger than 16 MiB"
    assert blobs.read_digests == []


def test_many_documents_of_one_attestation_do_not_hold_a_worker_for_ever() -> None:
    many = [placed(MaterialType.SBOM_CYCLONEDX_JSON, SBOM, size=MAX_CHECKED_BYTES) for _ in range(9)]

    report = check(MemoryBlobs(SBOM), *many)

    assert [entry.content_check for entry in report.materials] == ["checked"] * 8 + [TOO_MUCH]


@pytest.mark.parametrize("kind", [MaterialType.CONTAINER_IMAGE, MaterialType.EVIDENCE])
def test_what_is_not_stored_is_recorded_as_such(kind: MaterialType) -> None:
    report = check(MemoryBlobs(), placed(kind, b"", place=ContentPlace.NOT_STORED))

    assert [(entry.stored, entry.content_check) for entry in report.materials] == [("not stored", "not stored")]


def test_a_file_of_any_form_is_not_called_checked() -> None:
    report = check(MemoryBlobs(b"anything"), placed(MaterialType.ARTIFACT, b"anything"))

    assert report.materials[0].content_check == "not checked: a material of type ARTIFACT may hold anything"


BROKEN = b'{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": [{"name": "x"}]}'


def test_r11_the_published_schema_is_insisted_on() -> None:
    report = check(MemoryBlobs(BROKEN), placed(MaterialType.SBOM_CYCLONEDX_JSON, BROKEN))

    assert report.findings[0].code == "material-rejected"


def test_r11_a_statement_that_says_it_was_lenient_is_checked_so_and_the_warnings_are_kept() -> None:
    lenient = {"chainloop.material.validation": "lenient"}

    report = check(MemoryBlobs(BROKEN), placed(MaterialType.SBOM_CYCLONEDX_JSON, BROKEN, annotations=lenient))

    assert report.findings == ()
    assert report.materials[0].content_check.startswith("checked leniently, as the job asked, with warnings: ")


ENVELOPE = b'{"id": "e-1", "schema": "https://example.com/s", "data": {"ok": true}}'


def test_r11_what_a_small_file_says_of_itself_is_derived_again() -> None:
    told = {"chainloop.material.evidence.id": "e-1"}

    report = check(MemoryBlobs(ENVELOPE), placed(MaterialType.EVIDENCE, ENVELOPE, annotations=told))

    assert report.findings == ()


def test_r11_a_lie_about_what_a_small_file_says_of_itself_is_named() -> None:
    told = {"chainloop.material.evidence.id": "e-2"}

    report = check(MemoryBlobs(ENVELOPE), placed(MaterialType.EVIDENCE, ENVELOPE, annotations=told))

    assert [(finding.code, finding.path) for finding in report.findings] == [
        ("annotation-differs", "/predicate/materials/0/annotations/chainloop.material.evidence.id")
    ]
