"""The two ways in which a step speaks to GitHub's runner: commands in its log, and files of names and values.

Sources: GitHub Docs, "Workflow commands for GitHub Actions"; actions/runner, `ActionCommand` (escaping, and how a line
is read) and `EnvFileKeyValuePairs` (the files). A runner obeys commands of both streams. Every text becomes one line
(T03), and a value ends at a word that nobody could guess (T02).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from chainloop_ci.escaping import printable, printable_lines
from chainloop_ci.reports.report import Problem, Report

MAX_ANNOTATIONS = 10
"""So many errors and so many warnings of a step are kept by GitHub, the first ones."""
MAX_MESSAGE_CHARACTERS = 4000
"""Of an annotation. GitHub keeps 64 KiB; people read a line or two."""
MIN_MASKED_CHARACTERS = 4
"""A shorter secret would be masked in every word that holds it."""
MIN_MASKED_LINE_CHARACTERS = 8
"""The same for one line of a secret that has several."""


def render_command(name: str, data: str = "", **properties: str | int | None) -> str:
    """Return one command, without a line break at its end; properties without a value are left out.

    Line breaks in `data` stay line breaks for the runner; other control characters become visible.
    """
    given = ",".join(f"{key}={_escape_property(str(value))}" for key, value in properties.items() if value)
    return f"::{name}{' ' if given else ''}{given}::{_escape_data(printable_lines(data))}"


def render_annotations(report: Report) -> list[str]:
    """Return an error for each problem of a failure, or a warning where it is tolerated, and one for each warning.

    What GitHub would drop is counted in the last of its kind. Why nothing is stored is a notice.
    """
    problems = report.problems if report.failed else ()
    warnings = [Problem("Chainloop", text) for text in report.warnings]
    if report.tolerated:
        problems, warnings = (), [*problems, *warnings]
    return [
        *_limit("error", [_annotation("error", problem) for problem in problems]),
        *_limit("warning", [_annotation("warning", problem) for problem in warnings]),
        *([_annotation("notice", Problem("Chainloop", report.notice))] if report.notice else []),
    ]


def _annotation(level: str, problem: Problem) -> str:
    text = "\n".join(filter(None, (problem.message, problem.fix and f"What to do: {problem.fix}")))
    if len(text) > MAX_MESSAGE_CHARACTERS:
        text = text[:MAX_MESSAGE_CHARACTERS] + "…"
    line = problem.line if problem.file else None
    return render_command(level, text, title=problem.title, file=problem.file, line=line)


def _limit(level: str, annotations: Sequence[str]) -> list[str]:
    if len(annotations) <= MAX_ANNOTATIONS:
        return list(annotations)
    kept = annotations[: MAX_ANNOTATIONS - 1]
    rest = f"and {len(annotations) - len(kept)} more of this kind: they stand in the log and in the job's summary"
    return [*kept, render_command(level, rest, title="Chainloop")]


def render_masks(secret: str) -> list[str]:
    """Return the commands after which the runner shows `***` in place of a secret, and of each of its lines.

    They hold the secret itself, and are the only commands that may. The frame of a PEM text (`-----BEGIN …`) is none.
    """
    lines = [line.strip() for line in secret.splitlines()]
    whole = [secret.strip()] if len(lines) == 1 and len(secret.strip()) >= MIN_MASKED_CHARACTERS else []
    several = lines if len(lines) > 1 else []
    parts = [part for part in several if len(part) >= MIN_MASKED_LINE_CHARACTERS and not part.startswith("-----")]
    return [f"::add-mask::{_escape_data(part)}" for part in dict.fromkeys((*whole, *parts))]


def render_outputs(values: Mapping[str, str], new_word: Callable[[], str]) -> str:
    """Return what is appended to the file of GITHUB_OUTPUT; `new_word` gives a word that nobody can guess."""
    return "".join(_output(name, value, f"chainloop_{new_word()}") for name, value in values.items())


def _output(name: str, value: str, word: str) -> str:
    # The runner reads the file as UTF-8; lone surrogates have no place there.
    text = value.encode("utf-8", "replace").decode()
    return f"{name}<<{word}\n{text}\n{word}\n"


def _escape_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(printable(text)).replace(":", "%3A").replace(",", "%2C")
