from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from chainloop_ci.attestation.predicate import builder_id
from chainloop_ci.attestation.reader import read_statement
from chainloop_ci.attestation.state import CraftingState, GitHead, WorkflowPin
from chainloop_ci.attestation.state_document import attestation_document, from_document
from chainloop_ci.attestation.statement import render_statement
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import StatementInvalidError
from tests.unit.attestation.states import BUILDER, COMMIT, FINISHED, full_state, material, minimal_state, string


def rendered(state: CraftingState) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(render_statement(state, finished_at=FINISHED, builder_id=BUILDER))
    return parsed


def by_name(statement: dict[str, Any], name: str) -> dict[str, Any]:
    entries: list[dict[str, Any]] = statement["predicate"]["materials"]
    return next(entry for entry in entries if entry["annotations"]["chainloop.material.name"] == name)


def test_the_go_product_s_state_renders_to_the_go_product_s_statement(corpus: Path) -> None:
    folder = corpus / "go-product"
    theirs = json.loads((folder / "statement.json").read_text())
    state = from_document(json.loads((folder / "crafting-state.json").read_text()))

    ours = rendered(state)

    assert ours["subject"][1:] == theirs["subject"][1:]
    assert ours["subject"][0]["name"] == theirs["subject"][0]["name"]
    predicate, expected = ours["predicate"], theirs["predicate"]
    assert predicate.keys() - expected.keys() == {"chainloopCi"}
    assert expected.keys() - predicate.keys() == {"signingCA"}
    same = expected.keys() - {"signingCA", "builder", "metadata"}
    assert {name: predicate[name] for name in same} == {name: expected[name] for name in same}
    assert predicate["metadata"].keys() == expected["metadata"].keys()


def test_an_older_state_of_the_go_product_renders_to_its_published_statement(corpus: Path) -> None:
    folder = corpus / "statement"
    expected = json.loads((folder / "attestation.output.v0.2.json").read_text())
    state = from_document(json.loads((folder / "attestation.source.json").read_text()))

    ours = rendered(state)

    assert ours["subject"][1:] == expected["subject"][1:]
    materials = [entry | {"digest": entry.get("digest")} for entry in expected["predicate"]["materials"]]
    materials[0]["digest"] = {"sha256": sha256_digest(b"a-string").removeprefix("sha256:")}
    assert ours["predicate"]["materials"] == materials
    dates = {"initializedAt", "finishedAt"}
    metadata, theirs = ours["predicate"]["metadata"], expected["predicate"]["metadata"]
    assert {name: metadata[name] for name in theirs if name not in dates} == {
        name: theirs[name] for name in theirs if name not in dates
    }


def test_the_bytes_are_compact_utf8_in_one_order() -> None:
    state = minimal_state(annotations={"b": "ü", "a": "1"}, materials={"z": string("z", "1"), "a": string("a", "2")})
    other = minimal_state(annotations={"a": "1", "b": "ü"}, materials={"a": string("a", "2"), "z": string("z", "1")})

    raw = render_statement(state, finished_at=FINISHED, builder_id=BUILDER)

    assert raw == render_statement(other, finished_at=FINISHED, builder_id=BUILDER)
    assert raw.startswith(b'{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"chainloop.workflow.build",')
    assert '"annotations":{"a":"1","b":"ü"},"auth":'.encode() in raw
    assert b"\n" not in raw and b'": ' not in raw


def test_subjects_stand_in_their_order_and_a_string_is_none() -> None:
    state = full_state().with_material(replace(string("word", "hello"), output=True))

    names = [subject["name"] for subject in rendered(state)["subject"]]

    assert names == ["chainloop.workflow.build", "git.head", "ghcr.io/acme/app", "bin.bin"]


def test_the_workflow_subject_is_the_canonical_form_of_the_state_s_attestation() -> None:
    state = full_state()
    document: Any = attestation_document(replace(state, finished_at=FINISHED))

    [digits] = rendered(state)["subject"][0]["digest"].values()

    assert "sha256:" + digits == sha256_digest(rfc8785.dumps(document))


def test_no_secret_of_the_session_reaches_the_statement() -> None:
    state = full_state()
    secret = replace(state, session=replace(state.session, run_handle="the-handle"))

    assert "the-handle" not in json.dumps(rendered(secret))
    assert rendered(secret)["subject"][0] == rendered(state)["subject"][0]


def test_the_commit_is_a_subject_with_its_author() -> None:
    assert rendered(full_state())["subject"][1] == {
        "name": "git.head",
        "digest": {"sha1": COMMIT},
        "annotations": {
            "author.email": "ann@example.com",
            "author.name": "Ann",
            "date": "2026-11-20T14:53:33.321683Z",
            "message": "message",
            "remotes": [{"name": "origin", "url": "https://example.com/a.git"}],
        },
    }


def test_a_commit_that_only_has_a_hash_has_no_annotations() -> None:
    state = minimal_state(head=GitHead("a" * 64))

    assert rendered(state)["subject"][1] == {"name": "git.head", "digest": {"sha256": "a" * 64}}


