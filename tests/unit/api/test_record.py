"""Wire records: types in, JSON Schema, checks and documents out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import pytest

from chainloop_ci.api.record import about, from_dict, nested, parse_request, schema, to_dict
from chainloop_ci.api.runs import Artifact
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import RequestInvalidError


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel."""

    size_bytes: int


@dataclass(frozen=True, slots=True)
class Cart:
    """A cart with wheels."""

    name: Annotated[str, about("Its name.", pattern="^[a-z]+$", maxLength=8)]
    colour: Colour
    digest: Digest
    wheels: tuple[Wheel, ...] = ()
    made_at: datetime | None = None
    labels: dict[str, str] = field(default_factory=dict)


DIGEST = sha256_digest(b"cart")
CART = {"name": "cart", "colour": "red", "digest": DIGEST, "wheels": [{"sizeBytes": 3}], "labels": {"a": "b"}}


def test_a_request_becomes_its_record_and_back() -> None:
    cart = parse_request(Cart, CART)

    assert cart == Cart("cart", Colour.RED, DIGEST, (Wheel(3),), None, {"a": "b"})
    assert to_dict(cart) == CART


def test_the_schema_carries_descriptions_limits_and_what_is_required() -> None:
    document = schema(Cart, closed=True)

    assert document["properties"]["name"] == {
        "type": "string",
        "maxLength": 8,
        "description": "Its name.",
        "pattern": "^[a-z]+$",
    }
    assert document["required"] == ["name", "colour", "digest"]
    assert document["additionalProperties"] is False
    assert document["properties"]["wheels"]["items"] == {"$ref": "#/components/schemas/Wheel"}


def test_nested_records_are_found() -> None:
    assert nested(Cart) == (Cart, Wheel)


def test_every_violation_is_reported_at_once_with_its_pointer() -> None:
    broken = {"name": "Cart", "colour": "green", "digest": "sha256:1", "wheels": [{"sizeBytes": -1}], "extra": 1}

    with pytest.raises(RequestInvalidError) as refusal:
        parse_request(Cart, broken)

    assert {finding.path for finding in refusal.value.findings} == {
        "/extra", "/name", "/colour", "/digest", "/wheels/0/sizeBytes",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["cart\n", "cart\r", "", "cart "])
def test_a_pattern_covers_the_whole_text(name: str) -> None:
    with pytest.raises(RequestInvalidError):
        parse_request(Cart, {**CART, "name": name})


@pytest.mark.parametrize("time", ["", "yesterday", "2026-01-31", "2026-01-31T12:00:00", "2026-13-01T00:00:00Z"])
def test_a_text_that_is_no_time_is_refused_at_its_place(time: str) -> None:
    with pytest.raises(RequestInvalidError) as refusal:
        parse_request(Cart, {**CART, "madeAt": time})

    assert [finding.path for finding in refusal.value.findings] == ["/madeAt"]


def test_a_time_of_any_zone_is_read_as_utc() -> None:
    cart = parse_request(Cart, {**CART, "madeAt": "2026-01-31T13:00:00+01:00"})

    assert cart.made_at == datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize("document", [None, [], "cart", 3])
def test_a_body_that_is_no_object_is_refused(document: object) -> None:
    with pytest.raises(RequestInvalidError):
        parse_request(Cart, document)


def test_an_answer_with_unknown_fields_is_read() -> None:
    assert from_dict(Wheel, {"sizeBytes": 3, "new": True}) == Wheel(3)


def test_an_answer_without_a_required_field_names_it() -> None:
    with pytest.raises(ValueError, match="Wheel: field sizeBytes is missing"):
        from_dict(Wheel, {})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("digest", 7),
        ("digest", "sha256:0"),
        ("filename", 7),
        ("sizeBytes", "x"),
        ("sizeBytes", True),
        ("sizeBytes", 1.5),
        ("createdAt", 7),
    ],
)
def test_a_field_of_another_kind_is_refused_by_name(field: str, value: object) -> None:
    document = {"digest": "sha256:" + "0" * 64, "filename": "a", "sizeBytes": 1, "createdAt": "2026-01-01T00:00:00Z"}

    with pytest.raises(ValueError, match=rf"Artifact\.{field}: "):
        from_dict(Artifact, {**document, field: value})
