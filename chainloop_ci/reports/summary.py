"""The report for people, in Markdown: the verdict first, then what to do, then everything else."""

from __future__ import annotations

from chainloop_ci.reports.markdown import code, cut_lines, link, prose, sentence, table
from chainloop_ci.reports.report import MaterialLine, Problem, Report

MAX_BYTES = 1024 * 1024
"""GitHub drops the summary of a step that has more. Source: GitHub Docs, "Adding a job summary"."""
TEKTON_BYTES = 3500
"""All results of a task share 4 KiB (reference section 12)."""


def render_summary(report: Report, limit_bytes: int = MAX_BYTES) -> str:
    """Return the report as Markdown of at most `limit_bytes`; cut at a line, with a note."""
    blocks = (_head(report), _to_do(report), _facts(report), _materials(report), _warnings(report))
    lines = [line for block in blocks if block for line in (*block, "")]
    return cut_lines(lines, limit_bytes)


def _head(report: Report) -> list[str]:
    of = f" of {code(report.workflow)}" if report.workflow else ""
    lines = [f"## Chainloop attestation{of}", "", f"**{prose(report.verdict)}**"]
    return [*lines, *(line for text in (report.notice, report.advice) if text for line in ("", prose(text)))]


def _to_do(report: Report) -> list[str]:
    if not report.problems:
        return []
    title = "What is missing or wrong" if report.failed else "Still missing"
    return [f"### {title}", "", *(line for problem in report.problems for line in _problem(problem))]


def _problem(problem: Problem) -> list[str]:
    # A file without a line is where the step stands: whoever reads this comes from there.
    place = f" ({code(problem.file)}, line {problem.line})" if problem.file and problem.line else ""
    lines = [f"- {prose(problem.message)}{place}"]
    return [*lines, f"  - What to do: {prose(problem.fix)}"] if problem.fix else lines


def _facts(report: Report) -> list[str]:
    rows = [(name, code(value)) for name, value in report.facts if value]
    if report.link:
        rows.append(("Page", link("this run on the control plane", report.link)))
    return table(("Fact", "Value"), rows) if rows else []


def _materials(report: Report) -> list[str]:
    if not report.materials:
        return []
    header = ("Material", "Type", "Value", "Digest", "Required", "Status")
    return ["### Materials", "", *table(header, [_material_row(line) for line in report.materials])]


def _material_row(line: MaterialLine) -> tuple[str, ...]:
    required = "yes" if line.required else "no"
    return (code(line.name), code(line.type), code(line.value), code(line.digest), required, sentence(line.status))


def _warnings(report: Report) -> list[str]:
    if not report.warnings:
        return []
    return ["### Warnings", "", *(f"- {prose(text)}" for text in report.warnings)]
