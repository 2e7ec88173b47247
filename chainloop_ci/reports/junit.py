"""The contract's requirements as a JUnit report: one test case each, so that a merge request lists what fails.

Source: GitLab Docs, "Unit test reports": a case is known by class name and name, and what stands inside of `failure` is
shown, its `message` not everywhere. Jenkins' JUnit plugin shows both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from chainloop_ci.escaping import printable, printable_lines
from chainloop_ci.reports.report import Mark, Problem, Report, Requirement

MAX_CASES = 2000
"""A contract has at most 1 000 materials, 100 variables and annotations beside them."""
_MAX_CHARACTERS = 4000
"""Of one text."""


def render_junit(report: Report) -> str:
    """Return the report as an XML document; problems that are about no requirement are told by the step's own case."""
    cases = [*(_case(report, requirement) for requirement in report.requirements[:MAX_CASES]), _own_case(report)]
    # Texts of others hold no `<`: each of these is an element of ours.
    failures, skipped = (sum(element in case for case in cases) for element in ("<failure ", "<skipped "))
    counts = f'tests="{len(cases)}" failures="{failures}" errors="0" skipped="{skipped}"'
    body = "\n".join(cases)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites {counts}>\n<testsuite name="chainloop" {counts} time="0">\n{body}\n</testsuite>\n</testsuites>\n'
    )


def _case(report: Report, requirement: Requirement) -> str:
    problems = [problem for problem in report.problems if problem.subject == requirement.name]
    inner = {
        Mark.MET: "",
        Mark.FAILED: _failure(problems or [Problem("Requirement not met", requirement.name)]),
        Mark.OPEN: f"<skipped message={_quoted('not there yet')}/>",
    }[requirement.mark]
    return _element(report, requirement.name, inner)


def _own_case(report: Report) -> str:
    """Return the case of the step itself: it fails by what is about no requirement."""
    known = {requirement.name for requirement in report.requirements}
    others = [problem for problem in report.problems if problem.subject not in known]
    failed = report.failed and (others or not report.problems)
    inner = _failure(others or [Problem("Step failed", report.verdict, report.advice)]) if failed else ""
    return _element(report, f"chainloop {report.command}", inner)


def _element(report: Report, name: str, inner: str) -> str:
    group = ".".join(("chainloop", *filter(None, (report.project, report.workflow))))
    return f'<testcase classname={_quoted(group)} name={_quoted(name)} time="0">{inner}</testcase>'


def _failure(problems: Sequence[Problem]) -> str:
    message = "; ".join(problem.message for problem in problems)
    text = "\n".join(line for problem in problems for line in _lines(problem))
    body = escape(_cut(printable_lines(text)))
    return f"<failure type={_quoted(problems[0].title)} message={_quoted(message)}>{body}</failure>"


def _lines(problem: Problem) -> Iterator[str]:
    yield problem.message
    if problem.fix:
        yield f"What to do: {problem.fix}"
    if problem.file:
        yield f"Where: {problem.file}" + (f", line {problem.line}" if problem.line else "")


def _quoted(text: str) -> str:
    return f'"{escape(_cut(printable(text)))}"'


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_CHARACTERS else text[:_MAX_CHARACTERS] + "…"
