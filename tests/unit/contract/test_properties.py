"""Properties: no input breaks a reader, and every contract survives being written and read again."""

from __future__ import annotations

import json

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chainloop_ci.contract.document import from_document, to_document
from chainloop_ci.contract.load import load
from chainloop_ci.contract.types import (
    Annotation,
    Contract,
    ContractFormat,
    ContractMaterial,
    ContractSchema,
    MaterialType,
    RunnerType,
)
from chainloop_ci.errors import ChainloopError

NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)
ANNOTATIONS = st.lists(
    st.builds(Annotation, st.from_regex(r"[A-Za-z0-9_]{1,8}", fullmatch=True), TEXTS),
    max_size=3,
    unique_by=lambda annotation: annotation.name,
).map(tuple)
MATERIALS = st.lists(
    st.builds(
        ContractMaterial,
        NAMES,
        st.sampled_from(MaterialType),
        optional=st.booleans(),
        output=st.booleans(),
        skip_upload=st.booleans(),
        group=st.none() | NAMES,
        annotations=ANNOTATIONS,
    ),
    max_size=4,
    unique_by=lambda material: material.name,
).map(tuple)
BODY = {
    "materials": MATERIALS,
    "env_allow_list": st.lists(st.sampled_from(["A", "NO", "_x", "CUSTOM_VAR"]), max_size=3, unique=True).map(tuple),
    "runner": st.none() | st.sampled_from([member for member in RunnerType if member is not RunnerType.GENERIC]),
    "annotations": ANNOTATIONS,
    "policies": st.none() | st.just({"attestation": [{"ref": "freshness", "with": {"snake_case": "5"}}]}),
    "policy_groups": st.sampled_from([(), ({"ref": "org/group", "skip": ["a"]},)]),
}
METADATA = st.sampled_from(
    [{}, {"annotations": {"team_name": "core"}}, {"organization": "acme", "findingType": "SAST"}]
)
V1 = st.builds(Contract, schema=st.just(ContractSchema.V1), **BODY)
V2 = st.builds(Contract, name=NAMES, description=st.none() | TEXTS.filter(bool), metadata=METADATA, **BODY)
CONTRACTS = V1 | V2
WORDS = b'schemaVersion v1 apiVersion materials type 1 null : - { } [ ] , " \' | &a *a !!str << # // \\ """ --- ? % ( @'
PIECES = st.sampled_from([*WORDS.split(b" "), b": ", b"- ", b"\n", b"  ", b"\t", b"\xff", b"&a ", b"!!str "])


class Quoting(yaml.SafeDumper):
    """Quotes every text: pyyaml leaves what only YAML 1.2 reads as a number (0E0) without quotes."""


Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


@given(CONTRACTS)
def test_a_contract_survives_its_document(contract):
    assert from_document(json.loads(json.dumps(to_document(contract)))) == contract


@given(CONTRACTS)
@settings(deadline=None)
def test_a_contract_survives_json_yaml_and_cue(contract):
    document = to_document(contract)
    as_json = json.dumps(document, ensure_ascii=False).encode()
    as_yaml = yaml.dump(document, Dumper=Quoting, allow_unicode=True).encode()

    assert load(as_json).contract == contract
    assert load(as_yaml, format=ContractFormat.YAML).contract == contract
    assert load(as_json, format=ContractFormat.CUE).contract == contract


def _judge(raw: bytes) -> None:
    for form in (None, *ContractFormat):
        try:
            load(raw, format=form)
        except ChainloopError as error:
            assert error.message
            assert all(finding.message for finding in error.findings)


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_random_bytes_raise_nothing_but_our_errors(raw):
    _judge(raw)


@given(st.lists(PIECES, max_size=30).map(b"".join))
@example(b'a: "\\U00110000"')
@settings(deadline=None, max_examples=300)
def test_random_pieces_of_contracts_raise_nothing_but_our_errors(raw):
    _judge(raw)


FIELD_NAMES = (
    "schemaVersion apiVersion kind metadata spec materials name type annotations runner policies attestation "
    "policyGroups ref embedded envAllowList env_allow_list gate with inputs skip group"
)
FIELDS = st.sampled_from(FIELD_NAMES.split(" "))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.sampled_from(["v1", "STRING"])
)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner, max_size=5), max_leaves=25
)


@given(
    st.sampled_from([{"schemaVersion": "v1"}, {"apiVersion": "chainloop.dev/v1"}]),
    st.dictionaries(FIELDS, TREES, max_size=6),
)
@settings(deadline=None)
def test_documents_of_any_shape_raise_nothing_but_our_errors(header, document):
    _judge(json.dumps({**document, **header}).encode())


@given(TREES | st.dictionaries(FIELDS, TREES, max_size=6))
def test_stored_documents_of_any_shape_raise_nothing_but_our_errors(document):
    try:
        from_document(document)
    except ChainloopError as error:
        assert error.findings
