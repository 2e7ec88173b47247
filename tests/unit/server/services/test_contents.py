from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from typing import Any

import pytest

from chainloop_ci.api.runs import ContentPlace
from chainloop_ci.attestation.view import MaterialView
from chainloop_ci.contract.types import MaterialType
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.materials.registry import get_kind
from server.cas.blobs import Incoming, KeptBlob
from server.content_check.checker import ContentChecker
from server.content_check.limits import MIB, ChildLimits
from server.model.material_claims import PlacedMaterial
from server.services.contents import (
    MAX_CHECKED_BYTES,
    TOO_MUCH,
    ContentReport,
    Contents,
    too_large,
)

SBOM = b'{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1}'


class MemoryBlobs:
    """Blobs that a test put there; reading any other is a fault of the test."""

    def __init__(self, *contents: bytes) -> None:
        self.contents = {sha256_digest(content): content for content in contents}
        self.read_digests: list[Digest] = []

    def list_kept(self) -> Iterator[KeptBlob]:
        raise NotImplementedError

    def remove(self, digest: Digest) -> None:
        raise NotImplementedError

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
    is_hidden: bool = False,
) -> PlacedMaterial:
    view = MaterialView(
        "thing", kind.value, sha256_digest(content), annotations=annotations or {}, uploaded=place is ContentPlace.CAS
    )
    return PlacedMaterial(0, view, get_kind(kind), place, len(content) if size is None else size, is_hidden)


Check = Callable[..., ContentReport]


@pytest.fixture
def check(content_checker: ContentChecker) -> Check:
    """Return a function that checks the contents of one attestation, in children as the server does."""

    def run(blobs: MemoryBlobs, *materials: PlacedMaterial) -> ContentReport:
        locations = {material.view.digest or Digest(""): "memory" for material in materials}
        return Contents({"memory": blobs}, locations, content_checker, "acme").check(materials)

    return run


def test_r11_a_document_is_checked_on_the_stored_bytes(check: Check) -> None:
    report = check(MemoryBlobs(SBOM), placed(MaterialType.SBOM_CYCLONEDX_JSON, SBOM))

    assert [entry.content_check for entry in report.materials] == ["checked"]
    assert report.findings == ()


@pytest.mark.parametrize("content", [b"{}", b"plain text", b"\xff\xfe", b"[" * 500])
def test_r11_content_that_is_not_what_its_type_says_is_named(check: Check, content: bytes) -> None:
    report = check(MemoryBlobs(content), placed(MaterialType.SBOM_CYCLONEDX_JSON, content))

    assert report.findings[0].code == "material-rejected"
    assert report.findings[0].message.startswith("material thing (SBOM_CYCLONEDX_JSON): ")
    assert {finding.path for finding in report.findings} == {"/predicate/materials/0"}


def test_r11_a_larger_document_is_recorded_as_not_checked(check: Check) -> None:
    beginning = b'{"this is": "no JSON'

    report = check(
        MemoryBlobs(beginning), placed(MaterialType.SBOM_CYCLONEDX_JSON, beginning, size=MAX_CHECKED_BYTES + 1)
    )

    assert [entry.content_check for entry in report.materials] == [too_large(MAX_CHECKED_BYTES)]
    assert too_large(MAX_CHECKED_BYTES) == "not checked: larger than 64 MiB"


@pytest.mark.parametrize(
    ("kind", "beginning"),
    [
        (MaterialType.SBOM_CYCLONEDX_JSON, b"PK\x03\x04"),
        (MaterialType.SBOM_SPDX_JSON, b"[{}]"),
        (MaterialType.SARIF, b"\x7fELF"),
        (MaterialType.JUNIT_XML, b"{}"),
    ],
)
def test_r11_a_larger_document_that_begins_like_something_else_is_refused(
    check: Check, kind: MaterialType, beginning: bytes
) -> None:
    report = check(MemoryBlobs(beginning), placed(kind, beginning, size=MAX_CHECKED_BYTES + 1))

    assert [finding.code for finding in report.findings][:1] == ["material-rejected"]
    assert report.materials[0].content_check == f"not checked: refused as {kind}"


@pytest.mark.parametrize("beginning", [b"<a/>", b"PK\x03\x04", b"\x1f\x8b", "<a/>".encode("utf-16")])
def test_a_larger_report_in_any_of_its_forms_is_not_refused(check: Check, beginning: bytes) -> None:
    report = check(MemoryBlobs(beginning), placed(MaterialType.JUNIT_XML, beginning, size=MAX_CHECKED_BYTES + 1))

    assert report.findings == ()


def test_many_documents_of_one_attestation_do_not_hold_a_worker_for_ever(check: Check) -> None:
    many = [placed(MaterialType.SBOM_CYCLONEDX_JSON, SBOM, size=MAX_CHECKED_BYTES) for _ in range(5)]

    report = check(MemoryBlobs(SBOM), *many)

    assert [entry.content_check for entry in report.materials] == ["checked"] * 4 + [TOO_MUCH]


@pytest.mark.parametrize("kind", [MaterialType.CONTAINER_IMAGE, MaterialType.EVIDENCE])
def test_what_is_not_stored_is_recorded_as_such(check: Check, kind: MaterialType) -> None:
    report = check(MemoryBlobs(), placed(kind, b"", place=ContentPlace.NOT_STORED))

    assert [(entry.stored, entry.content_check) for entry in report.materials] == [("not stored", "not stored")]


def test_a_file_of_any_form_is_not_called_checked(check: Check) -> None:
    report = check(MemoryBlobs(b"anything"), placed(MaterialType.ARTIFACT, b"anything"))

    assert report.materials[0].content_check == "not checked: a material of type ARTIFACT may hold anything"


