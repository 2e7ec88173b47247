"""SBOM_CYCLONEDX_JSON."""

from __future__ import annotations

import json
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.materials.kinds.sbom_cyclonedx_json import SBOM_CYCLONEDX_JSON
from chainloop_ci.materials.types import MainComponent

TYPE = MaterialType.SBOM_CYCLONEDX_JSON
LIBRARY = {"type": "library", "name": "a", "version": "1"}


def sbom(**members: object) -> bytes:
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, **members}).encode()


@pytest.fixture
def check(check):
    return partial(check, TYPE)


@pytest.fixture
def refuse(refuse):
    return partial(refuse, TYPE)


def test_annotations_of_a_container(check, data):
    checked = check((data / "cyclonedx/valid.json").read_bytes())

    assert checked.main_component == MainComponent("index.docker.io/library/nginx", "nginx@sha256:abc", "container")
    assert checked.annotations == {
        "chainloop.material.sbom.main_component.name": "index.docker.io/library/nginx",
        "chainloop.material.sbom.main_component.type": "container",
        "chainloop.material.sbom.main_component.version": "nginx@sha256:abc",
        "chainloop.material.sbom.vulnerabilities_report": "true",
        "chainloop.material.tool.name": "scanner",
        "chainloop.material.tool.version": "2.0",
        "chainloop.material.tools": '["scanner@2.0","merger"]',
    }
    assert checked.warnings == ()


def test_a_text_file_is_refused_by_name(refuse):
    error = refuse(b"just some text\n")

    assert error.message == (
        "expected a CycloneDX SBOM (JSON), found text that is not JSON (line 1, column 1: Expecting value)"
    )


def test_an_empty_object_is_refused_by_name(refuse):
    error = refuse(b"{}")

    assert error.message == "expected a CycloneDX SBOM (JSON), found an empty JSON object ({})"
    assert error.findings[0].path == "/bomFormat"


def test_another_format_is_named(refuse, data):
    assert 'found an SPDX document ("SPDX-2.3")' in refuse((data / "spdx/valid.json").read_bytes()).message


def test_all_violations_are_listed_with_their_pointers(refuse, data):
    error = refuse((data / "cyclonedx/broken.json").read_bytes())

    assert error.message.endswith("that fits the schema of CycloneDX 1.6, found 2 violations")
    assert [finding.path for finding in error.findings] == ["/components/0/type", "/components/1"]
    assert error.hint is not None
    assert "--no-strict-validation" in error.hint


def test_not_strict_turns_violations_into_warnings(check, data):
    checked = check((data / "cyclonedx/broken.json").read_bytes(), strict=False)

    assert len(checked.warnings) == 2
    assert checked.warnings[1] == 'schema: /components/1: "name" is missing'


@pytest.mark.parametrize("spec_version", ["1.2", "1.3", "1.4", "1.5", "1.6", "1.7"])
def test_every_version_has_its_own_schema(check, refuse, spec_version):
    check(sbom(specVersion=spec_version))

    assert f"schema of CycloneDX {spec_version}" in refuse(sbom(specVersion=spec_version, components=1)).message


def test_a_component_type_of_a_later_version_is_refused(refuse, check):
    document = partial(sbom, components=[{"type": "cryptographic-asset", "name": "a", "version": "1"}])

    check(document(specVersion="1.6"))
    assert refuse(document(specVersion="1.4")).findings[0].path == "/components/0/type"


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("spec_version", ["", "1.0", "1.1", "1.8", None, 1.6, ["1.6"]])
def test_an_unknown_spec_version_is_refused_always(refuse, spec_version, strict):
    [finding] = refuse(sbom(specVersion=spec_version), strict=strict).findings

    assert (finding.path, finding.code) == ("/specVersion", "unknown-version")


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("version", [0, -1, "1", 1.5, True, None])
def test_a_version_that_is_no_whole_number_from_one_is_refused_always(refuse, version, strict):
    assert [finding.path for finding in refuse(sbom(version=version), strict=strict).findings] == ["/version"]


def test_spec_version_and_version_are_both_listed(refuse):
    error = refuse(sbom(specVersion="9", version=0))

    assert [finding.path for finding in error.findings] == ["/specVersion", "/version"]


@pytest.mark.parametrize("spec_version", ["1.2", "1.3", "1.4", "1.5", "1.6", "1.7"])
def test_a_document_without_version_is_accepted_as_its_schema_does(check, spec_version):
    document = {"bomFormat": "CycloneDX", "specVersion": spec_version, "components": []}

    assert check(json.dumps(document).encode()).warnings == ()


def test_the_same_component_twice_is_a_warning(check):
    assert check(sbom(components=[LIBRARY, LIBRARY])).warnings == (
        "schema: /components: the array holds the same item twice",
    )


def test_twins_that_share_a_bom_ref_are_refused(refuse):
    twin = {**LIBRARY, "bom-ref": "a"}

    assert refuse(sbom(components=[twin, twin])).findings[0].path == "/components"


def test_null_cwes_are_a_warning(check):
    checked = check(sbom(vulnerabilities=[{"id": "CVE-1", "cwes": None}]))

    assert checked.warnings == ("schema: /vulnerabilities/0/cwes: expected array, found null",)


def test_cwes_of_another_wrong_type_are_refused(refuse):
    assert (
        refuse(sbom(vulnerabilities=[{"id": "CVE-1", "cwes": "CWE-1"}])).findings[0].path == "/vulnerabilities/0/cwes"
    )


def test_tolerated_violations_do_not_hide_others(refuse):
    error = refuse(sbom(components=[LIBRARY, LIBRARY, {"type": "library"}]))

    assert [finding.path for finding in error.findings] == ["/components/2"]


def test_tools_may_be_a_list_as_before_1_5(check):
    raw = sbom(specVersion="1.4", metadata={"tools": [{"vendor": "v", "name": "old", "version": "0.1"}]})

    assert check(raw).annotations["chainloop.material.tools"] == '["old@0.1"]'


def test_a_component_that_is_no_container_keeps_its_name(check):
    raw = sbom(metadata={"component": {"type": "application", "name": "nginx:1"}})

    assert check(raw).main_component == MainComponent("nginx:1", "", "application")


def test_an_sbom_about_nothing_has_no_annotations(check):
    assert (check(sbom()).annotations, check(sbom()).main_component) == ({}, None)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda item: st.lists(item, max_size=3))
MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "metadata": JSON | st.fixed_dictionaries({}, optional={"tools": JSON, "component": JSON}),
        "components": JSON,
        "vulnerabilities": JSON,
    },
)


@given(MEMBERS)
def test_not_strict_never_fails_on_members_of_a_wrong_type(members):
    assert SBOM_CYCLONEDX_JSON.check is not None
    assert SBOM_CYCLONEDX_JSON.check(sbom(**members), False).annotations is not None


MANY = [{**LIBRARY, "name": str(number), "bom-ref": str(number)} for number in range(3_000)]


def test_the_same_component_twice_is_a_warning_in_a_large_document_too(check):
    checked = check(sbom(components=[LIBRARY, *MANY, LIBRARY], vulnerabilities=[{"cwes": None}]))

    assert checked.warnings


def test_twins_that_share_a_bom_ref_are_refused_in_a_large_document_too(refuse):
    assert "at least 1 violation" in refuse(sbom(components=[*MANY, MANY[0]])).message


def test_t30_a_large_document_of_nothing_but_violations_is_told_by_the_first(check, refuse):
    raw = sbom(components=[{}] * 50_000)

    assert "at least 20 violations" in refuse(raw).message
    assert len(check(raw, strict=False).warnings) == 21
