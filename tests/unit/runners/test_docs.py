"""The tables of docs/runners.md say what the registry does: which variables are read, and what for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from chainloop_ci.runners.registry import RUNNERS
from chainloop_ci.runners.types import HostFacts, Runner
from tests.unit.runners.environments import SURROUNDINGS

FIELDS = {
    "serverUrl": "server_url",
    "repository": "repository",
    "runId": "run_id",
    "runAttempt": "run_attempt",
    "job": "job",
    "jobIndex": "job_index",
    "runnerName": "runner_name",
    "event": "event",
    "ref": "ref",
    "headSha": "head_sha",
    "pullRequest": "pull_request",
}


class Watched(Mapping[str, str]):
    """A mapping that remembers what it was asked for by name."""

    def __init__(self, values: Mapping[str, str], asked: set[str]) -> None:
        self._values = values
        self._asked = asked

    def __getitem__(self, name: str) -> str:
        self._asked.add(name)
        return self._values[name]

    def get(self, name, default=None):
        self._asked.add(name)
        return self._values.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def documented(project: Path, heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading, without its head."""
    text = (project / "docs" / "runners.md").read_text()
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip().strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def names_in(cell: str) -> list[str]:
    """Return what stands in back ticks."""
    return re.findall(r"`([^`]+)`", cell)


def asked_by(question: Callable[[HostFacts], object], runner: Runner) -> set[str]:
    """Return the variables that an entry's function asks for, whatever the others say."""
    asked: set[str] = set()
    full = SURROUNDINGS[runner.type].facts
    envs = [{}, full.env, *({n: v for n, v in full.env.items() if n != name} for name in full.env)]
    envs += [{**full.env, "GITHUB_EVENT_NAME": "push"}]
    for env in envs:
        question(replace(full, env=Watched(env, asked)))
    return asked


@pytest.mark.parametrize("runner", RUNNERS, ids=lambda runner: runner.type.value)
def test_a_runner_is_documented_in_the_order_in_which_it_is_tried(project, runner):
    rows = documented(project, "The runners, in the order in which they are tried")
    place = RUNNERS.index(runner)

    assert [names_in(row[0])[0] for row in rows] == [entry.type.value for entry in RUNNERS]
    recognised = set(names_in(rows[place][1]))
    assert recognised == (asked_by(runner.detect, runner) | set(runner.probe_paths))


@pytest.mark.parametrize("runner", RUNNERS, ids=lambda runner: runner.type.value)
def test_the_variables_that_are_recorded_are_documented(project, runner):
    rows = {names_in(row[0])[0]: row for row in documented(project, "Variables that are recorded")}
    _, required, optional = rows[runner.type.value]

    assert names_in(required) == [variable.name for variable in runner.env_vars if variable.required]
    assert names_in(optional) == [variable.name for variable in runner.env_vars if not variable.required]


@pytest.mark.parametrize("runner", RUNNERS, ids=lambda runner: runner.type.value)
def test_where_link_and_environment_come_from_is_documented(project, runner):
    rows = {names_in(row[0])[0]: row for row in documented(project, "Link and environment")}
    _, link, environment = rows[runner.type.value]

    assert set(names_in(link)) == asked_by(runner.run_url, runner)
    assert set(names_in(environment)) - {"managed", "self-hosted"} == asked_by(runner.environment, runner)


@pytest.mark.parametrize("runner", RUNNERS, ids=lambda runner: runner.type.value)
def test_where_the_record_of_the_job_comes_from_is_documented(project, runner):
    table = documented(project, "What is recorded of the job")
    heads = [names_in(row[0])[0] for row in table]
    rows = [row for row in table if names_in(row[0])[0] == runner.type.value]

    assert set(heads) == {entry.type.value for entry in RUNNERS}
    named = {name for row in rows for name in names_in(row[2]) if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)}
    assert named == asked_by(runner.ci, runner)
    told = runner.ci(SURROUNDINGS[runner.type].facts)
    fields = {name for row in rows for name in names_in(row[1])}
    assert fields >= {name for name, attribute in FIELDS.items() if getattr(told, attribute) is not None}
    assert fields <= set(FIELDS)
