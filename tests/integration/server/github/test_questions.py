"""What GitHub is asked because of an event, and what is answered (R30, R31, R34)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from chainloop_ci.api.record import from_dict
from examples.forge.github.world import WorkflowRun
from server.integrations.github.heads import MAX_FILES
from server.integrations.questions import UNKNOWN_AFTER
from server.model.deliveries import Outcome, OutcomeKind
from server.model.forge_answers import CiRunAnswer, FileAnswer, FileState, HeadAnswer
from tests.integration.server.github.conftest import Scene

PATH = ".github/workflows/build.yml"
NARROW, WIDE = "on: {push: {paths: [docs/**]}}\n", "on: [push, pull_request]\n"


def ask_run(scene: Scene, run_id: object, attempt: int | None = 1, **options: Any) -> Outcome:
    content = {
        "runId": "r",
        "host": scene.target.host,
        "repository": "Octo-Org/App",
        "ciRunId": str(run_id),
        "attempt": attempt,
        **options.pop("claimed", {}),
    }
    return scene.deliver("ci-run", "ci-run:r", content, **options)


def run_answer(outcome: Outcome) -> CiRunAnswer:
    assert outcome.answer is not None, outcome
    return from_dict(CiRunAnswer, outcome.answer)


def ask_head(scene: Scene, sha: str, files: tuple[str, ...] = (PATH,), at: Any = None, **facts: Any) -> Outcome:
    place = scene.place
    told: Mapping[str, Any] = {
        "sourceId": "s",
        "repository": {"kind": "github", "host": place.host, "id": place.id, "name": place.name},
        "sha": sha,
        "ciFiles": list(files),
        **facts,
    }
    return scene.deliver("head", "head:s", told, at=at)


def head_answer(outcome: Outcome) -> HeadAnswer:
    assert outcome.answer is not None, outcome
    return from_dict(HeadAnswer, outcome.answer)


def started(scene: Scene, **options: Any) -> WorkflowRun:
    return scene.forge.start_run(scene.repository, PATH, scene.sha, **options)


def test_a_ci_run_is_read_with_its_jobs(by_token: Scene) -> None:
    run = started(by_token, jobs=("build (linux)", "build (mac)"))
    by_token.forge.finish_job(run, "build (linux)", "failure")

    answer = run_answer(ask_run(by_token, run.id))

    assert (answer.ci_run_id, answer.attempt, answer.path) == (str(run.id), 1, PATH)
    assert (answer.head_sha, answer.head_branch, answer.event) == (by_token.sha, "main", "push")
    assert answer.repository_id == answer.head_repository_id == by_token.place.id
    assert (answer.status, answer.conclusion, answer.ended_at) == ("running", None, None)
    assert {job.name: (job.status, job.conclusion) for job in answer.jobs} == {
        "build (linux)": ("ended", "failure"),
        "build (mac)": ("running", None),
    }


def test_an_attempt_ends_with_its_last_job(by_token: Scene) -> None:
    run = started(by_token)
    by_token.forge.finish_run(run, "cancelled")
    run.last.updated_at = run.at + timedelta(days=3)

    answer = run_answer(ask_run(by_token, run.id))

    assert (answer.status, answer.conclusion) == ("ended", "canceled")
    assert answer.started_at is not None
    assert answer.ended_at is not None
    assert answer.started_at <= answer.ended_at < answer.started_at + timedelta(hours=1)


def test_an_older_attempt_is_asked_for_by_its_number(by_token: Scene) -> None:
    run = started(by_token)
    by_token.forge.finish_run(run, "failure")
    by_token.forge.rerun(run)

    first, second = run_answer(ask_run(by_token, run.id, 1)), run_answer(ask_run(by_token, run.id, 2))

    assert (first.attempt, first.conclusion, second.attempt, second.status) == (1, "failure", 2, "running")
    assert {job.id for job in first.jobs}.isdisjoint(job.id for job in second.jobs)


def test_r31_a_run_of_a_pull_request_names_its_head(by_token: Scene) -> None:
    """R31: the answer has the pull request's head, not the test merge commit that the job ran on."""
    by_token.forge.push(by_token.repository, "feature", {"a": "1"})
    pull = by_token.forge.open_pull_request(by_token.repository, "feature")
    run = by_token.forge.start_run(by_token.repository, PATH, pull.head_sha, "pull_request", "feature", pulls=[pull])

    answer = run_answer(ask_run(by_token, run.id))

    assert (answer.head_sha, answer.pull_requests) == (pull.head_sha, (pull.number,))


