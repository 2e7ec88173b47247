from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.attestation.reader import read_statement
from chainloop_ci.attestation.statement import render_statement
from chainloop_ci.contract.types import MaterialType, RunnerType
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import ChainloopError, LimitExceededError, StatementInvalidError
from tests.unit.attestation.states import BUILDER, COMMIT, FINISHED, INITIALIZED, full_state

RAW = render_statement(full_state(), finished_at=FINISHED, builder_id=BUILDER)


def changed(change: Callable[[dict[str, Any]], None]) -> bytes:
    document = json.loads(RAW)
    change(document)
    return json.dumps(document).encode()


def findings(raw: bytes) -> list[tuple[str, str | None]]:
    with pytest.raises(StatementInvalidError) as caught:
        read_statement(raw)
    return [(finding.code, finding.path) for finding in caught.value.findings]


def test_what_is_rendered_is_read() -> None:
    state, view = full_state(), read_statement(RAW)

    pin = state.pin
    assert (view.workflow_name, view.run_id, view.workflow_id) == (pin.name, pin.run_id, pin.workflow_id)
    assert (view.project, view.project_version, view.project_version_prerelease) == ("demo", "v1.2.0", True)
    assert (view.organization, view.team) == (pin.organization, pin.team)
    assert (view.contract_name, view.contract_revision, view.contract_digest) == ("contract", 3, pin.contract_digest)
    assert (view.initialized_at, view.finished_at) == (INITIALIZED, FINISHED)
    assert view.builder_id == BUILDER
    assert (view.runner.type, view.runner.url, view.runner.environment) == (
        RunnerType.GITHUB_ACTION,
        state.runner.url,
        "managed",
    )
    assert (view.runner.authenticated, view.runner.workflow_file_path) == (True, ".github/workflows/ci.yml")
    assert (view.ci, view.head) == (state.session.ci, state.head)
    assert view.env == {**state.runner.env, **state.env}
    assert view.annotations == state.annotations
    assert (view.cas_id, view.cas_name, view.auth_id) == (state.cas.id, state.cas.name, state.auth_id)
    assert (view.policy.strategy, view.policy.evaluations) == ("ADVISORY", 0)


def test_materials_are_read_with_content_storage_and_size() -> None:
    view = read_statement(RAW)

    word, inline, stored, bare = (view.find_material(name) for name in ("word", "inline", "bin", "digest-only"))

    assert word and (word.type, word.value, word.digest, word.filename) == (
        MaterialType.STRING,
        "hello",
        sha256_digest(b"hello"),
        None,
    )
    assert inline and (inline.content, inline.inline, inline.value) == (b"content", True, None)
    assert stored and (stored.uploaded, stored.size_bytes, stored.output, stored.filename) == (True, 5, True, "bin.bin")
    assert bare and (bare.uploaded, bare.inline, bare.content, bare.output) == (False, False, None, False)
    assert view.find_material("absent") is None


def test_subjects_name_their_material() -> None:
    assert [(subject.name, subject.material_name) for subject in read_statement(RAW).subjects] == [
        ("chainloop.workflow.build", None),
        ("git.head", None),
        ("ghcr.io/acme/app", "app-image"),
        ("bin.bin", "bin"),
    ]


def test_annotations_of_the_image_are_texts() -> None:
    image = read_statement(RAW).find_material("app-image")

    assert image and image.annotations == {
        "chainloop.material.image.is_latest_tag": "true",
        "chainloop.material.image.tag": "v1",
    }


def test_a_statement_of_the_go_product_is_read(corpus: Path) -> None:
    view = read_statement((corpus / "go-product" / "statement.json").read_bytes())

    assert (view.workflow_name, view.organization, view.contract_revision) == ("build", "bench", 1)
    assert (view.contract_digest, view.ci, view.head) == (None, None, None)
    assert len(view.materials) == 8
    assert [entry.name for entry in view.materials if entry.output] == ["bin"]


def test_the_statement_of_2022_is_read(corpus: Path) -> None:
    [page] = (corpus.parent / "origin").glob("002_*.txt")
    shown = page.read_text().split("--output statement\n", 1)[1].split("```", 1)[0]
    # The page forgets the end of the last material, and ends lists with a comma.
    whole = shown.replace('"type": "CONTAINER_IMAGE"\n', '"type": "CONTAINER_IMAGE"}\n')
    raw = re.sub(r",(\s*[\]}])", r"\1", whole).encode()

    view = read_statement(raw)

    assert view.statement_type == "https://in-toto.io/Statement/v0.1"
    assert (view.workflow_name, view.project, view.team) == ("release", "bedrock", "core")
    assert (view.contract_revision, view.organization) == (None, "")
    assert view.runner.type == RunnerType.GITHUB_ACTION
    assert view.runner.url == "https://github.com/chainloop-dev/bedrock/actions/runs/3411479373"
    assert view.env["CUSTOM_VAR"] == "RESOLVED_VALUE"
    commit, binary = view.find_material("commit"), view.find_material("cli-linux-amd64")
    assert commit and (commit.value, commit.digest, commit.output) == (COMMIT, None, False)
    assert binary and (binary.filename, binary.output) == ("chainloop", True)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda document: document.update(_type="https://in-toto.io/Statement/v2"), "statement-type"),
        (lambda document: document.update(_type=1), "statement-type"),
        (lambda document: document.update(predicateType="https://slsa.dev/provenance/v1"), "predicate-type"),
        (lambda document: document.pop("predicateType"), "predicate-type"),
    ],
)
def test_another_kind_of_statement_is_refused(change: Callable[[dict[str, Any]], None], code: str) -> None:
    assert code in [found for found, _ in findings(changed(change))]


