from __future__ import annotations

from chainloop_ci.cli.table import RULE, Table


def test_a_table_with_title_and_heads_has_the_form_of_the_transcript() -> None:
    table = Table([("commit", "STRING", "No")], title="Materials", header=("Name", "Type", "Set"))

    assert table.render().splitlines() == [
        "┌───────────────────────┐",
        "│ Materials             │",
        "├────────┬────────┬─────┤",
        "│ NAME   │ TYPE   │ SET │",
        "├────────┼────────┼─────┤",
        "│ commit │ STRING │ No  │",
        "└────────┴────────┴─────┘",
    ]


def test_a_rule_separates_rows() -> None:
    table = Table([("Initialized At", "28 Oct 22 21:02 UTC"), RULE, ("Name", "release")])

    assert table.render().splitlines() == [
        "┌────────────────┬─────────────────────┐",
        "│ Initialized At │ 28 Oct 22 21:02 UTC │",
        "├────────────────┼─────────────────────┤",
        "│ Name           │ release             │",
        "└────────────────┴─────────────────────┘",
    ]


def test_numbers_are_aligned_to_the_right() -> None:
    table = Table([("release", "14"), ("docs", "133")], header=("Name", "# Runs"), right=frozenset({1}))

    assert "│ release │     14 │" in table.render()


def test_a_long_title_widens_the_last_column() -> None:
    lines = Table([("a", "b")], title="Environment Variables").render().splitlines()

    assert len({len(line) for line in lines}) == 1


def test_wide_characters_take_two_places() -> None:
    lines = Table([("書籍",), ("book",)]).render().splitlines()

    assert lines[1] == "│ 書籍 │"
    assert lines[2] == "│ book │"


def test_a_table_without_rows_is_still_a_table() -> None:
    assert Table([], title="Materials", header=("Name",)).render().count("\n") == 5


def test_t46_a_cell_is_one_line() -> None:
    assert len(Table([("a\nb\x1b[2J",)]).render().splitlines()) == 3