def test_a_forks_head_is_told_from_our_own(by_token: Scene) -> None:
    fork = by_token.forge.repository("mallory/app", fork_of=by_token.repository)
    sha = by_token.forge.push(fork, "feature", {"a": "1"})
    run = by_token.forge.start_run(by_token.repository, PATH, sha, "pull_request", "feature", head_repository=fork)

    assert run_answer(ask_run(by_token, run.id)).head_repository_id == str(fork.id)


def test_r30_a_run_that_github_does_not_know_is_asked_for_again_and_then_it_is_none(by_token: Scene) -> None:
    """R30: attempt 999999 is no attempt; until the forge knows one the run stays claimed."""
    run, seen_at = started(by_token), by_token.clock()

    first = ask_run(by_token, run.id, 999_999, at=seen_at)
    by_token.clock.moment += UNKNOWN_AFTER
    last = ask_run(by_token, run.id, 999_999, at=seen_at)

    assert (first.kind, first.answer) == (OutcomeKind.RETRY, None)
    assert last.kind is OutcomeKind.SKIPPED
    assert run_answer(last).unknown


def test_r30_a_claim_of_another_repository_asks_nobody(by_token: Scene) -> None:
    """R30, R44: what is claimed leads to no request unless an administrator listed the repository."""
    by_token.forge.repository("octo-org/other")
    claims: list[dict[str, str]] = [
        {"repository": "octo-org/other"},
        {"host": "https://attacker.test"},
        {"ciRunId": "../../../user"},
    ]

    kinds = [ask_run(by_token, 1, claimed=claim).kind for claim in claims]

    assert kinds == [OutcomeKind.SKIPPED] * 3
    assert by_token.forge.log == []


def test_a_pull_request_says_what_it_changes_and_both_sides_of_its_ci_file(by_token: Scene) -> None:
    by_token.forge.commit(by_token.repository, "main", {PATH: WIDE, "src/a.py": "1", "old.txt": "same"})
    by_token.forge.workflow(by_token.repository, PATH)
    sha = by_token.forge.push(
        by_token.repository, "feature", {PATH: NARROW, "src/a.py": "2", "old.txt": None, "new.txt": "same"}
    )
    pull = by_token.forge.open_pull_request(by_token.repository, "feature", author="dependabot[bot]")

    answer = head_answer(
        ask_head(by_token, sha, pullRequest=pull.number, baseBranch="main", branch="feature", event="pull_request")
    )

    assert answer.changed_paths == (PATH, "new.txt", "old.txt", "src/a.py")
    assert answer.ci_files == {PATH: FileAnswer(WIDE, NARROW, FileState.ACTIVE)}
    assert (answer.is_fork, answer.author, answer.is_protected) == (False, "dependabot[bot]", False)
    assert answer.is_public is False


def test_r47_a_public_repository_is_said_to_be_one(by_token: Scene) -> None:
    """R47: what is missing is named only where the forge says that not everybody reads it, or it is allowed."""
    by_token.repository.is_private = False

    answer = head_answer(ask_head(by_token, by_token.sha, branch="main"))

    assert answer.is_public is True


def test_r34_a_deleted_and_a_disabled_ci_file_are_seen(by_token: Scene) -> None:
    """R34: what keeps the CI from attesting is `missing`, and the target's side says that it should have."""
    by_token.forge.commit(by_token.repository, "main", {PATH: WIDE})
    by_token.forge.workflow(by_token.repository, PATH).state = "disabled_manually"
    sha = by_token.forge.push(by_token.repository, "feature", {PATH: None})
    pull = by_token.forge.open_pull_request(by_token.repository, "feature")

    answer = head_answer(
        ask_head(by_token, sha, (PATH, ".github/workflows/none.yml"), pullRequest=pull.number, baseBranch="main")
    )

    assert answer.ci_files[PATH] == FileAnswer(WIDE, None, FileState.DISABLED)
    assert answer.ci_files[".github/workflows/none.yml"] == FileAnswer()


def test_r35_a_pull_request_of_a_fork_is_one(by_token: Scene) -> None:
    """R35: an untrusted head, by the forge's own word; its files are read all the same."""
    fork = by_token.forge.repository("mallory/app", fork_of=by_token.repository)
    by_token.forge.push(fork, "feature", {"a": "1"})
    pull = by_token.forge.open_pull_request(by_token.repository, "feature", head_repository=fork)

    answer = head_answer(ask_head(by_token, pull.head_sha, pullRequest=pull.number, baseBranch="main"))

    assert (answer.is_fork, answer.head_repository_id, answer.changed_paths) == (True, str(fork.id), ("a",))


