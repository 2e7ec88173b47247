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
        Mark.FAILED: _wrong(report, problems or [Problem("Requirement not met", requirement.name)]),
        Mark.OPEN: f"<skipped message={_quoted('not there yet')}/>",
    }[requirement.mark]
    return _element(report, requirement.name, inner)


def _own_case(report: Report) -> str:
    """Return the case of the step itself: it fails with the step, and is skipped where nothing was to be stored."""
    inner = ""
    if report.failed:
        inner = _wrong(report, _own_problems(report))
    elif report.notice:
        inner = _skipped(report.notice, report.notice)
    return _element(report, f"chainloop {report.command}", inner)


def _own_problems(report: Report) -> list[Problem]:
    """Return what is about no requirement; where the other cases have all of it, one line that says so."""
    known = {requirement.name for requirement in report.requirements[:MAX_CASES]}
    own = [problem for problem in report.problems if problem.subject not in known]
    if own:
        return own
    told = len({problem.subject for problem in report.problems})
    if not told:
        return [Problem("Step failed", report.verdict, report.advice)]
    others = "1 other case of this report says what" if told == 1 else f"{told} other cases of this report say what"
    return [Problem("Step failed", f"{report.verdict.removesuffix('.')}: {others}", report.advice)]


def _element(report: Report, name: str, inner: str) -> str:
    group = ".".join(("chainloop", *filter(None, (report.project, report.workflow))))
    return f'<testcase classname={_quoted(group)} name={_quoted(name)} time="0">{inner}</testcase>'


def _wrong(report: Report, problems: Sequence[Problem]) -> str:
    """Return a failure, or where the job goes on all the same what Jenkins does not call unstable (R35)."""
    message = "; ".join(problem.message for problem in problems)
    text = "\n".join(line for problem in problems for line in _lines(problem))
    if report.tolerated:
        return _skipped(message, text)
    return f"<failure type={_quoted(problems[0].title)} message={_quoted(message)}>{_body(text)}</failure>"


def _skipped(message: str, text: str) -> str:
    # GitLab shows what stands inside of the element, Jenkins its message.
    return f"<skipped message={_quoted(message)}>{_body(text)}</skipped>"


def _body(text: str) -> str:
    return escape(_cut(printable_lines(text)))


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
