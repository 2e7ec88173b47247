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
    lines = Table([("Name", "two words and more of them"), ("Detail", "some")]).render(24).splitlines()

    assert {len(line) for line in lines} == {24}
    assert " ".join(line.split("│")[2].strip() for line in lines[1:-2]) == "two words and more of them"


def test_an_id_sticks_out_of_a_record_rather_than_being_broken() -> None:
    run_id = "a6ec0229-7796-46fc-8df2-a03f4bddab47"

    assert Table([("ID", run_id), ("Name", "a release of ours")]).render(24).splitlines() == [
        "┌──────┬───────────────┐",
        f"│ ID   │ {run_id} │",
        "│ Name │ a release of  │",
        "│      │ ours          │",
        "└──────┴───────────────┘",
    ]


def test_a_titled_list_without_room_for_its_words_is_a_block_per_entry() -> None:
    digest = "sha256:" + "a" * 64
    table = Table([("binary", f"app.bin@{digest}", "checked")], title="Materials", header=("Name", "Value", "Content"))

    assert table.render(60).splitlines() == [
        "┌───────────┐",
        "│ Materials │",
        "└───────────┘",
        "Name     binary",
        f"Value    app.bin@{digest}",
        "Content  checked",
    ]


def test_a_word_sticks_out_of_the_last_column_of_a_titled_list() -> None:
    digest = "sha256:" + "a" * 64
    table = Table([("key", f"the key {digest} confirms it")], title="Verification", header=("What", "Why"))

    lines = table.render(60).splitlines()

    assert lines[0] == "┌" + "─" * 58 + "┐"
    assert f"│      │ {digest} │" in lines


def test_a_command_to_type_stays_on_one_line() -> None:
    command = "chainloop attestation add --name version --value <text>"
    rows = [("the material version (STRING) is required and was not added", command)]
    table = Table(rows, title="Missing", header=("What", "What to type"), whole=frozenset({1}))

    assert {len(line) for line in table.render(80).splitlines()} == {80}
    assert command in table.render(80)
    assert f"What to type  {command}" in table.render(60)


def test_rows_of_folded_first_cells_are_separated() -> None:
    lines = Table([("one two", "b"), ("six ten", "d")]).render(11).splitlines()

    assert lines[1:] == [
        "│ one │ b │",
        "│ two │   │",
        "├─────┼───┤",
        "│ six │ d │",
        "│ ten │   │",
        "└─────┴───┘",
    ]


def test_a_table_that_fits_is_not_changed() -> None:
    table = Table([("commit", "STRING")], title="Materials", header=("Name", "Type"))

    assert table.render(80) == table.render()


def test_a_title_is_folded_too() -> None:
    lines = Table([("a", "b")], title="Verification by the control plane").render(20).splitlines()

    assert lines[1:3] == ["│ Verification by  │", "│ the control      │"]
    assert {len(line) for line in lines} == {20}