def test_a_push_is_compared_with_what_was_there_before(by_token: Scene) -> None:
    before = by_token.forge.commit(by_token.repository, "main", {PATH: WIDE})
    by_token.forge.protect(by_token.repository, "main", {})
    sha = by_token.forge.push(by_token.repository, "main", {"a": "1", PATH: NARROW})

    answer = head_answer(ask_head(by_token, sha, branch="main", before=before, event="push"))

    assert answer.changed_paths == (PATH, "a")
    assert (answer.ci_files[PATH].base, answer.ci_files[PATH].head) == (WIDE, NARROW)
    assert answer.is_protected


def test_a_push_without_its_past_has_unknown_changes(by_token: Scene) -> None:
    answer = head_answer(ask_head(by_token, by_token.sha, branch="main"))

    assert answer.changed_paths is None
    assert not answer.unknown


def test_a_merge_queue_head_is_compared_with_its_base(by_token: Scene) -> None:
    by_token.forge.push(by_token.repository, "feature", {"a": "1"})
    pull = by_token.forge.open_pull_request(by_token.repository, "feature")
    sha = by_token.forge.enqueue(by_token.repository, pull)

    answer = head_answer(ask_head(by_token, sha, baseBranch="main", event="merge_group"))

    assert answer.changed_paths == ("a",)


def test_the_files_of_an_older_head_are_its_own(by_token: Scene) -> None:
    older = by_token.forge.push(by_token.repository, "feature", {"a": "1"})
    pull = by_token.forge.open_pull_request(by_token.repository, "feature")
    by_token.forge.push(by_token.repository, "feature", {"b": "1"})

    answer = head_answer(ask_head(by_token, older, pullRequest=pull.number, baseBranch="main"))

    assert answer.changed_paths == ("a",)


def test_more_files_than_github_lists_are_unknown(by_token: Scene) -> None:
    sha = by_token.forge.push(by_token.repository, "feature", {f"f{number}": "" for number in range(MAX_FILES + 1)})
    pull = by_token.forge.open_pull_request(by_token.repository, "feature")

    answer = head_answer(ask_head(by_token, sha, (), pullRequest=pull.number, baseBranch="main"))
    compared = head_answer(ask_head(by_token, sha, (), baseBranch="main"))

    assert answer.changed_paths is compared.changed_paths is None


def test_many_files_come_in_pages_of_a_hundred(by_token: Scene) -> None:
    sha = by_token.forge.push(by_token.repository, "feature", {f"f{number:03}": "" for number in range(250)})
    pull = by_token.forge.open_pull_request(by_token.repository, "feature")

    answer = head_answer(ask_head(by_token, sha, (), pullRequest=pull.number, baseBranch="main"))

    assert answer.changed_paths is not None
    assert len(answer.changed_paths) == 250
    assert sum("/files" in line for line in by_token.requests()) == 3


def test_an_unknown_commit_is_asked_for_again_and_then_it_is_none(by_token: Scene) -> None:
    seen_at = by_token.clock()

    first = ask_head(by_token, "f" * 40, branch="main", at=seen_at)
    by_token.clock.moment += UNKNOWN_AFTER
    last = ask_head(by_token, "f" * 40, branch="main", at=seen_at)

    assert (first.kind, last.kind) == (OutcomeKind.RETRY, OutcomeKind.SKIPPED)
    assert head_answer(last).unknown


def test_r44_a_head_of_a_repository_that_is_not_listed_asks_nobody(by_token: Scene) -> None:
    """R44: nothing leaves for it."""
    by_token.target = replace(by_token.target, repositories=())

    outcome = ask_head(by_token, by_token.sha, branch="main")

    assert (outcome.kind, outcome.code) == (OutcomeKind.SKIPPED, "repository-not-bound")
    assert by_token.forge.log == []


def test_a_try_ends_in_time_when_there_is_much_to_ask(by_token: Scene) -> None:
    def slow() -> Any:
        by_token.clock.moment += timedelta(seconds=7)
        return by_token.clock.moment

    by_token.tools = replace(by_token.tools, now=slow)

    outcome = ask_head(by_token, by_token.sha, tuple(f"{number}.yml" for number in range(20)), branch="main")

    assert (outcome.kind, outcome.code, outcome.blames_target) == (OutcomeKind.RETRY, "too-slow", True)
