"""The registry of material types and the inference of a type."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.errors import ContractUnsupportedError
from chainloop_ci.materials.registry import IMPLEMENTED, MATERIALS, get_kind, infer, may_be_document
from chainloop_ci.materials.types import MAX_DOCUMENT_BYTES, MAX_INFERRED_ARCHIVE_BYTES, MaterialSource

# Reference section 1.3, "Auto-detect", cut to what is implemented.
INFERENCE_ORDER = [
    "SBOM_CYCLONEDX_JSON",
    "SBOM_SPDX_JSON",
    "JUNIT_XML",
    "SARIF",
    "CONTAINER_IMAGE",
    "ARTIFACT",
    "STRING",
]


def test_each_implemented_type_has_exactly_one_entry():
    types = [kind.type for kind in MATERIALS]

    assert sorted(types) == sorted(IMPLEMENTED)


def test_every_module_of_kinds_is_in_the_registry():
    folder = Path(sys.modules["chainloop_ci.materials.registry"].__file__).parent / "kinds"
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}

    assert modules == {kind.type.value.lower() for kind in MATERIALS}


def test_types_are_inferred_in_the_order_of_the_reference():
    assert [kind.type for kind in MATERIALS if kind.inferable] == INFERENCE_ORDER


@pytest.mark.parametrize("kind", MATERIALS, ids=lambda kind: kind.type)
def test_documents_and_only_documents_have_a_check(kind):
    is_document = kind.source is MaterialSource.DOCUMENT

    assert is_document == bool(kind.check) == bool(kind.forms) == bool(kind.marker)


@pytest.mark.parametrize("material_type", sorted(set(MaterialType) - IMPLEMENTED))
def test_a_type_that_is_not_implemented_is_refused_by_name(material_type):
    with pytest.raises(ContractUnsupportedError, match=material_type):
        get_kind(material_type)


@pytest.mark.parametrize("material_type", sorted(IMPLEMENTED))
def test_an_implemented_type_is_found_by_its_name(material_type):
    assert get_kind(material_type).type is material_type


def test_importing_the_registry_loads_no_parser():
    heavy = ["jsonschema_rs", "jsonschema", "defusedxml", "zipfile", "tarfile", "importlib.resources"]
    code = f"import sys, chainloop_ci.materials.registry; print([m for m in {heavy!r} if m in sys.modules])"

    found = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)

    assert found.stdout.strip() == "[]"


PROJECT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("cyclonedx/valid.json", "SBOM_CYCLONEDX_JSON"),
        ("spdx/valid.json", "SBOM_SPDX_JSON"),
        ("junit/valid.xml", "JUNIT_XML"),
        ("sarif/valid.sarif", "SARIF"),
        ("sarif/README.md", "ARTIFACT"),
    ],
)
def test_the_type_of_a_file_is_inferred_from_its_content(data, file, expected):
    raw = (data / file).read_bytes()

    inferred = infer(file, raw if may_be_document(raw[:4096], len(raw)) else None, is_file=True)

    assert inferred.kind.type == expected


def test_inference_keeps_the_check_that_decided_it(data):
    inferred = infer("s.json", (data / "cyclonedx/valid.json").read_bytes(), is_file=True)

    assert inferred.checked is not None
    assert inferred.checked.main_component is not None


def test_a_broken_document_becomes_an_artifact_that_says_what_it_nearly_was(data):
    inferred = infer("s.json", (data / "cyclonedx/broken.json").read_bytes(), is_file=True)

    assert inferred.kind.type is MaterialType.ARTIFACT
    assert "not taken as SBOM_CYCLONEDX_JSON" in inferred.near_misses[0]


def test_an_archive_that_is_no_report_is_an_artifact_without_remark():
    inferred = infer("x.zip", b"PK\x03\x04 and more", is_file=True)

    assert (inferred.kind.type, inferred.near_misses) == (MaterialType.ARTIFACT, ())


def test_an_empty_json_array_is_an_artifact():
    assert infer("x.json", b"[]", is_file=True).kind.type is MaterialType.ARTIFACT


@pytest.mark.parametrize(
    ("value", "expected"),
    [("hello", "STRING"), ("v1.2.3", "STRING"), ("feature/login", "STRING"), ("ghcr.io/o/app:1", "CONTAINER_IMAGE")],
)
def test_a_value_that_is_no_file_is_an_image_only_when_written_like_one(value, expected):
    assert infer(value, None, is_file=False).kind.type == expected


@pytest.mark.parametrize("head", [b"\x7fELF\x02\x01", b"hello", b"%PDF-1.7", b"\x89PNG"])
def test_a_file_that_begins_like_no_document_is_never_read_whole(head):
    assert not may_be_document(head, 1000)


@pytest.mark.parametrize(
    ("head", "limit"), [(b'{"a"', MAX_DOCUMENT_BYTES), (b"PK\x03\x04", MAX_INFERRED_ARCHIVE_BYTES)]
)
def test_a_file_over_the_limit_is_never_read_whole(head, limit):
    assert may_be_document(head, limit)
    assert not may_be_document(head, limit + 1)
