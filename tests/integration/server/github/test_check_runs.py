"""Check runs of an App: every row of table 3.3, one check run for each context, whatever happens in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from server.model.deliveries import OutcomeKind
from server.model.verdict_content import Annotation
from server.model.verdict_kinds import SURFACES, VerdictKind
from tests.integration.server.github.conftest import CONTEXT, URL, Scene

LINE = Annotation(".github/workflows/build.yml", 3, "add an SBOM")


def ends(scene: Scene) -> list[tuple[str, str | None]]:
    return [(run.status, run.conclusion) for run in scene.check_runs()]


@pytest.mark.parametrize("kind", VerdictKind)
def test_each_kind_of_verdict_has_its_check_run(by_app: Scene, kind: VerdictKind) -> None:
    outcome = by_app.tell(by_app.content(kind, summary="# What is missing"))

    assert outcome.kind is OutcomeKind.DELIVERED
    surfaces = SURFACES[kind]
    assert ends(by_app) == [
        (surfaces.check_status.value, surfaces.check_conclusion and surfaces.check_conclusion.value)
    ]
    (run,) = by_app.check_runs()
    assert (run.app, run.sha, run.details_url) == (by_app.app, by_app.sha, URL)
    assert run.external_id == f"{CONTEXT}@{by_app.sha}"
    assert run.output["summary"] == "# What is missing"
    assert by_app.forge.statuses(by_app.sha) == []


def test_the_title_of_an_error_says_whose_it_is(by_app: Scene) -> None:
    by_app.tell(by_app.content(VerdictKind.CRAFTING_ERROR, description="store-full"))
    assert by_app.check_runs()[0].output["title"] == "infrastructure: store-full"

    by_app.tell(by_app.content(VerdictKind.EXPIRED, description="no push within 6 h"))
    assert by_app.check_runs()[0].output["title"] == "no push within 6 h"


def test_a_check_run_is_made_once_and_changed_in_place(by_app: Scene) -> None:
    for kind in (VerdictKind.EXPECTED, VerdictKind.INITIALIZED, VerdictKind.SUCCESS, VerdictKind.DISTRUSTED):
        by_app.tell(by_app.content(kind))

    assert ends(by_app) == [("completed", "failure")]
    assert [line.partition(" ")[0] for line in by_app.requests()[1:]] == ["GET", "POST", "PATCH", "PATCH", "PATCH"]


def test_a_creation_whose_answer_was_lost_is_found_again(by_app: Scene) -> None:
    faults = by_app.forge.faults
    faults.lost_answer, faults.count, faults.only = 1, 1, "^POST .*check-runs"
    content = by_app.content(VerdictKind.INITIALIZED)

    kinds = [by_app.tell(content, attempt=attempt).kind for attempt in (1, 2)]

    assert kinds == [OutcomeKind.RETRY, OutcomeKind.DELIVERED]
    assert ends(by_app) == [("in_progress", None)]


def test_what_is_not_remembered_is_looked_for_beyond_the_first_page(by_app: Scene) -> None:
    by_app.tell(by_app.content(VerdictKind.INITIALIZED))
    (ours,) = by_app.check_runs()
    other = by_app.forge.app("other", b"", {})
    for _ in range(120):
        by_app.forge.set_check_run(by_app.repository, other, by_app.sha, CONTEXT, "success")
    by_app.memories.clear()

    by_app.tell(by_app.content(VerdictKind.SUCCESS))

    assert [run.id for run in by_app.check_runs() if run.app is by_app.app] == [ours.id]
    assert (ours.status, ours.conclusion) == ("completed", "success")


def test_what_is_to_be_waited_for_again_is_a_new_check_run(by_app: Scene) -> None:
    """A completed check run takes no other state; the newest of a name and App is the one that counts."""
    for kind in (VerdictKind.SUCCESS, VerdictKind.PARTIAL, VerdictKind.SUCCESS):
        by_app.tell(by_app.content(kind))

    assert ends(by_app) == [("completed", "success"), ("completed", "success")]


def test_a_check_run_that_github_took_away_is_made_again(by_app: Scene) -> None:
    by_app.tell(by_app.content(VerdictKind.INITIALIZED))
    by_app.repository.check_runs.clear()

    by_app.tell(by_app.content(VerdictKind.SUCCESS))

    assert ends(by_app) == [("completed", "success")]


def test_annotations_go_in_pages_and_none_goes_twice(by_app: Scene) -> None:
    lines = tuple(replace(LINE, line=number) for number in range(1, 121))
    by_app.tell(by_app.content(VerdictKind.NOT_MET, annotations=lines))
    by_app.tell(by_app.content(VerdictKind.NOT_MET, annotations=(*lines[:3], replace(LINE, line=500))))
    by_app.memories.clear()
    by_app.tell(by_app.content(VerdictKind.SUCCESS, annotations=lines))

    (run,) = by_app.check_runs()
    assert [item["start_line"] for item in run.annotations] == [*range(1, 121), 500]
    assert {item["annotation_level"] for item in run.annotations} == {"failure"}


def test_a_long_summary_is_cut_at_a_line(by_app: Scene) -> None:
    by_app.tell(by_app.content(VerdictKind.NOT_MET, summary="- missing: é\n" * 9000))

    summary = by_app.check_runs()[0].output["summary"]
    assert len(summary.encode()) <= 65_535
    assert summary.endswith("é\n\n… The page of the run has the rest.")


def test_a_token_of_the_installation_is_kept_for_its_hour(by_app: Scene) -> None:
    asked = "POST /app/installations"
    for kind in (VerdictKind.INITIALIZED, VerdictKind.SUCCESS):
        by_app.tell(by_app.content(kind))
    assert sum(line.startswith(asked) for line in by_app.requests()) == 1

    by_app.clock.moment += timedelta(minutes=56)
    by_app.tell(by_app.content(VerdictKind.BLOCKED))

    assert sum(line.startswith(asked) for line in by_app.requests()) == 2


def test_a_token_that_is_not_taken_any_more_is_replaced_in_the_same_try(by_app: Scene) -> None:
    by_app.tell(by_app.content(VerdictKind.INITIALIZED))
    for secret in list(by_app.forge.tokens):
        by_app.forge.revoke(secret)

    assert by_app.tell(by_app.content(VerdictKind.SUCCESS)).kind is OutcomeKind.DELIVERED
    assert ends(by_app) == [("completed", "success")]


def test_an_installation_that_is_gone_stops_the_registration(by_app: Scene) -> None:
    (installed,) = by_app.forge.installations.values()
    by_app.forge.suspend(installed)
    suspended = by_app.tell(by_app.content(VerdictKind.SUCCESS))
    by_app.forge.uninstall(installed)
    gone = by_app.tell(by_app.content(VerdictKind.SUCCESS))

    assert [(each.kind, each.code) for each in (suspended, gone)] == [
        (OutcomeKind.UNAUTHORIZED, "installation-403"),
        (OutcomeKind.UNAUTHORIZED, "installation-404"),
    ]
    assert "suspended" in suspended.detail


def test_a_key_that_is_none_stops_the_registration(by_app: Scene) -> None:
    by_app.target = replace(by_app.target, credentials={"app-private-key": "no key"})

    outcome = by_app.tell(by_app.content(VerdictKind.SUCCESS))

    assert (outcome.kind, outcome.code) == (OutcomeKind.UNAUTHORIZED, "app-key-unreadable")
    assert by_app.forge.log == []


def test_r40_a_surface_that_was_left_says_the_same_on_that_commit(by_app: Scene) -> None:
    """R40: a status and a check run of one name must both pass, so that the older one is not left pending."""
    by_app.settings["surface"] = "status"
    by_app.tell(by_app.content(VerdictKind.INITIALIZED))
    by_app.settings["surface"] = "check"

    by_app.tell(by_app.content(VerdictKind.NOT_MET))
    by_app.tell(by_app.content(VerdictKind.SUCCESS))

    assert ends(by_app) == [("completed", "success")]
    assert [status.state for status in by_app.forge.statuses(by_app.sha)] == ["pending", "failure", "success"]


def test_r40_a_commit_that_knows_only_one_surface_gets_no_other(by_app: Scene) -> None:
    by_app.tell(by_app.content(VerdictKind.SUCCESS))

    assert by_app.forge.statuses(by_app.sha) == []


def test_a_permission_for_the_surface_that_was_left_is_not_needed(by_app: Scene) -> None:
    by_app.settings["surface"] = "status"
    by_app.tell(by_app.content(VerdictKind.INITIALIZED))
    by_app.settings["surface"] = "check"
    for token in by_app.forge.tokens.values():
        token.permissions = {**token.permissions, "statuses": "read"}

    assert by_app.tell(by_app.content(VerdictKind.SUCCESS)).kind is OutcomeKind.DELIVERED
    assert ends(by_app) == [("completed", "success")]


def test_an_older_name_has_a_check_run_of_its_own(by_app: Scene) -> None:
    by_app.tell(by_app.content(VerdictKind.SUCCESS, prior_contexts=("chainloop/app/old",)))

    assert [run.conclusion for run in by_app.check_runs("chainloop/app/old")] == ["success"]
