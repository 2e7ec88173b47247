"""When a GitLab pipeline runs, as far as its file alone tells.

Sources: GitLab Docs, «CI/CD YAML syntax reference» (`workflow:rules`, `rules:if`, `rules:changes`, `only`, `except`)
and «Predefined CI/CD variables». Not decided is what depends on other files (`include`, `extends`) or variables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from server.model.ci_files import Change, CiFile, Fires, all_of, any_of, of_bool, read_mapping, texts
from server.model.gitlab_conditions import evaluate
from server.model.path_patterns import matches_gitlab

_PULL_REQUEST = "pull_request"
_SOURCES = {"push": "push", _PULL_REQUEST: "merge_request_event"}
"""Event of a change → `CI_PIPELINE_SOURCE`."""
_GLOBALS = frozenset(
    (
        *("default", "include", "spec", "stages", "variables", "workflow"),
        *("image", "services", "cache", "before_script", "after_script"),
    )
)
"""Top-level keywords that are no jobs."""


def parse_gitlab_pipeline(raw: bytes) -> CiFile:
    """Return what a `.gitlab-ci.yml` says."""
    document = read_mapping(raw)
    if document is None:
        return CiFile()
    jobs = {name: job for name, job in document.items() if name not in _GLOBALS and not name.startswith(".")}
    return CiFile(
        fires=lambda change: any_of(_pipelines(document, jobs, change)),
        # A pipeline has no list of events.
        has_trigger=lambda event: True,
        is_off=_is_off(document, jobs),
    )


def _pipelines(document: Mapping[str, object], jobs: Mapping[str, object], change: Change) -> Iterator[Fires]:
    """Yield for each pipeline that the change can begin whether it has a job."""
    for event in ("push", _PULL_REQUEST) if change.event == _PULL_REQUEST else (change.event,):
        began = replace(change, event=event)
        variables = _variables(began)
        workflow = document.get("workflow")
        rules = workflow.get("rules") if isinstance(workflow, dict) else None
        begins = Fires.YES if rules is None else _by_rules(rules, began, variables)
        yield all_of((begins, _any_job(document, jobs, began, variables)))


def _variables(change: Change) -> Mapping[str, str | None]:
    """Return the predefined variables whose value is known; None: known to be unset."""
    is_request = change.event == _PULL_REQUEST
    known: dict[str, str | None] = {"CI_COMMIT_TAG": None}
    if source := _SOURCES.get(change.event):
        known["CI_PIPELINE_SOURCE"] = source
    # A pipeline of a merge request has no commit branch.
    known["CI_COMMIT_BRANCH"] = None if is_request else change.branch
    known["CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"] = change.branch if is_request else None
    known["CI_MERGE_REQUEST_TARGET_BRANCH_NAME"] = change.base_branch if is_request else None
    if not is_request:
        known["CI_COMMIT_REF_NAME"] = change.branch
        known |= dict.fromkeys(("CI_MERGE_REQUEST_ID", "CI_MERGE_REQUEST_IID"))
    elif change.base_branch is None:
        del known["CI_MERGE_REQUEST_TARGET_BRANCH_NAME"]
    if change.default_branch:
        known["CI_DEFAULT_BRANCH"] = change.default_branch
    return known


def _any_job(
    document: Mapping[str, object], jobs: Mapping[str, object], change: Change, variables: Mapping[str, str | None]
) -> Fires:
    found = any_of(_job(job, change, variables) for job in jobs.values())
    # Jobs of other files may run as well.
    return Fires.MAYBE if found is Fires.NO and "include" in document else found


def _job(job: object, change: Change, variables: Mapping[str, str | None]) -> Fires:
    if not isinstance(job, dict) or "extends" in job:
        return Fires.MAYBE
    if job.get("when") == "never":
        return Fires.NO
    if "rules" in job:
        return _by_rules(job["rules"], change, variables)
    if "only" not in job and "except" not in job:
        # The default: branches and tags, and no merge request.
        return of_bool(change.event != _PULL_REQUEST)
    return _by_only(job, change)


def _by_rules(rules: object, change: Change, variables: Mapping[str, str | None]) -> Fires:
    """Return what the first rule that matches says; none matches: it does not run."""
    if not isinstance(rules, list):
        return Fires.MAYBE
    undecided: set[Fires] = set()
    for rule in rules:
        if not isinstance(rule, dict):
            return Fires.MAYBE
        matches = _rule_matches(rule, change, variables)
        says = of_bool(rule.get("when") != "never")
        if matches is Fires.YES:
            return _agree(undecided | {says})
        if matches is Fires.MAYBE:
            undecided.add(says)
    return _agree(undecided | {Fires.NO})


def _agree(answers: set[Fires]) -> Fires:
    return answers.pop() if len(answers) == 1 else Fires.MAYBE


def _rule_matches(rule: Mapping[str, object], change: Change, variables: Mapping[str, str | None]) -> Fires:
    conditions = []
    if "if" in rule:
        conditions.append(evaluate(str(rule["if"]), variables))
    if "changes" in rule:
        conditions.append(_changes(rule["changes"], change))
    if "exists" in rule:
        conditions.append(Fires.MAYBE)
    return all_of(conditions)


def _changes(changes: object, change: Change) -> Fires:
    compared = isinstance(changes, dict) and "compare_to" in changes
    patterns = texts(changes.get("paths") if isinstance(changes, dict) else changes)
    if patterns is None or compared or change.changed_paths is None or any("$" in pattern for pattern in patterns):
        return Fires.MAYBE
    try:
        hit = any(matches_gitlab(pattern, path, change.effort) for pattern in patterns for path in change.changed_paths)
    except ValueError:
        return Fires.MAYBE
    # Always true on a branch that is new; of a merge request the whole change counts, whichever push it came with.
    return of_bool(hit or (change.is_branch_new and change.base_branch is None))


def _by_only(job: Mapping[str, object], change: Change) -> Fires:
    """`only` and `except` with names of refs, `branches`, `tags` and `merge_requests`; everything else is undecided."""
    only = texts(job["only"]) if "only" in job else ("branches", "tags")
    excepted = texts(job["except"]) if "except" in job else ()
    if only is None or excepted is None:
        return Fires.MAYBE
    is_in = any_of(_ref_matches(name, change) for name in only)
    is_out = any_of(_ref_matches(name, change) for name in excepted)
    if is_in is Fires.NO or is_out is Fires.YES:
        return Fires.NO
    return Fires.YES if (is_in, is_out) == (Fires.YES, Fires.NO) else Fires.MAYBE


def _ref_matches(name: str, change: Change) -> Fires:
    is_request = change.event == _PULL_REQUEST
    if name == "merge_requests":
        return of_bool(is_request)
    if name == "branches":
        return of_bool(not is_request)
    if name in _OTHER_SOURCES:
        return Fires.NO
    if name.startswith("/") or "@" in name or "$" in name:
        return Fires.MAYBE
    return of_bool(not is_request and name == change.branch) if name not in _UNSURE else Fires.MAYBE


_OTHER_SOURCES = frozenset(
    ("tags", "schedules", "triggers", "pipelines", "api", "web", "chat", "external", "external_pull_requests")
)
_UNSURE = frozenset(("pushes",))


def _is_off(document: Mapping[str, object], jobs: Mapping[str, object]) -> bool:
    """Tell whether no job of the file can ever run."""
    if "include" in document:
        return False
    return all(isinstance(job, dict) and _is_never(job) for job in jobs.values())


def _is_never(job: Mapping[str, object]) -> bool:
    rules = job.get("rules")
    if isinstance(rules, list) and "extends" not in job:
        return all(isinstance(rule, dict) and rule.get("when") == "never" for rule in rules)
    return job.get("when") == "never"
