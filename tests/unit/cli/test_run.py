from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

import server.model.run_filters
from chainloop_ci.attestation.bundle import render_bundle
from chainloop_ci.attestation.dsse import PAYLOAD_TYPE, encode_pae
from chainloop_ci.cli.run_filters import STATE_WORDS
from chainloop_ci.digests import sha256_digest
from chainloop_ci.signing.generate import generate_key
from chainloop_ci.signing.keys import load_signing_key
from tests.unit.cli.answers import RUN, WORKFLOW, page, problem, reply, revision, run, workflow
from tests.unit.stub_server import Reply

STATEMENT: dict[str, Any] = {
    "_type": "https://in-toto.io/Statement/v1",
    "predicateType": "chainloop.dev/attestation/v0.2",
    "subject": [{"name": "chainloop.workflow.release", "digest": {"sha256": "b" * 64}}],
    "predicate": {
        "metadata": {"name": "release", "workflowName": "release", "workflowRunID": RUN},
        "env": {"GITHUB_ACTOR": "migmartri"},
        "materials": [
            {
                "name": "chainloop",
                "digest": {"sha256": "c" * 64},
                "annotations": {
                    "chainloop.material.name": "cli-linux-amd64",
                    "chainloop.material.type": "ARTIFACT",
                    "chainloop.material.cas": True,
                },
            },
            {
                "content": base64.b64encode(b"6417e226").decode(),
                "digest": {"sha256": "d" * 64},
                "annotations": {"chainloop.material.name": "commit", "chainloop.material.type": "STRING"},
            },
        ],
    },
}
PAYLOAD = json.dumps(STATEMENT, indent=1).encode()
PRIVATE, PUBLIC = generate_key()
SIGNER = load_signing_key(PRIVATE, read_password=lambda: None, env={})
BUNDLE = render_bundle(PAYLOAD, SIGNER.sign(encode_pae(PAYLOAD_TYPE, PAYLOAD)), SIGNER.hint)
DIGEST = sha256_digest(BUNDLE)
CHECK = {"result": "claimed", "reason": "the job's word"}
NAMES = ("signature", "key", "runner", "source", "commit", "contract", "content")
RAW = Reply(200, BUNDLE, {"Content-Type": "application/vnd.dev.sigstore.bundle.v0.3+json"})


def detail(**more: Any) -> Reply:
    return reply(
        {
            "run": run(attestationDigest=DIGEST, ci={"provider": "github", "headSha": "6417e226"}),
            "workflow": workflow(),
            "verified": True,
            "verification": dict.fromkeys(NAMES, CHECK),
            "limitsOfTrust": ["Runner and commit are claimed."],
            **more,
        }
    )


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│").split("│")]


# --- list ------------------------------------------------------------------------------------------------------------


def test_list_has_the_columns_of_the_transcript(operate, stub) -> None:
    stub.replies = [page(run())]

    lines = operate("workflow", "run", "ls", "--workflow", WORKFLOW).out.splitlines()

    assert cells(lines[1]) == ["ID", "PROJECT", "WORKFLOW", "STATE", "CREATED AT", "RUN URL"]
    assert cells(lines[3]) == [
        RUN, "bedrock", "release", "success", "07 Nov 22 15:03 UTC",
        "https://github.com/chainloop-dev/bedrock/actions/runs/3411479373",
    ]  # fmt: skip


def test_more_of_each_run_is_shown_when_asked_for(operate, stub) -> None:
    stub.replies = [page(run(tokenName="ci", ci={"provider": "github", "headSha": "6417e226" * 5}))]

    lines = operate("workflow", "run", "list", "--full").out.splitlines()

    assert cells(lines[1])[6:] == ["FINISHED AT", "VERSION", "RUNNER", "COMMIT", "TOKEN"]
    assert cells(lines[3])[6:] == ["07 Nov 22 15:13 UTC", "", "GITHUB_ACTION", "6417e226" * 5, "ci"]


