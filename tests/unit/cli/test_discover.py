from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.unit.cli.answers import DIGEST, RUN, problem, reply

COMMIT = "6417e226" * 5
IMAGE = "sha256:" + "c" * 64
OTHER = "sha256:" + "b" * 64


def node(digest: str, kind: str, **more: Any) -> dict[str, Any]:
    return {
        "digest": digest, "kind": kind, "downloadable": False, "createdAt": "2022-11-07T15:13:06Z", "metadata": {},
        "annotations": {}, **more,
    }  # fmt: skip


def link(attestation: str, target: str, kind: str, *names: str) -> dict[str, Any]:
    return {
        "attestation": {"digest": attestation, "kind": "ATTESTATION"}, "target": {"digest": target, "kind": kind},
        "project": "bedrock", "workflow": "release", "runId": RUN, "names": list(names),
    }  # fmt: skip


GRAPH = {
    "node": node(f"sha1:{COMMIT}", "GIT_HEAD_COMMIT"),
    "references": [node(DIGEST, "ATTESTATION"), node(OTHER, "ATTESTATION")],
    "depth": 2,
    "further": [{"depth": 2, "node": node(IMAGE, "CONTAINER_IMAGE", downloadable=True)}],
    "links": [
        link(DIGEST, f"sha1:{COMMIT}", "GIT_HEAD_COMMIT"),
        link(OTHER, f"sha1:{COMMIT}", "GIT_HEAD_COMMIT"),
        link(DIGEST, IMAGE, "CONTAINER_IMAGE", "image", "base"),
        link(OTHER, IMAGE, "CONTAINER_IMAGE", "app"),
    ],
    "unfinished": [],
}


def asked(stub) -> tuple[str, dict[str, str]]:
    parts = urlsplit(stub.seen[0].path)
    return parts.path.rpartition("/")[2], dict(parse_qsl(parts.query))


def test_a_graph_is_shown_as_a_tree_with_workflow_run_and_names(operate, stub) -> None:
    stub.replies = [reply(GRAPH)]

    result = operate("discover", "--commit", COMMIT, "--depth", "2")

    assert result.out.splitlines() == [
        f"GIT_HEAD_COMMIT sha1:{COMMIT}",
        f"├─ ATTESTATION {DIGEST}  bedrock/release, run {RUN}",
        f"│  └─ CONTAINER_IMAGE {IMAGE}  image, base",
        f"└─ ATTESTATION {OTHER}  bedrock/release, run {RUN}",
        f"   └─ CONTAINER_IMAGE {IMAGE}  app  (shown above)",
    ]


def test_on_a_narrow_terminal_digests_stand_on_lines_of_their_own(operate, stub) -> None:
    stub.replies = [reply(GRAPH)]

    lines = operate("discover", "--commit", COMMIT, typed="", env={"COLUMNS": "80"}).out.splitlines()

    assert max(map(len, lines)) <= 80
    assert lines[:5] == [
        f"GIT_HEAD_COMMIT sha1:{COMMIT}",
        f"├─ ATTESTATION  bedrock/release, run {RUN}",
        f"│  {DIGEST}",
        "│  └─ CONTAINER_IMAGE  image, base",
        f"│     {IMAGE}",
    ]


def test_an_edge_to_what_stands_further_below_is_shown_there(operate, stub) -> None:
    """Two attestations of one artifact, and an image that both have; the second is found through the image only."""
    other = node(OTHER, "ATTESTATION")
    graph = {
        "node": node(DIGEST, "ATTESTATION"),
        "references": [node(f"sha1:{COMMIT}", "GIT_HEAD_COMMIT"), node(IMAGE, "CONTAINER_IMAGE")],
        "depth": 2,
        "further": [{"depth": 2, "node": other}],
        "links": [
            link(DIGEST, f"sha1:{COMMIT}", "GIT_HEAD_COMMIT"),
            link(DIGEST, IMAGE, "CONTAINER_IMAGE", "image"),
            link(OTHER, f"sha1:{COMMIT}", "GIT_HEAD_COMMIT"),
            link(OTHER, IMAGE, "CONTAINER_IMAGE", "app"),
        ],
    }
    stub.replies = [reply(graph)]

    result = operate("discover", "--digest", DIGEST, "--depth", "2")

    assert result.out.splitlines() == [
        f"ATTESTATION {DIGEST}",
        f"├─ GIT_HEAD_COMMIT sha1:{COMMIT}",
        f"│  └─ ATTESTATION {OTHER}  bedrock/release, run {RUN}",
        f"└─ CONTAINER_IMAGE {IMAGE}  image",
        f"   └─ ATTESTATION {OTHER}  bedrock/release, run {RUN}, as app  (shown above)",
    ]


