"""When a GitHub Actions workflow file runs.

Sources: GitHub Docs, «Workflow syntax for GitHub Actions» (`on`, its filters, `jobs.<job_id>.if`) and «Events that
trigger workflows».
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from server.model.ci_files import Change, CiFile, Fires, all_of, any_of, of_bool, read_mapping, texts
from server.model.path_patterns import Effort, TooMuchEffortError, selects_github

_PUSH, _PULL_REQUEST, _MERGE_GROUP = "push", "pull_request", "merge_group"
_BY_EVENT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        _PUSH: (_PUSH,),
        # The head of a pull request was pushed, too: both runs are about one commit.
        _PULL_REQUEST: (_PULL_REQUEST, "pull_request_target", _PUSH),
        _MERGE_GROUP: (_MERGE_GROUP, _PUSH),
    }
)
"""Which triggers a change can set off."""
_NEW_HEAD_TYPES = frozenset({"opened", "synchronize", "reopened"})
"""Activities of a pull request that bring a new head; they are the default."""
_CALLED = frozenset({"workflow_call", "workflow_run"})
"""Begun by other workflows: whether they run, another file says."""
_FILTERS = ("branches", "paths", "tags")


@dataclass(frozen=True, slots=True)
class _Trigger:
    """One event of `on:` with its filters; None: not filtered."""

    branches: Sequence[str] | None = None
    branches_ignore: Sequence[str] | None = None
    paths: Sequence[str] | None = None
    paths_ignore: Sequence[str] | None = None
    has_tags: bool = False
    types: frozenset[str] | None = None

    def fires(self, event: str, change: Change) -> Fires:
        try:
            return self._compare(event, change)
        except TooMuchEffortError:
            return Fires.MAYBE

    def _compare(self, event: str, change: Change) -> Fires:
        is_push = event == _PUSH
        branch = change.branch if is_push else change.target_branch
        answers = [
            of_bool(self._takes_branch(branch, change.effort, is_push=is_push)),
            self._takes_paths(event, change),
        ]
        if self.types is not None and not is_push and event != _MERGE_GROUP:
            # It may still run when somebody adds a label.
            answers.append(Fires.YES if self.types & _NEW_HEAD_TYPES else Fires.MAYBE)
        return all_of(answers)

    def _takes_branch(self, branch: str, effort: Effort, *, is_push: bool) -> bool:
        if self.branches is not None:
            return selects_github(self.branches, branch, effort)
        if self.branches_ignore is not None:
            return not selects_github(self.branches_ignore, branch, effort)
        # A filter of tags alone shuts branches out.
        return not (is_push and self.has_tags)

    def _takes_paths(self, event: str, change: Change) -> Fires:
        if event == _MERGE_GROUP or (self.paths is None and self.paths_ignore is None):
            return Fires.YES
        if change.changed_paths is None:
            return Fires.MAYBE
        if self.paths is not None:
            return of_bool(any(selects_github(self.paths, path, change.effort) for path in change.changed_paths))
        ignored = self.paths_ignore or ()
        return of_bool(any(not selects_github(ignored, path, change.effort) for path in change.changed_paths))


def parse_github_workflow(raw: bytes, *, is_enabled: bool = True) -> CiFile:
    """Return what a workflow file says; one that GitHub itself would refuse is read as «nothing is known»."""
    document = read_mapping(raw)
    triggers = None if document is None else _parse_triggers(document.get("on"))
    if document is None or triggers is None:
        return CiFile(is_enabled=is_enabled)
    return CiFile(
        is_enabled=is_enabled,
        fires=lambda change: _fires(triggers, change),
        has_trigger=lambda event: event in triggers,
        is_off=_are_jobs_off(document.get("jobs")),
    )


def _fires(triggers: Mapping[str, _Trigger], change: Change) -> Fires:
    events = [event for event in _BY_EVENT.get(change.event, (change.event,)) if event in triggers]
    direct = any_of(triggers[event].fires(event, change) for event in events)
    return Fires.MAYBE if direct is Fires.NO and _CALLED & triggers.keys() else direct


def _parse_triggers(on: object) -> Mapping[str, _Trigger] | None:
    names = texts(on)
    if names is not None:
        return {name: _Trigger() for name in names}
    if not isinstance(on, dict):
        return None
    parsed = {name: _parse_trigger(filters) for name, filters in on.items()}
    known = {name: trigger for name, trigger in parsed.items() if trigger is not None}
    return known if len(known) == len(parsed) else None


def _parse_trigger(filters: object) -> _Trigger | None:
    if filters is None or isinstance(filters, list):
        # `schedule` has a list.
        return _Trigger()
    if not isinstance(filters, dict) or any(name in filters and f"{name}-ignore" in filters for name in _FILTERS):
        return None
    lists = {name: texts(value) for name, value in filters.items() if name in _LISTS}
    if any(value is None for value in lists.values()):
        return None
    types = lists.get("types")
    return _Trigger(
        branches=lists.get("branches"),
        branches_ignore=lists.get("branches-ignore"),
        paths=lists.get("paths"),
        paths_ignore=lists.get("paths-ignore"),
        # With a filter of branches beside it, that one decides.
        has_tags="tags" in filters or "tags-ignore" in filters,
        types=None if types is None else frozenset(types),
    )


_LISTS = frozenset({"types", *_FILTERS, *(f"{name}-ignore" for name in _FILTERS)})


def _are_jobs_off(jobs: object) -> bool:
    """Tell whether no job can run; one that needs another one needs that to run, which is not looked at."""
    if not isinstance(jobs, dict):
        return False
    return all(isinstance(job, dict) and _is_false(job.get("if", True)) for job in jobs.values())


def _is_false(condition: object) -> bool:
    if isinstance(condition, str):
        inside = condition.strip()
        if inside.startswith("${{") and inside.endswith("}}"):
            inside = inside[3:-2].strip()
        return inside == "false"
    return condition is False
