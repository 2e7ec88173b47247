from __future__ import annotations

from pathlib import Path

from chainloop_ci.api.access import OrganizationSettings
from chainloop_ci.api.record import schema
from server.cas.registry import BACK_ENDS, find_back_end, open_back_ends
from server.model.organizations import StoredOrganization


def test_every_back_end_has_one_entry() -> None:
    names = [entry.name for entry in BACK_ENDS]

    assert len(set(names)) == len(names)


def test_what_an_organization_may_choose_is_what_there_is() -> None:
    choices = schema(OrganizationSettings)["properties"]["casBackend"]["enum"]

    assert sorted(choices) == sorted(entry.name for entry in BACK_ENDS)


def test_a_new_organization_gets_the_first_back_end() -> None:
    default = StoredOrganization.__dataclass_fields__["cas_backend"].default

    assert default == BACK_ENDS[0].name


def test_only_back_ends_with_a_store_are_opened(tmp_path: Path) -> None:
    opened = open_back_ends(tmp_path)

    assert list(opened) == ["filesystem"]


def test_an_unknown_back_end_is_not_found() -> None:
    assert find_back_end("tape") is None
    assert find_back_end("inline") is not None
