from __future__ import annotations

import pytest

from server.integrations.gitlab.ci_words import whole_of


@pytest.mark.parametrize(
    ("words", "whole"),
    [
        (["success", "success"], "success"),
        (["success", "failed", "canceled"], "failed"),
        (["success", "canceled", "skipped"], "canceled"),
        (["success", "skipped"], "success"),
        (["skipped"], "skipped"),
        (["success", "failed?", "manual?"], "success"),
        (["manual?"], "success"),
        (["success", "manual"], None),
        (["success", "running?"], None),
        (["success", "created"], None),
        (["failed", "canceling"], None),
    ],
)
def test_a_pipeline_is_what_its_jobs_are_and_has_ended_when_all_have_that_must(
    words: list[str], whole: str | None
) -> None:
    statuses = [{"status": word.rstrip("?"), "allow_failure": word.endswith("?")} for word in words]

    assert whole_of(statuses) == whole
