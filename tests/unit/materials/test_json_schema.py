"""Checking against a schema of the package."""

from __future__ import annotations

import hashlib
import resource
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.errors import MaterialRejectedError
from chainloop_ci.materials.json_schema import (
    SchemaFile,
    find_violations,
    json_pointer,
    refuse_violations,
    warn_of_violations,
)

STRUCTURE = SchemaFile("SARIF 2.1.0", "sarif/sarif-2.1.0-structure.schema.json")
CYCLONEDX = SchemaFile(
    "CycloneDX 1.6",
    "cyclonedx/bom-1.6.SNAPSHOT.schema.json",
    "http://cyclonedx.org/schema/",
    tuple(f"{name}.SNAPSHOT.schema.json" for name in ("spdx", "jsf-0.82", "cryptography-defs")),
)


def sbom(**members: object) -> dict[str, object]:
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, **members}


def messages(schema: SchemaFile, document: object) -> list[str]:
    return [str(violation.to_finding()) for violation in find_violations(schema, document, "a thing").listed]


def test_a_document_that_fits_has_no_violation():
    assert messages(STRUCTURE, {"version": "2.1.0", "runs": []}) == []


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"runs": []}, '"version" is missing'),
        ({"version": "2.0.0", "runs": []}, '/version: expected "2.1.0", found "2.0.0"'),
        ({"version": "2.1.0", "runs": {}}, "/runs: expected null or array, found object"),
        ({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": ""}}}]}, "/runs/0/tool/driver/name: the value"),
    ],
)
def test_a_violation_says_where_and_what(document, message):
    [found] = messages(STRUCTURE, document)

    assert found.startswith(message)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"components": [{"type": "x", "name": "a"}]},
            '/components/0/type: expected one of "application", "framework",',
        ),
        ({"serialNumber": "1"}, '/serialNumber: "1" does not match ^urn:uuid:'),
        ({"metadata": {"timestamp": "yesterday"}}, '/metadata/timestamp: "yesterday" is not a date-time'),
        ({"colour": "red"}, 'unknown member "colour"'),
        ({"metadata": {"licenses": [{"license": {"id": "Nope"}}]}}, "/metadata/licenses/0/license/id: expected one of"),
    ],
)
def test_a_violation_of_the_published_schema_is_told_in_our_words(members, message):
    [found] = messages(CYCLONEDX, sbom(**members))

    assert found.startswith(message)


def test_more_than_twenty_violations_are_counted():
    violations = find_violations(CYCLONEDX, sbom(components=[{"type": "library"}] * 25), "a thing")

    error = refuse_violations("a thing", CYCLONEDX, violations)

    assert error.message == "expected a thing that fits the schema of CycloneDX 1.6, found 26 violations"
    assert len(error.findings) == 21
    assert error.findings[-1].message == "and 6 more"


def test_more_than_twenty_warnings_are_counted():
    violations = find_violations(CYCLONEDX, sbom(components=[{"type": "library"}] * 25), "a thing")

    assert warn_of_violations(violations)[-1] == "and 6 more warnings"


def test_t30_violations_of_a_large_document_are_not_all_made_into_objects():
    violations = find_violations(CYCLONEDX, sbom(components=[{}] * 50_000), "a thing")

    error = refuse_violations("a thing", CYCLONEDX, violations)

    assert len(violations.listed) == 21
    assert error.message.endswith("found at least 21 violations")
    assert [len(error.findings), error.findings[-1].message] == [21, "and more, which are not listed"]
    assert warn_of_violations(violations)[-1] == "there are more violations in this large document"


def test_t30_memory_for_a_large_broken_document_stays_small():
    document = sbom(components=[{}] * 200_000)
    find_violations(CYCLONEDX, sbom(), "a thing")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    find_violations(CYCLONEDX, document, "a thing")

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


def test_the_one_violation_of_a_large_document_is_found_where_it_is():
    components = [{"type": "library", "name": str(number)} for number in range(20_000)]
    components[17_321]["type"] = "nope"

    [found] = messages(CYCLONEDX, sbom(components=components))

    assert found.startswith('/components/17321/type: expected one of "application"')


def test_t30_alternatives_of_a_large_document_are_told_by_their_first_piece():
    [found] = messages(CYCLONEDX, sbom(metadata={"licenses": [{}] * 50_000}))

    assert found.startswith("/metadata/licenses/0: ")


def test_a_message_never_carries_a_whole_array():
    twins = [{"type": "library", "name": "x" * 100}] * 2

    [message] = messages(CYCLONEDX, sbom(components=twins))

    assert message == "/components: the array holds the same item twice"


def test_a_reference_to_a_schema_that_is_not_here_is_never_fetched():
    alone = SchemaFile("CycloneDX 1.6", CYCLONEDX.path)

    with pytest.raises(ValueError, match="this package does not hold"):
        find_violations(alone, sbom(), "a thing")


def test_a_document_that_is_too_deep_for_the_checker_is_refused():
    deep: object = 1
    for _ in range(900):
        deep = [deep]

    with pytest.raises(MaterialRejectedError, match="nested too deeply to be checked"):
        find_violations(CYCLONEDX, sbom(x=deep), "a thing")


def test_a_pointer_escapes_slash_and_tilde():
    assert json_pointer(["a/b", 0, "~"]) == "/a~1b/0/~0"


def test_an_empty_pointer_is_the_whole_document():
    assert json_pointer([]) == ""


@pytest.mark.parametrize("value", [10**30, 1e400, -(2**70), "\x00"])
def test_odd_values_are_judged_and_do_not_stop_the_check(value):
    assert isinstance(messages(CYCLONEDX, sbom(version=value, x=value)), list)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda item: st.lists(item) | st.dictionaries(st.text(), item),
    )
)
def test_any_document_is_judged(document):
    assert isinstance(messages(CYCLONEDX, document), list)


def test_vendored_schemas_are_the_files_that_their_readme_names():
    folder = files("chainloop_ci.materials").joinpath("schemas")
    lines = folder.joinpath("README.md").read_text().split("```")[1].split()

    for digest, path in zip(lines[::2], lines[1::2], strict=True):
        assert hashlib.sha256(folder.joinpath(path).read_bytes()).hexdigest() == digest, path
