"""The options that say where a workflow's code lives, and what they make of a source that is there."""

from __future__ import annotations

from dataclasses import replace

from chainloop_ci.api.source_address import SourceKind, parse_source
from chainloop_ci.api.sources import (
    MAX_CADENCE_SECONDS,
    MAX_GRACE_SECONDS,
    MIN_CADENCE_SECONDS,
    MIN_GRACE_SECONDS,
    SourceRequest,
    SourceState,
    WorkflowSource,
    check_source,
)
from chainloop_ci.cli.durations import parse_duration, render_duration
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.wiring import World
from chainloop_ci.errors import UsageError
from chainloop_ci.records import record

EXPECTED_RUNS: tuple[Option, ...] = (
    Option("ci_file", ("--ci-file",), "File in the repository that defines the workflow.", metavar="PATH"),
    Option("branch", ("--branch",), "Only runs for this target branch, or a pattern of branches; '': every one."),
    Option("event", ("--event",), "Only runs of this event, as the CI system names it: push; '': every one."),
    Option(
        "path",
        ("--path",),
        "Only changes of files that this pattern matches: src/**; may be repeated; '': any file.",
        Kind.LIST,
        metavar="PATTERN",
    ),
    Option("cadence", ("--cadence",), "It attests at least so often: 24h; 0s: whenever.", metavar="DURATION"),
    Option(
        "grace", ("--grace",), "After a commit, until its attestation is missed (default: 30m).", metavar="DURATION"
    ),
)
"""Which runs of a source must attest."""

SOURCE: tuple[Option, ...] = (
    Option(
        "source",
        ("--source",),
        "Where the code lives: github:OWNER/REPO, gitlab:GROUP/PROJECT, jenkins:URL; KIND:URL for an own server.",
        metavar="KIND:PLACE",
    ),
    *EXPECTED_RUNS,
)

_FLAGS = {"/source": "--source", "/ciFile": "--ci-file"}


@record
class TypedSource:
    """What was typed of a source; None was not."""

    source: str | None = None
    ci_file: str | None = None
    branch: str | None = None
    event: str | None = None
    path: tuple[str, ...] = ()
    cadence: str | None = None
    grace: str | None = None

    @property
    def is_given(self) -> bool:
        """Tell whether anything was typed."""
        return self != TypedSource()

    def request(self, known: WorkflowSource | None = None) -> SourceRequest:
        """Return the request for a source; what was not typed stays as in `known`.

        Raises:
            UsageError: there is no source to speak of, or something that was typed cannot be; names the options.
        """
        text = self.source or (known.source if known else None)
        if text is None:
            raise UsageError(
                "these options describe a source, and the workflow has none",
                hint="name it with --source, or accept the one that its first attestation claimed: "
                "`chainloop workflow source accept`",
            )
        request = self._changed(_known_request(text, known))
        findings = check_source(request)
        if findings:
            said = [f"{_FLAGS.get(item.path or '', '--path')}: {item.message}" for item in findings]
            raise UsageError("; ".join(said), hint=findings[0].hint, findings=findings if len(findings) > 1 else ())
        return request

    def _changed(self, request: SourceRequest) -> SourceRequest:
        return replace(
            request,
            ci_file=request.ci_file if self.ci_file is None else self.ci_file,
            branch=request.branch if self.branch is None else self.branch or None,
            event=request.event if self.event is None else self.event or None,
            paths=tuple(path for path in self.path if path) if self.path else request.paths,
            cadence_seconds=request.cadence_seconds
            if self.cadence is None
            else parse_cadence(self.cadence, "--cadence"),
            grace_seconds=request.grace_seconds if self.grace is None else parse_grace(self.grace, "--grace"),
        )


def warn_of_unlisted(world: World, item: WorkflowSource) -> None:
    """Say that nothing is told where no registration has the repository: it is new there, or its name is misspelt."""
    if is_unlisted(item):
        world.output.warning(
            "no registration lists this repository, so that nothing is heard of it and no status is posted there; "
            f"check how it is written, or add it: `chainloop integration registered add {item.kind} --help`",
            source=item.source,
        )


def is_unlisted(item: WorkflowSource) -> bool:
    """Tell whether a registered source lies where no registration of the forge reaches; a Jenkins needs none."""
    is_registered = item.state is SourceState.ACCEPTED
    return is_registered and item.kind is not SourceKind.JENKINS and item.repository_id is None


def parse_cadence(text: str, named: str) -> int | None:
    """Return the seconds of a cadence, None for 0s; `named` is where it stands.

    Raises:
        UsageError: no duration, or one out of bounds.
    """
    seconds = parse_duration(text, named)
    return _within(seconds, text, named, MIN_CADENCE_SECONDS, MAX_CADENCE_SECONDS) if seconds else None


def parse_grace(text: str, named: str) -> int:
    """Return the seconds of a grace time.

    Raises:
        UsageError: no duration, or one out of bounds.
    """
    return _within(parse_duration(text, named), text, named, MIN_GRACE_SECONDS, MAX_GRACE_SECONDS)


def _within(seconds: int, text: str, named: str, least: int, most: int) -> int:
    if not least <= seconds <= most:
        shortest, longest = render_duration(least), render_duration(most)
        raise UsageError(f"{named}: expected {shortest} to {longest}, found {text[:40]!r}")
    return seconds


def _known_request(text: str, known: WorkflowSource | None) -> SourceRequest:
    """Return what is known as a request for `text`; a file of another CI system is not taken over."""
    if known is None:
        return SourceRequest(text)
    return SourceRequest(
        text,
        ci_file=known.ci_file if parse_source(text).kind is known.kind else "",
        branch=known.branch,
        event=known.event,
        paths=known.paths,
        cadence_seconds=known.cadence_seconds,
        grace_seconds=known.grace_seconds,
    )
