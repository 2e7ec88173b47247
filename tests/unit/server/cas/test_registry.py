from __future__ import annotations

from pathlib import Path

from chainloop_ci.api.access import OrganizationSettings
from chainloop_ci.api.record import schema
from chainloop_ci.api.words import CasBackend
from server.cas.registry import BACK_ENDS, open_back_ends
from server.model.organizations import StoredOrganization


def test_every_back_end_has_one_entry() -> None:
    assert sorted(entry.name for entry in BACK_ENDS) == sorted(CasBackend)


def test_what_an_organization_may_choose_is_what_there_is() -> None:
    choices = schema(OrganizationSettings)["properties"]["casBackend"]["enum"]

    assert sorted(choices) == sorted(entry.name for entry in BACK_ENDS)


def test_a_new_organization_gets_the_first_back_end() -> None:
    default = StoredOrganization.__dataclass_fields__["cas_backend"].default

    assert default == BACK_ENDS[0].name


def test_only_back_ends_with_a_store_are_opened(tmp_path: Path) -> None:
    opened = open_back_ends(tmp_path)

    assert list(opened) == [CasBackend.FILESYSTEM]