def test_two_materials_of_one_name_are_refused() -> None:
    raw = changed(lambda document: document["predicate"]["materials"].append(document["predicate"]["materials"][0]))

    assert findings(raw) == [("duplicate-material", "/predicate/materials")]


def test_a_subject_that_is_not_the_material_it_names_is_refused() -> None:
    raw = changed(lambda document: document["subject"][3]["digest"].update(sha256="0" * 64))

    assert findings(raw) == [("subject-mismatch", "/subject")]


def test_storage_is_only_believed_where_it_is_the_json_true() -> None:
    def lie(document: dict[str, Any]) -> None:
        notes = document["predicate"]["materials"][2]["annotations"]
        assert notes["chainloop.material.name"] == "digest-only"
        notes.update({"chainloop.material.cas": "true", "chainloop.material.cas.inline": "true"})

    found = read_statement(changed(lie)).find_material("digest-only")

    assert found and (found.uploaded, found.inline) == (False, False)


@pytest.mark.parametrize(
    "digits", ["", "A" * 64, "a" * 63, "a" * 65, "0x" + "a" * 62, "a" * 64 + "\n", "sha256:" + "a" * 64]
)
def test_a_digest_in_another_form_is_refused(digits: str) -> None:
    def change(document: dict[str, Any]) -> None:
        document["predicate"]["materials"][1]["digest"]["sha256"] = digits

    assert findings(changed(change))[-1][0] in ("invalid-field", "subject-mismatch")


@pytest.mark.parametrize("commit", ["", "abc", "A" * 40, "a" * 41])
def test_a_commit_that_is_no_hash_is_refused(commit: str) -> None:
    raw = changed(lambda document: document["subject"][1]["digest"].update(sha1=commit))

    assert findings(raw) == [("invalid-field", "/subject/1/digest/sha1")]


def test_everything_that_is_wrong_is_listed() -> None:
    def change(document: dict[str, Any]) -> None:
        predicate = document["predicate"]
        predicate["env"] = {"A": 1}
        predicate["metadata"]["finishedAt"] = "now"
        predicate["metadata"]["contractVersion"] = "-1"
        predicate["materials"][0]["annotations"].pop("chainloop.material.type")
        predicate["materials"][1]["content"] = "!"

    assert {path for _, path in findings(changed(change))} == {
        "/predicate/env/A",
        "/predicate/metadata/finishedAt",
        "/predicate/metadata/contractVersion",
        "/predicate/materials/0/annotations/chainloop.material.type",
        "/predicate/materials/1/content",
    }


def test_r10_ambiguous_json_is_refused() -> None:
    raw = RAW.replace(b'"workflowRunID":', b'"workflowRunID":"other","workflowRunID":')
    variant = RAW.replace(b'"workflowRunID":', b'"workflowRunId":"other","workflowRunID":')

    assert findings(raw) == [("json-duplicate-key", "/predicate/metadata")]
    assert findings(variant) == [("json-case-variant", "/predicate/metadata")]


def test_r10_unknown_fields_are_ignored() -> None:
    raw = changed(lambda document: document["predicate"].update(newFact={"a": [1]}))

    assert read_statement(raw) == read_statement(RAW)


def test_a_statement_over_the_limit_is_refused() -> None:
    with pytest.raises(LimitExceededError):
        read_statement(RAW, max_bytes=100)


@given(st.data())
def test_a_mutated_statement_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(RAW)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content) - 1))
        del content[position : position + data.draw(st.integers(0, 30))]
        content[position:position] = data.draw(st.sampled_from([b"", b"[]", b"{}", b"1", b"null", b'"', b",", b"\xff"]))

    try:
        read_statement(bytes(content))
    except ChainloopError as error:
        assert error.findings


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_a_statement_with_any_field_replaced_is_read_or_refused(data: st.DataObject) -> None:
    document = json.loads(RAW)
    holder: Any = document
    while True:
        names = range(len(holder)) if isinstance(holder, list) else sorted(holder)
        name = data.draw(st.sampled_from(list(names)))
        deeper = isinstance(holder[name], dict | list) and holder[name]
        if not deeper or data.draw(st.integers(0, 3)) == 0:
            holder[name] = data.draw(_json)
            break
        holder = holder[name]

    try:
        read_statement(json.dumps(document).encode())
    except ChainloopError as error:
        assert error.findings
