"""Pieces of large documents."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.materials.json_slices import MAX_VALUES, Slice, is_small, slices

LONG = [{"n": number} for number in range(25_000)]


def count(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(count, inner))


def test_a_document_is_small_up_to_a_number_of_values():
    assert is_small([0] * MAX_VALUES)
    assert not is_small([0] * (MAX_VALUES + 1))
    assert not is_small([[0] * (MAX_VALUES // 2)] * 3)


def test_the_pieces_cover_every_item_of_a_long_array():
    _, *pieces = slices({"a": {"list": LONG}})

    assert [item for piece in pieces for item in piece.document["a"]["list"]] == LONG
    assert [piece.start for piece in pieces[:2]] == [0, len(pieces[0].document["a"]["list"])]


def test_no_piece_is_large():
    document = {"list": LONG, "other": LONG, "deep": [[LONG]], "members": {str(n): {"x": [n]} for n in range(50_000)}}

    assert max(count(piece.document) for piece in slices(document)) < 3 * MAX_VALUES


def test_a_place_in_a_piece_is_found_in_the_document():
    piece = Slice({}, way=("runs", 3, "results"), start=500)

    assert piece.locate(("runs", 0, "results", 7, "ruleId")) == ("runs", 3, "results", 507, "ruleId")


def test_what_lies_beside_the_items_of_a_piece_has_no_place():
    piece = Slice({}, way=("components",), start=500)

    assert [piece.locate(path) for path in ((), ("components",), ("version",), ("other", 1))] == [None] * 4


def test_the_beginning_has_the_places_of_the_document():
    assert next(slices({"a": LONG})).locate(("a", 1)) == ("a", 1)


@given(
    st.recursive(
        st.none() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=80) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
        max_leaves=200,
    )
)
def test_slicing_changes_nothing_in_the_document(document):
    before = json.dumps(document)

    pieces = list(slices(document))

    assert json.dumps(document) == before
    assert pieces[0].document == document