def test_every_filter_reaches_the_control_plane(operate, stub) -> None:
    stub.replies = [page()]

    operate(
        "workflow", "workflow-run", "list", "--workflow", "release", "--project", "bedrock", "--status", "SUCCEEDED",
        "--commit", "6417e22", "--digest", DIGEST, "--runner", "GITHUB_ACTION", "--token-name", "ci",
        "--since", "2022-11-07", "--until", "2022-11-08T00:00:00+01:00", "--limit", "5", "--next", "c",
    )  # fmt: skip

    assert dict(parse_qsl(urlsplit(stub.seen[0].path).query)) == {
        "workflow": "release", "project": "bedrock", "state": "succeeded", "commit": "6417e22", "digest": DIGEST,
        "runner": "GITHUB_ACTION", "token": "ci", "since": "2022-11-07T00:00:00Z", "until": "2022-11-07T23:00:00Z",
        "limit": "5", "cursor": "c",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--state", "sucess"), ("initialized, success, error, canceled, expired, succeeded", "did you mean success?")),
        (("--runner", "GITHUB"), ("GITHUB_ACTION, GITLAB_PIPELINE", "did you mean GITHUB_ACTION?")),
        (("--commit", "abc"), ("7 hexadecimal digits", "git rev-parse")),
        (("--digest", "sha256:short"), ("sha256:<64", "copy the digest")),
        (("--limit", "500"), ("at most 200, found 500", "--next")),
    ],
)
def test_a_filter_that_fits_nothing_is_a_usage_error_with_what_fits(operate, stub, words, said) -> None:
    result = operate("workflow", "run", "list", *words)

    assert (result.status, stub.seen) == (2, [])
    assert [text for text in said if text not in result.err] == []


def test_a_cursor_that_is_none_names_the_option(operate, stub) -> None:
    said = "the cursor does not belong to this list with these filters"
    finding = {"code": "cursor-invalid", "message": said, "path": "?cursor"}
    stub.replies = [problem(422, "request-invalid", said, hint="repeat the list without `cursor`", findings=[finding])]

    result = operate("workflow", "run", "list", "--next", "banana")

    assert result.status == 2
    assert f"ERR --next: {said}" in result.err
    assert "without `cursor`" not in result.err


def test_the_words_of_states_are_those_of_the_control_plane() -> None:
    assert tuple(server.model.run_filters.STATE_WORDS) == STATE_WORDS


def test_states_and_runners_are_taken_in_any_case(operate, stub) -> None:
    stub.replies = [page()]

    operate("workflow", "run", "list", "--state", "Failed", "--runner", "github_action")

    assert dict(parse_qsl(urlsplit(stub.seen[0].path).query)) == {"state": "failed", "runner": "GITHUB_ACTION"}


@pytest.mark.parametrize(("words", "said"), [((), "no runs yet"), (("--project", "x"), "no run fits these options")])
def test_an_empty_list_is_a_sentence(operate, stub, words, said) -> None:
    stub.replies = [page()]

    result = operate("workflow", "run", "list", *words)

    assert (result.status, result.out, result.err) == (0, "", f"INF {said}\n")


def test_an_empty_list_as_json_is_a_list(operate, stub) -> None:
    stub.replies = [page()]

    assert operate("workflow", "run", "list", "-o", "json").json == {"items": []}


@pytest.mark.parametrize("more", [(), ("--full",)])
def test_a_list_fits_a_terminal_with_ids_that_can_be_copied(operate, stub, more: tuple[str, ...]) -> None:
    stub.replies = [page(run())]

    lines = operate("workflow", "run", "ls", *more, typed="", env={"COLUMNS": "80"}).out.splitlines()

    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["ID", run()["id"]]


def test_a_moment_that_cannot_be_read_is_refused(operate, stub) -> None:
    result = operate("workflow", "run", "list", "--since", "yesterday")

    assert result.status == 2
    assert "--since" in result.err
    assert stub.seen == []


def test_r37_a_success_without_requirements_is_shown_as_that(operate, stub) -> None:
    stub.replies = [page(run(hasRequirements=False))]

    assert "success (no requirements)" in operate("workflow", "run", "list").out


def test_list_as_json_has_the_go_product_s_keys(operate, stub) -> None:
    stub.replies = [page(run())]

    item = operate("workflow", "run", "list", "-o", "json").json["items"][0]

    assert (item["workflow"]["name"], item["contractRevisionUsed"], item["contractRevisionLatest"]) == ("release", 1, 2)


# --- describe --------------------------------------------------------------------------------------------------------


