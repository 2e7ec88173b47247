"""CI files that were written to hold up the server: anybody who opens a pull request has them judged (T30, R34)."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator

import pytest

from server.model.ci_files import Change, CiFile, Fires
from server.model.github_workflows import parse_github_workflow
from server.model.gitlab_pipelines import parse_gitlab_pipeline

PATHS = tuple(f"source/of/module{number:04}/file.py" for number in range(3000))
SECONDS = 10
"""A bound far above what is needed, and far below the hours that it took."""


@pytest.fixture
def little_memory() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 512 * 1024 * 1024, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def asked(file: CiFile, paths: tuple[str, ...] = PATHS) -> tuple[Fires, float]:
    assert file.fires is not None
    began = time.monotonic()
    answer = file.fires(Change("push", "feature", changed_paths=paths))
    return answer, time.monotonic() - began


def github(patterns: list[str]) -> CiFile:
    lines = "".join(f"    - '{pattern}'\n" for pattern in patterns)
    return parse_github_workflow(f"on:\n  push:\n    paths:\n{lines}".encode())


@pytest.mark.parametrize(
    "patterns",
    [
        [f"*x{number:05}*" for number in range(40_000)],
        [f"x{number:05}" for number in range(40_000)],
        ["*a" * 500 + str(number) for number in range(200)],
    ],
    ids=["many", "plain", "stars"],
)
def test_t30_more_patterns_than_can_be_matched_are_not_decided(patterns: list[str]) -> None:
    answer, seconds = asked(github(patterns))

    assert answer is Fires.MAYBE
    assert seconds < SECONDS


def test_t30_the_changes_of_all_jobs_of_a_pipeline_count_together() -> None:
    jobs = "".join(f"j{number}:\n  rules:\n  - changes: ['**/*{{x{number},q}}*']\n" for number in range(8000))

    answer, seconds = asked(parse_gitlab_pipeline(jobs.encode()))

    assert answer is Fires.MAYBE
    assert seconds < SECONDS


def test_t30_braces_behind_a_long_word_take_no_memory(little_memory: None) -> None:
    pattern = "x" * 300_000 + "{" + "a," * 300_000 + "}"

    answer, _ = asked(parse_gitlab_pipeline(f"a:\n  rules:\n  - changes: ['{pattern}']\n".encode()), ("a",))

    assert answer is Fires.MAYBE


def test_an_ordinary_filter_of_many_files_is_decided() -> None:
    answer, _ = asked(github(["docs/**", "*.md", "!docs/internal/**"]))

    assert answer is Fires.NO


def test_t30_patterns_of_branches_count_too() -> None:
    patterns = "".join(f"    - '{'a*' * 500}{number}'\n" for number in range(900))
    file = parse_github_workflow(f"on:\n  push:\n    branches:\n{patterns}".encode())
    assert file.fires is not None
    began = time.monotonic()

    answer = file.fires(Change("push", "a" * 250 + "-", changed_paths=("a",)))

    assert (answer, time.monotonic() - began < SECONDS) == (Fires.MAYBE, True)