BROKEN = b'{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": [{"name": "x"}]}'


def test_r11_the_published_schema_is_insisted_on(check: Check) -> None:
    report = check(MemoryBlobs(BROKEN), placed(MaterialType.SBOM_CYCLONEDX_JSON, BROKEN))

    assert report.findings[0].code == "material-rejected"


def test_r11_a_statement_that_says_it_was_lenient_is_checked_so_and_the_warnings_are_kept(check: Check) -> None:
    lenient = {"chainloop.material.validation": "lenient"}

    report = check(MemoryBlobs(BROKEN), placed(MaterialType.SBOM_CYCLONEDX_JSON, BROKEN, annotations=lenient))

    assert report.findings == ()
    assert report.materials[0].content_check.startswith("checked leniently, as the job asked, with warnings: ")


SCHEMA = "https://example.com/s"
ENVELOPE = b'{"id": "e-1", "schema": "https://example.com/s", "data": {"ok": true}}'


def test_r11_what_a_small_file_says_of_itself_is_derived_again(check: Check) -> None:
    told = {"chainloop.material.evidence.id": "e-1", "chainloop.material.evidence.schema": SCHEMA}

    report = check(MemoryBlobs(ENVELOPE), placed(MaterialType.EVIDENCE, ENVELOPE, annotations=told))

    assert report.findings == ()


def test_r11_a_lie_about_what_a_small_file_says_of_itself_is_named(check: Check) -> None:
    told = {"chainloop.material.evidence.id": "e-2", "chainloop.material.evidence.schema": SCHEMA}

    report = check(MemoryBlobs(ENVELOPE), placed(MaterialType.EVIDENCE, ENVELOPE, annotations=told))

    assert [(finding.code, finding.path) for finding in report.findings] == [
        ("annotation-differs", "/predicate/materials/0/annotations/chainloop.material.evidence.id")
    ]


class TightChecker(ContentChecker):
    """Gives children less memory than any real document needs."""

    def session(self, owner: str, largest_bytes: int, **_: Any) -> Any:
        return super().session(owner, largest_bytes, limits=ChildLimits(8 * MIB))


def test_r11_a_small_file_that_stops_its_check_is_refused() -> None:
    content = ENVELOPE[:-1] + b', "more": [' + b"[]," * 300_000 + b"0]}"
    material = placed(MaterialType.EVIDENCE, content)

    with closing(TightChecker(64 * MIB)) as checker:
        locations = {sha256_digest(content): "memory"}
        report = Contents({"memory": MemoryBlobs(content)}, locations, checker, "acme").check([material])

    assert [(finding.code, finding.path) for finding in report.findings] == [
        ("content-unreadable", "/predicate/materials/0")
    ]


def test_small_files_beyond_the_total_of_one_attestation_are_not_read(check: Check) -> None:
    blobs = MemoryBlobs(SBOM, ENVELOPE)
    many = [placed(MaterialType.SBOM_CYCLONEDX_JSON, SBOM, size=MAX_CHECKED_BYTES) for _ in range(4)]

    check(blobs, *many, placed(MaterialType.EVIDENCE, ENVELOPE))

    assert blobs.read_digests == [sha256_digest(SBOM)] * 4


TOLD = SBOM[:-1] + b', "metadata": {"component": {"type": "library", "name": "left"}}}'
NAME, TYPE = "chainloop.material.sbom.main_component.name", "chainloop.material.sbom.main_component.type"


@pytest.mark.parametrize(
    ("said", "differing"),
    [
        ({NAME: "left", TYPE: "library"}, []),
        ({NAME: "left"}, [TYPE]),
        ({NAME: "right", TYPE: "library"}, [NAME]),
        ({NAME: "left", TYPE: "library", "chainloop.material.tool.name": "trivy"}, ["chainloop.material.tool.name"]),
        ({NAME: "left", TYPE: "library", "own": "note", "chainloop.material.size": "9"}, []),
    ],
)
def test_r13_facts_of_a_document_are_exactly_those_of_its_content(
    check: Check, said: dict[str, str], differing: list[str]
) -> None:
    report = check(MemoryBlobs(TOLD), placed(MaterialType.SBOM_CYCLONEDX_JSON, TOLD, annotations=said))

    assert [finding.path for finding in report.findings] == [
        f"/predicate/materials/0/annotations/{name}" for name in differing
    ]


def test_r13_facts_of_a_large_file_that_nobody_derives_are_refused(check: Check) -> None:
    said = {"chainloop.material.evidence.id": "x"}

    report = check(MemoryBlobs(), placed(MaterialType.EVIDENCE, b"", size=2 * 1024**2, annotations=said))

    assert [finding.code for finding in report.findings] == ["annotation-differs"]


@pytest.mark.parametrize("content", [TOLD, BROKEN, b"secret words"])
def test_r7_nothing_is_told_of_content_that_the_run_only_refers_to(check: Check, content: bytes) -> None:
    material = placed(MaterialType.SBOM_CYCLONEDX_JSON, content, is_hidden=True)

    report = check(MemoryBlobs(content), material)

    [finding] = report.findings
    assert finding.path == "/predicate/materials/0"
    assert finding.message in (
        "the content that material thing refers to has other facts than the statement",
        "material thing (SBOM_CYCLONEDX_JSON): the content that the run refers to does not fit its type",
    )


def test_r7_warnings_about_content_that_the_run_only_refers_to_are_not_told(check: Check) -> None:
    lenient = {"chainloop.material.validation": "lenient"}

    report = check(
        MemoryBlobs(BROKEN), placed(MaterialType.SBOM_CYCLONEDX_JSON, BROKEN, annotations=lenient, is_hidden=True)
    )

    assert report.materials[0].content_check == "checked leniently, as the job asked"
