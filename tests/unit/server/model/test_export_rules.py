"""R44, R13's way: of every column somebody has decided whether an export hands it out."""

from __future__ import annotations

import pytest

from chainloop_ci.api.audit_export import KINDS, TABLES
from server.model.export_rules import WITHHELD_COLUMNS, WITHHELD_TABLES
from server.store import tables
from server.store.metadata import metadata

COLUMNS = {
    f"{table.name}.{column.name}"
    for table in metadata.tables.values()
    if table.name not in WITHHELD_TABLES
    for column in table.columns
    if column.name != "organization_id"
}
EXPORTED = {f"{name}.{column}" for name, table in TABLES.items() for column in table.columns}


def test_every_column_is_exported_or_withheld_for_a_reason() -> None:
    assert tables.metadata is metadata
    assert COLUMNS - EXPORTED - WITHHELD_COLUMNS.keys() == set()


def test_nothing_is_exported_or_withheld_that_is_not_there() -> None:
    assert (EXPORTED | WITHHELD_COLUMNS.keys()) - COLUMNS == set()
    assert WITHHELD_TABLES.keys() - metadata.tables.keys() == set()


def test_nothing_is_both_exported_and_withheld() -> None:
    assert EXPORTED & WITHHELD_COLUMNS.keys() == set()
    assert TABLES.keys() & WITHHELD_TABLES.keys() == set()


@pytest.mark.parametrize("word", ["secret", "sealed", "sha256", "handle_", "settings", "public_contract"])
def test_r44_no_column_that_holds_a_secret_is_exported(word: str) -> None:
    assert not [column for column in EXPORTED if word in column.partition(".")[2]]


def test_what_refers_comes_before_what_it_refers_to() -> None:
    order = {table.name: at for at, kind in enumerate(KINDS) for table in kind.tables}

    wrong = [
        (table.name, target)
        for table in TABLES.values()
        for target, _ in table.refers.values()
        if order[target] < order[table.name]
    ]

    assert wrong == []
