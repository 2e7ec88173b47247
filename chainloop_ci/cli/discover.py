"""`chainloop discover`: what refers to a digest, and what it refers to."""

from __future__ import annotations

import re

import click

from chainloop_ci.api.limits import MAX_GRAPH_DEPTH
from chainloop_ci.cli.command import Command
from chainloop_ci.cli.graph_view import graph_document, graph_lines
from chainloop_ci.cli.listing import PAGING, paging_of
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.wiring import World
from chainloop_ci.errors import UsageError

_OPTIONS = (
    Option("digest", ("--digest", "-d"), "Digest of an attestation, an artifact, an image, …", metavar="DIGEST"),
    Option("commit", ("--commit",), "Whole hash of a commit, in place of a digest.", metavar="SHA"),
    Option(
        "kind",
        ("--kind", "-k"),
        "Which one, when a digest is of several kinds: ARTIFACT, ATTESTATION, GIT_HEAD_COMMIT, …",
        metavar="KIND",
    ),
    Option(
        "depth", ("--depth",), f"How many steps to go from there, {MAX_GRAPH_DEPTH} at most (default: 1).", Kind.NUMBER
    ),
    *PAGING,
)
_COMMITS = {40: "sha1", 64: "sha256"}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha1:[0-9a-f]{40}")


@click.command(cls=Command, name="discover", options=_OPTIONS)
@click.argument("named", metavar="[DIGEST]", required=False)
@click.pass_obj
def discover(
    world: World,
    named: str | None,
    digest: str | None,
    commit: str | None,
    kind: str | None,
    depth: int | None,
    limit: int | None,
    cursor: str | None,
) -> None:
    """Show what refers to a digest, and what it refers to."""
    if named and digest:
        raise UsageError("the digest was typed twice", hint="leave --digest out")
    start, kind = _start(named or digest, commit, kind)
    steps = _require_depth(depth)
    graph = world.operator().discover(start, kind, steps, paging_of(limit, cursor))
    if world.format == "json":
        world.output.document(graph_document(graph))
        return
    world.output.text("\n".join(graph_lines(graph, world.output.columns)))
    for cut in graph.unfinished:
        world.output.info("there are more", next=f"--digest {cut.digest} --kind {cut.kind}")
    if graph.next_cursor:
        world.output.info("there are more", next=f"--next {graph.next_cursor}")


def _start(digest: str | None, commit: str | None, kind: str | None) -> tuple[str, str | None]:
    """Return the digest and the kind to ask for."""
    if bool(digest) == bool(commit):
        raise UsageError("say with --digest or with --commit where to start", hint="one of the two")
    if commit:
        from chainloop_ci.attestation.referrers import GIT_HEAD_COMMIT

        return _commit_digest(commit), kind or GIT_HEAD_COMMIT
    if digest and re.fullmatch("[0-9a-f]{64}", digest):
        digest = f"sha256:{digest}"
    if not digest or not _DIGEST.fullmatch(digest):
        raise UsageError(
            f"--digest: expected sha256:<64 hexadecimal digits>, or sha1:<40> of a commit, found {str(digest)[:80]!r}",
            hint="copy it from `chainloop attestation status`, `workflow run describe` or the registry",
        )
    return digest, kind


def _commit_digest(commit: str) -> str:
    """Return the digest of a commit; repositories with SHA-256 have longer hashes."""
    hexadecimal = commit.lower()
    algorithm = _COMMITS.get(len(hexadecimal))
    if algorithm is None or not re.fullmatch("[0-9a-f]+", hexadecimal):
        raise UsageError(
            f"--commit: expected the 40 (or 64) hexadecimal digits of a commit, found {commit[:80]!r}",
            hint="the whole hash is needed here, `git rev-parse HEAD` prints it; `workflow run list --commit` "
            "takes its first digits",
        )
    return f"{algorithm}:{hexadecimal}"


def _require_depth(depth: int | None) -> int:
    if depth is not None and not 1 <= depth <= MAX_GRAPH_DEPTH:
        raise UsageError(f"--depth: expected 1 to {MAX_GRAPH_DEPTH}, found {depth}")
    return depth or 1