def test_describe_shows_the_labels_of_the_transcript(operate, stub) -> None:
    stub.replies = [detail(), RAW]

    out = operate("workflow", "run", "describe", "--id", RUN).out

    rows = [cells(line) for line in out.splitlines() if line.startswith("│")]
    pairs = {row[0]: row[1] for row in rows if len(row) == 2}
    assert (pairs["Initialized At"], pairs["Finished At"]) == ("07 Nov 22 15:03 UTC", "07 Nov 22 15:13 UTC")
    assert (pairs["State"], pairs["Payload Type"], pairs["Verified"]) == ("success", PAYLOAD_TYPE, "true")
    assert pairs["Runner Link"] == "https://github.com/chainloop-dev/bedrock/actions/runs/3411479373"
    assert pairs["Runner Type"] == "GITHUB_ACTION (claimed)"
    assert {"Workflow Run", "Statement", "Runner Type", "Team", "Project"} <= set(pairs)
    assert ["cli-linux-amd64", "ARTIFACT", f"chainloop@sha256:{'c' * 64}"] in rows
    assert ["commit", "STRING", "6417e226"] in rows
    assert ["Environment Variables"] in rows
    assert pairs["GITHUB_ACTOR"] == "migmartri"
    assert "Runner and commit are claimed." in out


def test_r20_describe_shows_when_a_late_run_was_crafted_by_its_word_and_when_it_was_stored(operate, stub) -> None:
    late = run(attestationDigest=DIGEST, late=True)
    times = {"craftedAt": "2022-11-01T10:00:00Z", "storedAt": "2022-11-07T15:13:06Z"}
    stub.replies = [detail(run=late, **times), RAW]

    out = operate("workflow", "run", "describe", "--id", RUN).out

    rows = [cells(line) for line in out.splitlines() if line.startswith("│")]
    pairs = {row[0]: row[1] for row in rows if len(row) == 2}
    assert pairs["State"] == "success (late)"
    assert pairs["Crafted At"] == "01 Nov 22 10:00 UTC, by the job's clock"
    assert pairs["Stored At"] == "07 Nov 22 15:13 UTC, by the control plane's clock"


def test_describe_shows_the_attested_commit_and_where_the_run_was_begun_from(operate, stub) -> None:
    begun = run(attestationDigest=DIGEST, ci={"provider": "tekton"}, commit="6417e226" * 5)
    stub.replies = [detail(run=begun, address="192.0.2.9"), RAW]

    out = operate("workflow", "run", "describe", "--id", RUN).out

    rows = [cells(line) for line in out.splitlines()]
    assert ["Commit", "6417e226" * 5] in rows
    assert ["Begun From", "192.0.2.9"] in rows


def test_describe_as_a_document_has_the_attested_commit_and_the_address(operate, stub) -> None:
    stub.replies = [
        detail(run=run(commit="6417e226" * 5, attestationDigest=DIGEST), address="192.0.2.9"),
        RAW,
        reply(revision()),
    ]

    document = operate("workflow", "run", "describe", "--id", RUN, "-o", "json").json

    assert (document["workflowRun"]["commit"], document["address"]) == ("6417e226" * 5, "192.0.2.9")


def test_r12_describe_shows_what_the_control_plane_found_out_and_why(operate, stub) -> None:
    stub.replies = [detail(), RAW]

    out = operate("workflow", "run", "describe", RUN).out

    assert all(f"│ {name}" in out for name in NAMES)
    assert "the job's word" in out


def test_r11_describe_shows_what_was_checked_of_each_material(operate, stub) -> None:
    why = "not checked: a material of type ARTIFACT may hold anything"
    material = {"name": "cli-linux-amd64", "type": "ARTIFACT", "digest": "sha256:" + "c" * 64, "stored": "cas"}
    stub.replies = [detail(materials=[{**material, "contentCheck": why}]), RAW] * 2 + [reply(revision())]

    shown = operate("workflow", "run", "describe", RUN).out
    document = operate("workflow", "run", "describe", RUN, "-o", "json").json

    assert why in shown
    assert [item["contentCheck"] for item in document["attestation"]["materials"]] == [why, ""]