def test_an_attestation_under_a_material_says_what_its_run_calls_it(operate, stub) -> None:
    graph = {
        "node": node(IMAGE, "CONTAINER_IMAGE"),
        "references": [node(DIGEST, "ATTESTATION")],
        "links": [link(DIGEST, IMAGE, "CONTAINER_IMAGE", "image")],
    }
    stub.replies = [reply(graph)]

    result = operate("discover", "--digest", IMAGE)

    assert result.out.splitlines()[1] == f"└─ ATTESTATION {DIGEST}  bedrock/release, run {RUN}, as image"


def test_the_attestation_that_was_asked_for_names_its_workflow(operate, stub) -> None:
    own = node(DIGEST, "ATTESTATION", metadata={"name": "release", "project": "bedrock"})
    stub.replies = [reply({"node": own, "references": []})]

    assert operate("discover", "--digest", DIGEST).out == f"ATTESTATION {DIGEST}  bedrock/release\n"


def test_the_document_holds_the_keys_of_the_reference(operate, stub) -> None:
    stub.replies = [reply({**GRAPH, "nextCursor": "more"})]

    document = operate("discover", "--commit", COMMIT, "-o", "json").json

    assert list(document) == ["result", "pagination", "depth", "links", "unfinished"]
    assert list(document["result"]) == [
        "digest", "kind", "downloadable", "references", "createdAt", "metadata", "annotations",
    ]  # fmt: skip
    first, second = document["result"]["references"]
    assert ([child["digest"] for child in first["references"]], second["references"]) == ([IMAGE], [])
    assert document["pagination"] == {"nextCursor": "more"}
    assert document["links"] == GRAPH["links"]


@pytest.mark.parametrize(
    ("words", "path", "query"),
    [
        (("--commit", COMMIT.upper()), f"sha1:{COMMIT}", {"kind": "GIT_HEAD_COMMIT", "depth": "1"}),
        (("--commit", "ab" * 32), "sha256:" + "ab" * 32, {"kind": "GIT_HEAD_COMMIT", "depth": "1"}),
        (("-d", DIGEST.removeprefix("sha256:")), DIGEST, {"depth": "1"}),
        ((DIGEST,), DIGEST, {"depth": "1"}),
        (("-d", f"sha1:{COMMIT}"), f"sha1:{COMMIT}", {"depth": "1"}),
        (
            ("-d", DIGEST, "-k", "ARTIFACT", "--depth", "5", "--limit", "7", "--next", "c"),
            DIGEST,
            {"kind": "ARTIFACT", "depth": "5", "limit": "7", "cursor": "c"},
        ),
    ],
)
def test_what_is_typed_reaches_the_control_plane(operate, stub, words, path, query) -> None:
    stub.replies = [reply(GRAPH)]

    operate("discover", *words)

    assert asked(stub) == (path, query)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--digest or with --commit"),
        ((DIGEST, "--digest", DIGEST), "typed twice"),
        (("--digest", DIGEST, "--commit", COMMIT), "--digest or with --commit"),
        (("--digest", "sha256:short"), "sha256:<64 hexadecimal digits>"),
        (("--digest", DIGEST.upper()), "sha256:<64 hexadecimal digits>"),
        (("--commit", "6417e22"), "git rev-parse HEAD"),
        (("--commit", "g" * 40), "git rev-parse HEAD"),
        (("--digest", DIGEST, "--depth", "6"), "--depth: expected 1 to 5, found 6"),
        (("--digest", DIGEST, "--depth", "0"), "--depth: expected 1 to 5, found 0"),
    ],
)
def test_a_start_that_cannot_be_used_is_refused_before_anything_is_asked(operate, stub, words, said) -> None:
    result = operate("discover", *words)

    assert (result.status, stub.seen) == (2, [])
    assert said in result.err


def test_a_digest_of_several_kinds_ends_with_those_and_the_option(operate, stub) -> None:
    stub.replies = [
        problem(422, "request-invalid", f"{DIGEST} is known as several kinds: ARTIFACT, EVIDENCE", hint="add --kind")
    ]

    result = operate("discover", "--digest", DIGEST)

    assert result.status != 0
    assert "ARTIFACT, EVIDENCE" in result.err


def test_what_was_cut_is_named_with_the_options_that_show_it(operate, stub) -> None:
    stub.replies = [reply({**GRAPH, "nextCursor": "abc", "unfinished": [{"digest": IMAGE, "kind": "CONTAINER_IMAGE"}]})]

    result = operate("discover", "--commit", COMMIT, "--depth", "3")

    assert f"--digest {IMAGE} --kind CONTAINER_IMAGE" in result.err
    assert "--next abc" in result.err


def test_texts_of_others_do_nothing_to_a_terminal(operate, stub) -> None:
    stub.replies = [reply({**GRAPH, "links": [link(DIGEST, f"sha1:{COMMIT}", "GIT_HEAD_COMMIT", "\x1b[31mred")]})]

    assert "\x1b" not in operate("discover", "--commit", COMMIT).out
