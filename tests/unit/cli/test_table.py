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


def test_a_list_that_would_break_words_is_a_block_per_entry() -> None:
    run_id = "a6ec0229-7796-46fc-8df2-a03f4bddab47"
    rows = [(run_id, "release", "state=success runner=GENERIC " + "f" * 60), (run_id, "", "state=failed")]

    assert Table(rows, header=("ID", "Workflow", "Detail")).render(60).splitlines() == [
        f"ID        {run_id}",
        "Workflow  release",
        "Detail    state=success runner=GENERIC",
        "          " + "f" * 60,
        "",
        f"ID        {run_id}",
        "Detail    state=failed",
    ]


def test_a_list_that_fits_by_breaking_at_spaces_stays_a_table() -> None:
    lines = Table([("ci", "nothing of it is long")], header=("Name", "Reason")).render(22).splitlines()

    assert {len(line) for line in lines} == {22}


def test_on_a_narrow_terminal_cells_are_folded_and_nothing_is_lost() -> None:
    run_id, url = "a6ec0229-7796-46fc-8df2-a03f4bddab47", "https://github.com/chainloop-dev/bedrock/actions/runs/3411"
    table = Table([(run_id, "release", "07 Nov 22 15:03 UTC", url)])

    lines = table.render(60).splitlines()

    columns = list(zip(*(line.strip("│").split("│") for line in lines[1:-1]), strict=True))
    assert {len(line) for line in lines} == {60}
    assert ["".join(cell.strip() for cell in column) for column in (columns[0], columns[3])] == [run_id, url]
    assert " ".join(cell.strip() for cell in columns[2] if cell.strip()) == "07 Nov 22 15:03 UTC"
    assert columns[1][0] == " release "


def test_rows_of_folded_first_cells_are_separated() -> None:
    lines = Table([("a" * 10, "b"), ("c" * 10, "d")]).render(14).splitlines()

    assert lines[1:] == [
        "│ aaaaaa │ b │",
        "│ aaaa   │   │",
        "├────────┼───┤",
        "│ cccccc │ d │",
        "│ cccc   │   │",
        "└────────┴───┘",
    ]


def test_a_table_that_fits_is_not_changed() -> None:
    table = Table([("commit", "STRING")], title="Materials", header=("Name", "Type"))

    assert table.render(80) == table.render()


def test_a_title_is_folded_too() -> None:
    lines = Table([("a", "b")], title="Verification by the control plane").render(20).splitlines()

    assert lines[1:3] == ["│ Verification by  │", "│ the control      │"]
    assert {len(line) for line in lines} == {20}
