"""SBOM_SPDX_JSON."""

from __future__ import annotations

import json
from functools import partial

import pytest

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.materials.types import MainComponent

TYPE = MaterialType.SBOM_SPDX_JSON


@pytest.fixture
def check(check):
    return partial(check, TYPE)


@pytest.fixture
def refuse(refuse):
    return partial(refuse, TYPE)


@pytest.fixture
def document(data) -> dict[str, object]:
    return json.loads((data / "spdx/valid.json").read_text())


def raw(document: dict[str, object], **members: object) -> bytes:
    return json.dumps({**document, **members}).encode()


def test_annotations_of_a_container(check, document):
    checked = check(raw(document))

    assert checked.main_component == MainComponent("index.docker.io/example/app", "3", "container")
    assert checked.annotations == {
        "chainloop.material.sbom.main_component.name": "index.docker.io/example/app",
        "chainloop.material.sbom.main_component.type": "container",
        "chainloop.material.sbom.main_component.version": "3",
        "chainloop.material.tool.name": "scanner",
        "chainloop.material.tool.version": "1.0-rc1",
        "chainloop.material.tools": '["scanner@1.0-rc1","merger"]',
    }


def test_violations_are_listed_with_their_pointers(refuse, data):
    error = refuse((data / "spdx/broken.json").read_bytes())

    assert [str(finding) for finding in error.findings] == ['/packages/0: "name" is missing']


def test_not_strict_turns_violations_into_warnings(check, data):
    checked = check((data / "spdx/broken.json").read_bytes(), strict=False)

    assert checked.warnings == ('schema: /packages/0: "name" is missing',)


def test_an_unknown_member_is_only_a_warning(check, document):
    assert check(raw(document, colour="red")).warnings == ('schema: unknown member "colour"',)


@pytest.mark.parametrize("strict", [True, False])
def test_spdx_3_is_refused_by_name(refuse, strict):
    error = refuse(b'{"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": []}', strict=strict)

    assert "found an SPDX 3 document, which is another format: only SPDX 2.2 and 2.3 are read" in error.message


@pytest.mark.parametrize("version", ["SPDX-2.1", "SPDX-2.9", "2.3", "", None, 2])
def test_an_unknown_version_is_refused(refuse, document, version):
    assert refuse(raw(document, spdxVersion=version)).findings[0].path == "/spdxVersion"


def test_an_empty_object_is_refused_by_name(refuse):
    assert refuse(b"{}").message == "expected an SPDX 2 SBOM (JSON), found an empty JSON object ({})"


def test_a_text_file_is_refused_by_name(refuse):
    assert "found text that is not JSON" in refuse(b"SPDXVersion: SPDX-2.3").message


def test_document_describes_names_the_main_component(check, document):
    checked = check(raw(document, relationships=[], documentDescribes=["SPDXRef-none", "SPDXRef-lib"]))

    assert checked.main_component == MainComponent("lib")


def test_a_single_package_is_the_main_component(check, document):
    checked = check(raw(document, relationships=[], packages=document["packages"][:1]))

    assert checked.main_component == MainComponent("lib")


def test_several_packages_that_nothing_describes_have_no_main_component(check, document):
    assert check(raw(document, relationships=[])).main_component is None


@pytest.mark.parametrize("member", ["packages", "relationships", "creationInfo", "documentDescribes"])
def test_not_strict_takes_members_of_a_wrong_type(check, document, member):
    assert check(raw(document, **{member: 7}), strict=False).warnings


def test_what_another_element_describes_is_not_the_main_component(check, document):
    relation = {
        "spdxElementId": "SPDXRef-lib",
        "relationshipType": "DESCRIBES",
        "relatedSpdxElement": "SPDXRef-lib",
    }

    checked = check(raw(document, relationships=[relation]))

    assert checked.main_component is None


CHECKSUM = {"algorithm": "SHA1", "checksumValue": "0" * 40}
FILES = [{"SPDXID": f"SPDXRef-{number}", "fileName": "a", "checksums": [CHECKSUM]} for number in range(4_000)]


def test_unknown_members_of_a_large_document_are_a_warning_too(check, document):
    checked = check(raw(document, files=[*FILES, {**FILES[0], "colour": "red"}]))

    assert "red" not in "".join(checked.warnings)
    assert "colour" in checked.warnings[0]


def test_a_large_document_with_a_violation_is_refused(refuse, document):
    assert refuse(raw(document, files=[*FILES, {"colour": "red"}])).findings[0].path == "/files/4000"