def test_r15_describe_shows_refused_attestations_with_every_finding(operate, stub) -> None:
    refusal = {
        "at": "2022-11-07T15:05:00Z", "code": "attestation-refused", "bundleDigest": DIGEST,
        "findings": [{"code": "missing-material", "message": "no sbom", "path": "materials"}],
    }  # fmt: skip
    stub.replies = [detail(run=run(state="initialized"), verified=False, refusals=[refusal])]

    out = operate("workflow", "run", "describe", RUN).out

    assert "Refused attestations" in out
    assert "missing-material │ materials no sbom" in out
    assert len(stub.seen) == 1


def test_describe_finds_a_run_by_its_attestation_and_not_by_a_material(operate, stub) -> None:
    stub.replies = [page(run(attestationDigest="sha256:" + "0" * 64), run(attestationDigest=DIGEST)), detail(), RAW]

    result = operate("workflow", "run", "describe", "--digest", DIGEST)

    assert (result.status, stub.seen[1].path) == (0, f"/api/v1/workflow-runs/{RUN}")


REFUSED = problem(403, "not-allowed", "this needs a token with one of the roles admin, instance, operate, read")
SHOWN = {"name": "cli", "type": "ARTIFACT", "digest": DIGEST, "filename": "cli.tar", "contentCheck": "not checked"}


def test_r1_describe_with_a_job_s_token_shows_the_run_and_says_what_is_left_out(operate, stub) -> None:
    stub.replies = [detail(materials=[SHOWN], env={"GITHUB_ACTOR": "migmartri"}), REFUSED]

    result = operate("workflow", "run", "describe", RUN)

    assert result.status == 0
    assert result.err.startswith("WRN the attestation itself is left out: this needs a token with one of the roles")
    assert f"cli.tar@{DIGEST}" in result.out
    assert "GITHUB_ACTOR" in result.out


def test_r1_describe_as_json_with_a_job_s_token_has_no_attestation(operate, stub) -> None:
    stub.replies = [detail(), REFUSED, reply(revision())]

    result = operate("workflow", "run", "describe", RUN, "-o", "json")

    assert (result.status, result.json["attestation"]) == (0, None)


@pytest.mark.parametrize("words", [("-o", "statement"), ("-o", "attestation"), ("--verify", "--key", PUBLIC)])
def test_r1_what_needs_the_attestation_is_refused_where_it_may_not_be_read(operate, stub, words) -> None:
    stub.replies = [detail(), REFUSED]

    assert operate("workflow", "run", "describe", RUN, *words).status == 5


@pytest.mark.parametrize(
    "words", [(), ("--id", RUN, "--digest", DIGEST), ("--digest", "sha256:short"), (RUN, "--digest", DIGEST)]
)
def test_describe_needs_one_name_of_the_run(operate, stub, words: tuple[str, ...]) -> None:
    result = operate("workflow", "run", "describe", *words)

    assert (result.status, stub.seen) == (2, [])


@pytest.mark.parametrize("words", [("--id", "1"), ("1",), ("--id", "release")])
def test_what_is_no_id_is_not_asked_for(operate, stub, words: tuple[str, ...]) -> None:
    result = operate("workflow", "run", "describe", *words)

    assert (result.status, stub.seen) == (2, [])
    assert f"found {words[-1]!r}" in result.err
    assert "workflow run list" in result.err


@pytest.mark.parametrize("words", [("--digest",), ()])
def test_the_digits_that_sha256sum_prints_name_a_run(operate, stub, words: tuple[str, ...]) -> None:
    stub.replies = [page(run(attestationDigest=DIGEST)), detail(), RAW]

    result = operate("workflow", "run", "describe", *words, DIGEST.removeprefix("sha256:"))

    assert result.status == 0
    assert DIGEST in unquote(stub.seen[0].path)


def test_the_digits_that_sha256sum_prints_filter_runs(operate, stub) -> None:
    stub.replies = [page()]

    operate("workflow", "run", "list", "--digest", DIGEST.removeprefix("sha256:"))

    assert dict(parse_qsl(urlsplit(stub.seen[0].path).query))["digest"] == DIGEST


def test_an_id_in_capitals_is_the_same_id(operate, stub) -> None:
    stub.replies = [detail(), RAW]

    assert operate("workflow", "run", "describe", RUN.upper()).status == 0
    assert stub.seen[0].path == f"/api/v1/workflow-runs/{RUN}"