def test_a_commit_that_git_does_not_have_says_by_whose_word_it_is_recorded() -> None:
    state = minimal_state(head=GitHead("a" * 40, source="ci-variable"))

    subject = rendered(state)["subject"][1]

    assert subject["annotations"] == {"source": "ci-variable"}
    assert read_statement(render_statement(state, finished_at=FINISHED, builder_id=BUILDER)).head == state.head


def test_an_image_says_its_tag() -> None:
    entry = by_name(rendered(full_state()), "app-image")

    assert entry["name"] == "ghcr.io/acme/app"
    assert entry["annotations"]["chainloop.material.image.tag"] == "v1"
    assert entry["annotations"]["chainloop.material.image.is_latest_tag"] is True


def test_a_material_says_where_its_content_is() -> None:
    statement = rendered(full_state())

    stored, inline, digest_only = (by_name(statement, name) for name in ("bin", "inline", "digest-only"))

    assert stored["annotations"]["chainloop.material.cas"] is True and "content" not in stored
    assert inline["annotations"]["chainloop.material.cas.inline"] is True and inline["content"] == "Y29udGVudA=="
    assert not any("cas" in name for name in digest_only["annotations"])


@pytest.mark.parametrize("fact", ["name", "type", "size", "cas", "cas.inline", "image.tag"])
def test_an_annotation_of_the_user_never_stands_for_a_fact(fact: str) -> None:
    lie = material("bin", annotations={f"chainloop.material.{fact}": "lie", "team": "core"})

    annotations = by_name(rendered(minimal_state(materials={"bin": lie})), "bin")["annotations"]

    assert "lie" not in annotations.values()
    assert annotations["team"] == "core"


def test_what_only_we_sign_stands_under_our_own_name() -> None:
    assert rendered(full_state())["predicate"]["chainloopCi"] == {
        "calledWorkflow": "acme/shared/.github/workflows/build.yml@refs/tags/v1",
        "contractDigest": sha256_digest(b"contract"),
        "ci": {
            "provider": "github",
            "serverUrl": "https://github.com",
            "repository": "acme/app",
            "runId": "1",
            "runAttempt": 2,
            "job": "build",
            "jobIndex": "0",
            "runnerName": "runner",
            "event": "pull_request",
            "ref": "refs/pull/7/merge",
            "headSha": COMMIT,
            "pullRequest": "7",
        },
    }


def test_runner_variables_and_the_allow_list_are_one_map() -> None:
    assert rendered(full_state())["predicate"]["env"] == {
        "CUSTOM_VAR": "value",
        "GITHUB_ACTOR": "someone",
        "GITHUB_REF": "refs/heads/main",
    }


def test_empty_optional_facts_are_left_out_and_the_others_always_stand_there() -> None:
    predicate = rendered(minimal_state())["predicate"]

    assert not predicate.keys() & {"env", "annotations", "runnerURL", "runnerAuthenticated", "runnerWorkflowFilePath"}
    assert predicate["materials"] == []
    assert predicate["metadata"]["team"] == ""
    assert predicate["casBackend"] == {"casBackendID": "", "casBackendName": "", "fallback": False}


def test_times_are_utc() -> None:
    local = FINISHED.astimezone(timezone(timedelta(hours=2)))

    raw = render_statement(minimal_state(), finished_at=local, builder_id=BUILDER)

    assert b'"finishedAt":"2026-11-20T14:53:37.295849Z"' in raw


def test_r10_variables_that_differ_in_case_only_are_refused_before_anything_is_signed() -> None:
    with pytest.raises(StatementInvalidError, match="differ in case only") as caught:
        render_statement(minimal_state(env={"Path": "1", "PATH": "2"}), finished_at=FINISHED, builder_id=BUILDER)

    assert [finding.path for finding in caught.value.findings] == ["/attestation/envVars"]


@pytest.mark.parametrize(
    "state",
    [
        minimal_state(env={"NAME": "\udcff"}),
        minimal_state(head=GitHead(COMMIT, message="\udcff")),
        minimal_state(pin=WorkflowPin("\udcff", "demo", "acme", "contract", 1, sha256_digest(b""))),
        minimal_state(materials={"a": material("a", filename="\udcff")}),
    ],
)
def test_r10_bytes_that_are_no_text_are_refused_by_name(state: CraftingState) -> None:
    with pytest.raises(StatementInvalidError, match="surrogate") as caught:
        render_statement(state, finished_at=FINISHED, builder_id=BUILDER)

    assert all(finding.path for finding in caught.value.findings)


def test_the_builder_is_named_by_version_and_digest_of_its_files() -> None:
    assert builder_id("1.2.3", Digest("sha256:" + "a" * 64)) == "chainloop.dev/cli/1.2.3@sha256:" + "a" * 64
    assert builder_id("1.2.3", None) == "chainloop.dev/cli/1.2.3"


def test_r10_an_annotation_that_is_one_of_ours_but_for_case_is_refused_before_anything_is_signed() -> None:
    entry = replace(material("app"), annotations={"Chainloop.material.name": "other"})

    with pytest.raises(StatementInvalidError) as caught:
        rendered(minimal_state().with_material(entry))

    assert [(finding.code, str(finding.path).split("/")[1]) for finding in caught.value.findings] == [
        ("json-case-variant", "predicate")
    ]
