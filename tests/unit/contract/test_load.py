"""Loading: formats, header, schema errors with positions, warnings, full CUE."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chainloop_ci.contract.document import from_document, to_document
from chainloop_ci.contract.limits import MAX_MATERIAL_NAME
from chainloop_ci.contract.load import find_lines, load
from chainloop_ci.contract.types import (
    Annotation,
    ContractFormat,
    ContractSchema,
    MaterialType,
    PrivilegedEvent,
    RunnerType,
)
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import ContractInvalidError, LimitExceededError

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "contracts"
HEADER = "apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {name: demo}\nspec:\n"


def v2(body: str) -> bytes:
    """Return a v2 contract whose spec is `body`; its first line is line 5."""
    return (HEADER + "".join(f"  {line}\n" for line in body.splitlines())).encode()


def findings_of(raw: bytes, **options):
    with pytest.raises(ContractInvalidError) as caught:
        load(raw, **options)
    return caught.value.findings


def only_finding(raw: bytes, **options):
    findings = findings_of(raw, **options)
    assert len(findings) == 1, findings
    return findings[0]


def test_the_same_contract_in_three_formats_is_one_contract(corpus):
    files = [corpus / "contracts" / f"chainloop-contract-example.{kind}" for kind in ("yaml", "json", "cue")]

    loaded = [load(file.read_bytes(), filename=file.name) for file in files]

    assert [item.format for item in loaded] == [ContractFormat.YAML, ContractFormat.JSON, ContractFormat.CUE]
    assert loaded[0].contract == loaded[1].contract == loaded[2].contract
    assert len({json.dumps(to_document(item.contract)) for item in loaded}) == 1


@pytest.mark.parametrize("kind", ["yaml", "json", "cue"])
def test_the_format_is_found_without_a_file_name(corpus, kind):
    raw = (corpus / "contracts" / f"chainloop-contract-example.{kind}").read_bytes()

    assert load(raw).format == kind


def test_the_bytes_are_kept_with_their_digest():
    raw = v2("{}")

    loaded = load(raw)

    assert (loaded.raw, loaded.digest) == (raw, sha256_digest(raw))


def test_every_field_of_a_v2_contract_is_read():
    contract = load((EXAMPLES / "release.yaml").read_bytes()).contract

    assert contract.schema is ContractSchema.V2
    assert contract.name == "release"
    assert contract.metadata == {"annotations": {"owner": "platform-security"}}
    assert contract.runner is RunnerType.GITHUB_ACTION
    assert contract.env_allow_list == ("RELEASE_CHANNEL",)
    assert contract.annotations == (Annotation("product", "shop"), Annotation("ticket"))
    assert [(entry.name, entry.optional, entry.output, entry.skip_upload) for entry in contract.materials] == [
        ("image", False, True, False),
        ("sbom", False, False, False),
        ("unit-tests", False, False, False),
        ("static-analysis", True, False, False),
        ("source-archive", False, False, True),
    ]


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.[yj]*")), ids=lambda file: file.name)
def test_every_example_loads_without_a_warning(file):
    assert load(file.read_bytes(), filename=file.name).warnings == ()


def test_snake_case_is_the_same_contract():
    camel = v2("materials: [{name: a, type: STRING, skipUpload: true}]\nenvAllowList: [X]\npolicyGroups: [{ref: g}]")
    snake = v2(
        "materials: [{name: a, type: STRING, skip_upload: true}]\nenv_allow_list: [X]\npolicy_groups: [{ref: g}]"
    )

    assert load(camel).contract == load(snake.replace(b"apiVersion", b"api_version")).contract


def test_a_field_in_both_spellings_is_refused():
    finding = only_finding(v2("envAllowList: [X]\nenv_allow_list: [Y]"))

    assert (finding.code, finding.path, finding.line) == ("duplicate-key", "/spec/envAllowList", 6)


def test_null_means_not_given():
    assert load(v2("materials:\nrunner: null")).contract.materials == ()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"materials: []", "no header"),
        (b"{}", "no header"),
        (b"schemaVersion: v1\napiVersion: chainloop.dev/v1", "two headers"),
        (b"schemaVersion: v1\nkind: Contract", "two headers"),
    ],
)
def test_the_header_must_say_which_form_it_is(raw, words):
    finding = only_finding(raw)

    assert finding.code == "contract-header"
    assert words in finding.message


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"schemaVersion: v3", "/schemaVersion"),
        (b"schemaVersion: 1", "/schemaVersion"),
        (v2("{}").replace(b"dev/v1", b"dev/v2"), "/apiVersion"),
        (v2("{}").replace(b"kind: Contract", b"kind: Policy"), "/kind"),
    ],
)
def test_a_wrong_header_value_is_the_only_error(raw, path):
    finding = only_finding(raw)

    assert (finding.code, finding.path) == ("unknown-value", path)


@pytest.mark.parametrize("raw", [b"just words", b"[1]", b'"x"', b"12"])
def test_what_is_not_a_mapping_is_refused(raw):
    assert only_finding(raw).code == "not-a-mapping"


def test_a_contract_that_no_format_reads_gets_the_error_of_the_format_it_looks_like():
    assert only_finding(b'{"schemaVersion": "v1",,}').code == "json-syntax"
    assert only_finding(b'// cue\nschemaVersion: "v1"\nmaterials: x').code == "cue-unsupported"
    assert only_finding(b"schemaVersion: v1\n\tmaterials: [").code == "yaml-syntax"


@pytest.mark.parametrize(
    ("body", "code", "path", "line", "column"),
    [
        ("materials: [{name: a}]", "missing-field", "/spec/materials/0/type", 5, 15),
        ("materials: [{type: STRING}]", "missing-field", "/spec/materials/0/name", 5, 15),
        ("materials: [{type: WRONG, name: a}]", "unknown-value", "/spec/materials/0/type", 5, 22),
        ("materials: [{type: 3, name: a}]", "unknown-value", "/spec/materials/0/type", 5, 22),
        ("materials: [{type: STRING, name: A}]", "invalid-name", "/spec/materials/0/name", 5, 36),
        ("materials: [{type: STRING, name: -a}]", "invalid-name", "/spec/materials/0/name", 5, 36),
        ('materials: [{type: STRING, name: "a\\n"}]', "invalid-name", "/spec/materials/0/name", 5, 36),
        ("materials: [{type: STRING, name: 12}]", "wrong-type", "/spec/materials/0/name", 5, 36),
        ("materials: [{type: STRING, name: a, group: B_}]", "invalid-name", "/spec/materials/0/group", 5, 46),
        ("materials: [{type: STRING, name: a, optional: yes}]", "wrong-type", "/spec/materials/0/optional", 5, 49),
        ("materials: [text]", "wrong-type", "/spec/materials/0", 5, 15),
        ("materials: {}", "wrong-type", "/spec/materials", 5, 14),
        ("materials: [null]", "wrong-type", "/spec/materials/0", 5, 15),
        ("runner: {}", "missing-field", "/spec/runner/type", 5, 11),
        ("runner: {type: RUNNER_TYPE_UNSPECIFIED}", "unknown-value", "/spec/runner/type", 5, 18),
        ("envAllowList: [A B]", "invalid-name", "/spec/envAllowList/0", 5, 18),
        ("annotations: [{name: a-b}]", "invalid-name", "/spec/annotations/0/name", 5, 24),
        ("annotations: [{name: chainloop.x}]", "reserved-annotation", "/spec/annotations/0/name", 5, 24),
        ("annotations: [{name: a}, {name: a}]", "duplicate-annotation", "/spec/annotations/1/name", 5, 35),
        ("annotations: [{name: a, value: 1}]", "wrong-type", "/spec/annotations/0/value", 5, 34),
        ("policies: {attestation: [{}]}", "ref-or-embedded", "/spec/policies/attestation/0", 5, 28),
        (
            "policies: {materials: [{ref: 'ftp://a'}]}",
            "invalid-policy-reference",
            "/spec/policies/materials/0/ref",
            5,
            32,
        ),
        (
            "policies: {materials: [{ref: a, gate: true}]}",
            "gate-not-supported",
            "/spec/policies/materials/0/gate",
            5,
            41,
        ),
        ("policyGroups: [{ref: a, gate: true}]", "gate-not-supported", "/spec/policyGroups/0/gate", 5, 33),
        ("policyGroups: [{skip: [a]}]", "missing-field", "/spec/policyGroups/0/ref", 5, 18),
        ("policyGroups: [{ref: a, with: {b: 1}}]", "wrong-type", "/spec/policyGroups/0/with/b", 5, 37),
        (
            "policies: {materials: [{ref: a, requirements: [x]}]}",
            "invalid-name",
            "/spec/policies/materials/0/requirements/0",
            5,
            50,
        ),
        ("unknown: 1", "unknown-field", "/spec/unknown", 5, 3),
        ("unknown:", "unknown-field", "/spec/unknown", 5, 3),
    ],
)
def test_each_breach_has_its_code_path_and_position(body, code, path, line, column):
    finding = only_finding(v2(body))

    assert (finding.code, finding.path, finding.line, finding.column) == (code, path, line, column)


def test_all_errors_come_at_once_in_the_order_of_the_text():
    materials = "- {name: A, type: WRONG}\n- {name: b, type: STRING, x: 1}\n- {name: b, type: STRING}"
    body = f"materials:\n{materials}\nrunner: {{type: X}}"

    findings = findings_of(v2(body))

    assert [(finding.code, finding.line) for finding in findings] == [
        ("invalid-name", 6),
        ("unknown-value", 6),
        ("unknown-field", 7),
        ("duplicate-material", 8),
        ("unknown-value", 9),
    ]


@pytest.mark.parametrize(
    ("body", "suggestion"),
    [
        ("materials: [{name: a, type: SBOM_CYCLONEDX}]", "SBOM_CYCLONEDX_JSON"),
        ("materials: [{name: a, type: artifact}]", "ARTIFACT"),
        ("materials: [{name: a, type: STRING, optinal: true}]", "optional"),
        ("material: []", "materials"),
        ("envallowlist: []", "envAllowList"),
        ("runner: {type: github}", "GITHUB_ACTION"),
        ("runner: {type: RUNNER_TYPE_JENKINS_JOB}", "JENKINS_JOB"),
    ],
)
def test_what_is_nearly_right_gets_a_suggestion(body, suggestion):
    assert only_finding(v2(body)).hint == f"did you mean {suggestion}?"


def test_a_number_where_a_text_belongs_asks_for_quotes():
    assert only_finding(v2("materials: [{type: STRING, name: 12}]")).hint == "put it in quotes"


def test_metadata_needs_a_name():
    finding = only_finding(v2("{}").replace(b"{name: demo}", b"{}"))

    assert (finding.code, finding.path) == ("missing-field", "/metadata/name")


def test_a_v2_contract_needs_a_spec():
    finding = only_finding(HEADER.encode())

    assert (finding.code, finding.path) == ("missing-field", "/spec")


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        ("materials: [" + ", ".join(f"{{name: a{at}, type: STRING}}" for at in range(1001)) + "]", "1000 materials"),
        ("envAllowList: [" + ", ".join(f"A{at}" for at in range(201)) + "]", "200 environment variables"),
        ("annotations: [" + ", ".join(f"{{name: a{at}}}" for at in range(201)) + "]", "200 annotations"),
        ("annotations: [{name: a, value: " + "x" * 4097 + "}]", "4096 characters"),
    ],
)
def test_a_limit_is_stated_in_the_message(body, limit):
    finding = only_finding(v2(body))

    assert finding.code == "limit-exceeded"
    assert f"at most {limit}" in finding.message


def test_more_than_a_mebibyte_is_refused():
    with pytest.raises(LimitExceededError, match="1 MiB"):
        load(v2("{}") + b"#" * 1024 * 1024)


def test_a_flood_of_errors_is_cut():
    findings = findings_of(v2("\n".join(f"unknown{at}: 1" for at in range(5000))))

    assert len(findings) == 200


@pytest.mark.parametrize(
    "name", ["GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "CHAINLOOP_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL"]
)
def test_r24_secret_names_in_the_allow_list_are_refused_with_their_position(name):
    finding = only_finding(v2(f"envAllowList: [A, {name}]"))

    assert (finding.code, finding.path, finding.line) == ("secret-variable", "/spec/envAllowList/1", 5)
    assert name in finding.message


def test_policies_are_accepted_with_a_warning():
    body = "policies:\n  attestation: [{ref: freshness, with: {limit: '5'}, requirements: [soc2/cc-1@2]}]"

    loaded = load(v2(body))

    assert [(finding.code, finding.line) for finding in loaded.warnings] == [("policies-not-evaluated", 6)]
    assert loaded.contract.policies is not None


def test_an_embedded_policy_is_checked():
    policy = "{apiVersion: chainloop.dev/v1, kind: Policy, metadata: {name: p}, spec: {%s}}"
    good = (
        policy % "policies: [{kind: SARIF, embedded: 'package main', attestationPhases: [PUSH]}], inputs: [{name: x}]"
    )
    bad = policy % "policies: [{kind: ARTIFACT}], inputs: [{name: x, required: true, default: y}]"

    load(v2(f"policies: {{materials: [{{embedded: {good}}}]}}"))
    findings = findings_of(v2(f"policies: {{materials: [{{embedded: {bad}}}]}}"))

    assert [finding.code for finding in findings] == ["unknown-value", "required-with-default"]


def test_a_type_that_is_not_implemented_is_a_warning():
    raw = v2("materials: [{name: a, type: STRING}, {name: b, type: SARIF}]")

    warnings = load(raw, implemented=frozenset({MaterialType.STRING})).warnings

    assert [(finding.code, finding.path) for finding in warnings] == [
        ("material-type-not-implemented", "/spec/materials/1/type")
    ]


def test_a_variable_that_stands_twice_is_a_warning_and_counts_once():
    loaded = load(v2("envAllowList: [A, B, A]"))

    assert [finding.code for finding in loaded.warnings] == ["repeated-variable"]
    assert loaded.contract.env_allow_list == ("A", "B")


def test_full_cue_is_evaluated_and_its_json_is_what_is_stored():
    exported = b'{"schemaVersion": "v1"}'

    loaded = load(b'let v = "v1"\nschemaVersion: v', filename="c.cue", evaluate_cue=lambda raw: exported)

    assert (loaded.raw, loaded.format, loaded.digest) == (exported, ContractFormat.JSON, sha256_digest(exported))


def test_full_cue_without_the_program_says_so():
    finding = only_finding(b'let v = "v1"\nschemaVersion: v', filename="c.cue")

    assert (finding.code, finding.line) == ("cue-unsupported", 1)


def test_cue_data_is_read_without_the_program():
    def never(raw: bytes) -> bytes:
        raise AssertionError(raw)

    assert load(b'schemaVersion: "v1"', filename="c.cue", evaluate_cue=never).format is ContractFormat.CUE


def test_a_cue_bomb_does_not_reach_the_program():
    def never(raw: bytes) -> bytes:
        raise AssertionError(raw)

    assert only_finding(b"a: " * 1000 + b"1", format=ContractFormat.CUE, evaluate_cue=never).code == "too-deep"


def test_broken_yaml_does_not_reach_the_cue_program():
    def never(raw: bytes) -> bytes:
        raise AssertionError(raw)

    assert only_finding(b"schemaVersion: v1\n\tmaterials: [", evaluate_cue=never).code == "yaml-syntax"


def test_the_given_format_wins_over_the_file_name():
    assert load(b"schemaVersion: v1", filename="c.json", format=ContractFormat.YAML).format is ContractFormat.YAML


def test_the_file_name_decides_over_the_content():
    assert only_finding(b"schemaVersion: v1", filename="c.json").code == "json-syntax"


def test_a_gate_on_an_embedded_policy_is_refused():
    policy = "{apiVersion: chainloop.dev/v1, kind: Policy, metadata: {name: p}, spec: {type: SARIF, embedded: x}}"

    findings = findings_of(v2(f"policies:\n  attestation:\n    - {{gate: true, embedded: {policy}}}"))

    assert "gate-not-supported" in [finding.code for finding in findings]


@pytest.mark.parametrize("default", ['""', "x"])
def test_a_required_input_with_any_default_is_refused(default):
    policy = (
        "{apiVersion: chainloop.dev/v1, kind: Policy, metadata: {name: p}, "
        f"spec: {{inputs: [{{name: level, required: true, default: {default}}}]}}}}"
    )

    findings = findings_of(v2(f"policies:\n  attestation:\n    - {{embedded: {policy}}}"))

    assert "required-with-default" in [finding.code for finding in findings]


def test_an_annotation_that_stands_twice_in_one_material_is_refused():
    annotations = "[{name: owner}, {name: owner}]"

    finding = only_finding(v2(f"materials: [{{type: STRING, name: a, annotations: {annotations}}}]"))

    assert (finding.code, finding.path) == ("duplicate-annotation", "/spec/materials/0/annotations/1/name")


def test_a_material_has_the_same_longest_name_as_at_add_and_at_the_store():
    assert load(v2(f"materials: [{{type: STRING, name: {'a' * MAX_MATERIAL_NAME}}}]")).contract.materials

    finding = only_finding(v2(f"materials: [{{type: STRING, name: {'a' * (MAX_MATERIAL_NAME + 1)}}}]"))

    assert finding.path == "/spec/materials/0/name"
    assert str(MAX_MATERIAL_NAME) in finding.message


@pytest.mark.parametrize(("annotations", "asks"), [("[{name: tier, value: gold}]", False), ("[{name: tier}]", True)])
def test_r37_only_an_annotation_without_a_value_asks_for_something(annotations, asks):
    assert load(v2(f"annotations: {annotations}")).contract.has_requirements is asks


@pytest.mark.parametrize("name", ["chainloop.x", "Chainloop.x"])
def test_a_reserved_annotation_is_refused_in_every_case(name):
    findings = findings_of(v2(f"annotations: [{{name: {name}}}]"))

    assert "reserved-annotation" in [finding.code for finding in findings]


def v1(body: str) -> bytes:
    """Return a v1 contract with that body."""
    return f"schemaVersion: v1\n{body}".encode()


@pytest.mark.parametrize("form", [v2, v1])
def test_a_contract_names_the_privileged_events_that_it_allows(form) -> None:
    body = "runner:\n  type: GITHUB_ACTION\n  privileged_events: [workflow_run, pull_request_target]\n"

    contract = load(form(body)).contract

    assert contract.privileged_events == (PrivilegedEvent.WORKFLOW_RUN, PrivilegedEvent.PULL_REQUEST_TARGET)
    assert from_document(to_document(contract)) == contract


@pytest.mark.parametrize(
    ("runner", "code"),
    [
        ("{type: GITLAB_PIPELINE, privilegedEvents: [workflow_run]}", "event-of-another-runner"),
        ("{type: GITHUB_ACTION, privilegedEvents: [push]}", "unknown-value"),
        ("{privilegedEvents: [workflow_run]}", "missing-field"),
    ],
)
def test_privileged_events_are_those_of_github(runner: str, code: str) -> None:
    with pytest.raises(ContractInvalidError) as caught:
        load(v2(f"runner: {runner}"))

    assert [finding.code for finding in caught.value.findings] == [code]


# --- where something stands


@pytest.mark.parametrize(
    ("raw", "name", "path", "line"),
    [
        (v2("materials:\n- {type: STRING, name: a}\n- {type: STRING, name: b}"), "c.yaml", "/spec/materials/1", 7),
        (b"schemaVersion: v1\nmaterials:\n  - type: STRING\n    name: a\n", "c.yaml", "/materials/0/name", 4),
        (b"schema_version: v1\nenv_allow_list:\n  - A\n  - B\n", "c.yml", "/envAllowList/1", 4),
        (b'{"schemaVersion": "v1",\n "materials": [\n  {"type": "STRING", "name": "a"}]}', "c.json", "/materials/0", 3),
        (b'schemaVersion: "v1"\nmaterials: [{type: "STRING",\n name: "a"}]\n', "c.cue", "/materials/0/name", 3),
    ],
)
def test_what_a_finding_names_has_a_line(raw: bytes, name: str, path: str, line: int) -> None:
    assert find_lines(raw, filename=name, paths=[path]) == {path: line}


@pytest.mark.parametrize(
    "path", ["/spec/materials/9", "/spec/materials/x", "/spec/materials/-1", "/none", "NAME", "x/y"]
)
def test_what_is_not_there_has_no_line(path: str) -> None:
    assert find_lines(v2("materials:\n- {type: STRING, name: a}"), filename="c.yaml", paths=[path]) == {}


@pytest.mark.parametrize(
    "raw", [b"", b"\xff", b"a: [", b"other: file\n", b"x" * (1024 * 1024 + 1), b"#A: {b: int}\na: #A"]
)
def test_a_contract_that_cannot_be_read_here_has_no_lines(raw: bytes) -> None:
    assert find_lines(raw, filename=None, paths=["/materials/0"]) == {}
