"""Records behave as frozen slotted dataclasses do."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace

import pytest

from chainloop_ci.records import record


@record
class Place:
    """A place."""

    name: str
    size: int = 0
    tags: dict[str, str] = field(default_factory=dict)
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Plain:
    """The same without `record`."""

    name: str
    size: int = 0
    tags: dict[str, str] = field(default_factory=dict)
    secret: str = field(default="", repr=False)


def test_values_are_given_by_place_or_by_name() -> None:
    place = Place("here", tags={"a": "b"})

    assert (place.name, place.size, place.tags) == ("here", 0, {"a": "b"})


def test_each_record_has_its_own_default_of_a_factory() -> None:
    assert Place("here").tags is not Place("here").tags


@pytest.mark.parametrize("kind", [Place, Plain])
@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((), {}),
        (("here", 1, {}, "", "more"), {}),
        (("here",), {"name": "there"}),
        (("here",), {"colour": "red"}),
    ],
    ids=["a missing value", "one value too many", "one value twice", "an unknown name"],
)
def test_a_wrong_call_is_refused_as_by_a_dataclass(
    kind: type, values: tuple[object, ...], named: dict[str, str]
) -> None:
    with pytest.raises(TypeError):
        kind(*values, **named)


def test_fields_cannot_be_assigned_or_deleted() -> None:
    place = Place("here")

    with pytest.raises(FrozenInstanceError):
        place.name = "there"
    with pytest.raises(FrozenInstanceError):
        del place.name


def test_there_is_no_room_for_other_attributes() -> None:
    assert not hasattr(Place("here"), "__dict__")


def test_replace_returns_a_changed_copy() -> None:
    assert replace(Place("here", 1), size=2) == Place("here", 2)


def test_equal_values_make_equal_records_of_one_class_only() -> None:
    assert Place("here") == Place("here")
    assert Place("here") != Place("there")
    assert Place("here") != Plain("here")


def test_records_of_hashable_values_can_be_keys() -> None:
    @record
    class Point:
        x: int
        y: int

    assert len({Point(1, 2), Point(1, 2), Point(2, 1)}) == 2


def test_repr_is_that_of_a_dataclass() -> None:
    place = Place("here", 1, {"a": "b"}, "hidden")

    assert repr(place) == "Place(name='here', size=1, tags={'a': 'b'})"


def test_a_method_of_the_class_itself_stays() -> None:
    @record
    class Shown:
        name: str

        def __repr__(self) -> str:
            return self.name

    assert repr(Shown("me")) == "me"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda place: pickle.loads(pickle.dumps(place))])
def test_a_copy_is_equal(again) -> None:
    place = Place("here", 1, {"a": "b"})

    assert again(place) == place


def test_match_and_fields_know_the_fields() -> None:
    match Place("here", 7):
        case Place(name, size):
            assert (name, size) == ("here", 7)
    assert [item.name for item in fields(Place)] == ["name", "size", "tags", "secret"]
