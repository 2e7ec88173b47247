"""STRING, ARTIFACT, CONTAINER_IMAGE and EVIDENCE."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.materials.kinds.artifact import ARTIFACT
from chainloop_ci.materials.kinds.container_image import CONTAINER_IMAGE
from chainloop_ci.materials.kinds.evidence import EVIDENCE
from chainloop_ci.materials.kinds.string import STRING
from chainloop_ci.materials.types import MaterialSource


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        (STRING, MaterialSource.LITERAL),
        (ARTIFACT, MaterialSource.FILE),
        (EVIDENCE, MaterialSource.FILE),
        (CONTAINER_IMAGE, MaterialSource.IMAGE),
    ],
    ids=["string", "artifact", "evidence", "image"],
)
def test_the_content_of_these_is_never_read_whole(kind, source):
    assert (kind.source, kind.check) == (source, None)


def describe(document: object) -> dict[str, str]:
    assert EVIDENCE.describe_small is not None
    return dict(EVIDENCE.describe_small(json.dumps(document).encode()))


@pytest.mark.parametrize("key", ["id", "chainloop.material.evidence.id"])
def test_evidence_with_id_and_data_says_what_it_is(key):
    assert describe({key: "review-1", "schema": "https://example.com/s", "data": {}}) == {
        "chainloop.material.evidence.id": "review-1",
        "chainloop.material.evidence.schema": "https://example.com/s",
    }


def test_an_empty_schema_of_evidence_is_left_out():
    assert describe({"id": "review-1", "schema": "", "data": 1}) == {"chainloop.material.evidence.id": "review-1"}


@pytest.mark.parametrize(
    "document", [{}, [], "x", {"id": "a"}, {"data": {}}, {"id": 1, "data": {}}, {"id": "a", "data": None}]
)
def test_other_evidence_says_nothing(document):
    assert describe(document) == {}


@given(st.binary(max_size=100))
def test_any_file_is_evidence(raw):
    assert EVIDENCE.describe_small is not None
    assert EVIDENCE.describe_small(raw) == {} or b"data" in raw


def test_evidence_is_never_inferred():
    assert not EVIDENCE.inferable