def test_a_key_that_is_a_folder_is_refused_with_what_is_taken(operate, stub) -> None:
    stub.replies = [detail(), RAW]

    result = operate("workflow", "run", "describe", RUN, "--verify", "--key", ".")

    assert result.status == 1
    assert "hint: --key takes the path of a PEM file" in result.err


def test_describe_as_json_is_a_superset_of_the_go_product_s_document(operate, stub, corpus: Path) -> None:
    stub.replies = [detail(), RAW, reply(revision())]

    ours = operate("workflow", "run", "describe", "--id", RUN, "-o", "json").json

    theirs = json.loads((corpus / "go-product" / "describe.json").read_text())
    assert missing(theirs, ours) == []
    assert (base64.b64decode(ours["attestation"]["bundle"]), ours["verified"]) == (BUNDLE, True)


def missing(theirs: Any, ours: Any, path: str = "") -> list[str]:
    """Return the keys of one document that the other lacks; of lists the first items are compared."""
    if isinstance(theirs, dict):
        own = ours if isinstance(ours, dict) else {}
        lacking = [f"{path}/{key}" for key in theirs if key not in own]
        return lacking + [
            lack for key in theirs if key in own for lack in missing(theirs[key], own[key], f"{path}/{key}")
        ]
    if isinstance(theirs, list) and theirs and ours:
        return missing(theirs[0], ours[0], f"{path}/0")
    return []


def test_the_statement_is_printed_for_people_and_the_rest_byte_for_byte(operate, stub) -> None:
    stub.replies = [detail(), RAW, detail(), RAW, detail(), RAW]

    statement = operate("workflow", "run", "describe", "--id", RUN, "--output", "statement").out
    attestation = operate("workflow", "run", "describe", "--id", RUN, "-o", "attestation").raw
    pae = operate("workflow", "run", "describe", "--id", RUN, "-o", "payload-pae").raw

    assert statement == json.dumps(STATEMENT, indent=3) + "\n"
    assert attestation == BUNDLE
    assert pae == encode_pae(PAYLOAD_TYPE, PAYLOAD)


@pytest.mark.parametrize("form", ["statement", "attestation", "payload-pae"])
def test_a_run_without_an_attestation_says_so(operate, stub, form: str) -> None:
    stub.replies = [detail(run=run(state="initialized"), verification=None)]

    result = operate("workflow", "run", "describe", "--id", RUN, "-o", form)

    assert result.status == 1
    assert "has no attestation, its state is initialized" in result.err
    assert result.raw == b""


def test_bytes_that_are_not_those_of_the_digest_are_not_shown(operate, stub) -> None:
    stub.replies = [detail(), Reply(200, BUNDLE + b" ", RAW.headers)]

    result = operate("workflow", "run", "describe", "--id", RUN, "-o", "attestation")

    assert (result.status, result.raw) == (1, b"")


def test_verify_checks_the_signature_here(operate, stub, tmp_path: Path) -> None:
    (tmp_path / "k.pub").write_text(PUBLIC)
    stub.replies = [detail(), RAW]

    result = operate("workflow", "run", "describe", "--id", RUN, "--verify", "--key", "k.pub")

    assert result.status == 0
    assert f"INF the signature is valid; what the statement says is its signer's word key={SIGNER.key_id}" in result.err


def test_verify_takes_the_key_from_the_environment(operate, stub) -> None:
    stub.replies = [detail(), RAW]

    result = operate("workflow", "run", "describe", RUN, "--verify", env={"CHAINLOOP_SIGNING_PUBLIC_KEY": PUBLIC})

    assert result.status == 0


@pytest.mark.parametrize(
    ("key", "status"), [(None, 9), (generate_key()[1], 8)], ids=["no key", "the key of somebody else"]
)
def test_what_is_not_proven_is_no_success(operate, stub, key: str | None, status: int) -> None:
    stub.replies = [detail(), RAW]

    result = operate("workflow", "run", "describe", RUN, "--verify", *(("--key", key) if key else ()))

    assert (result.status, result.out) == (status, "")


def test_an_unknown_run_is_an_error(operate, stub) -> None:
    stub.replies = [problem(404, "not-found", "there is no workflow run")]

    assert operate("workflow", "run", "describe", RUN).status == 1
