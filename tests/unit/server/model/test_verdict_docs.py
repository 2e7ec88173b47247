from __future__ import annotations

from pathlib import Path

from server.model.verdict_facts import MAX_CI_WAIT
from server.model.verdict_kinds import COMPLIANT, SURFACES

PAGE = (Path(__file__).parents[4] / "docs" / "verdicts.md").read_text(encoding="utf-8")


def test_the_table_of_verdicts_in_the_docs_is_the_one_in_the_code() -> None:
    rows = [
        f"| `{kind}` | {row.github} | {row.check_conclusion or row.check_status} | {row.gitlab} | {row.gitlab_check} |"
        for kind, row in SURFACES.items()
    ]

    assert "\n".join(rows) in PAGE


def test_the_docs_name_the_kinds_that_mean_compliance() -> None:
    sentence = next(line for line in PAGE.splitlines() if line.startswith("Only `"))

    assert set(sentence.split("`")[1::2]) == COMPLIANT


def test_the_docs_say_how_long_a_ci_run_is_waited_for() -> None:
    assert MAX_CI_WAIT.total_seconds() == 6 * 3600
    assert "waited for six hours at most" in PAGE
