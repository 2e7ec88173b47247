"""`chainloop gate`: whether a commit, or content of a digest, may pass (R33, R36)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import click

from chainloop_ci.api.gates import WORKFLOW_PATTERN, GateAnswer, GateReason, GateRequest
from chainloop_ci.api.limits import COMMIT_PATTERN
from chainloop_ci.api.record import to_dict
from chainloop_ci.cli.command import Command
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.table import Row, Table
from chainloop_ci.cli.wiring import World
from chainloop_ci.digests import Digest, is_digest
from chainloop_ci.errors import GateClosedError, UsageError

_OPTIONS = (
    Option(
        "workflow",
        ("--workflow",),
        "A workflow that has to agree; may be repeated. Of a commit: without it, all that have to attest it.",
        Kind.LIST,
        metavar="PROJECT/NAME",
    ),
    Option("commit", ("--commit",), "The commit that is to pass: its whole hash.", metavar="SHA"),
    Option(
        "digest", ("--digest", "-d"), "The content that is to pass; `NAME@sha256:…` of an image too.", metavar="DIGEST"
    ),
    Option(
        "source",
        ("--source",),
        "Where the commit is, when several sources know it: github:OWNER/REPO, gitlab:GROUP/PROJECT.",
        metavar="SOURCE",
    ),
)
_ADVICE = {
    "missing": "run the CI workflow on the commit: its step attests it",
    "expected": "the attestation may still come: ask again when the job has ended",
    "initialized": "the job goes on: ask again when it has ended",
    "claimed": "the forge has not confirmed the run yet: ask again soon",
    "not-met": "`chainloop workflow run describe` lists what the attestation lacks",
    "refused": "`chainloop workflow run describe` lists why it was refused",
    "not-registered": "`chainloop workflow list` names the workflows that there are",
    "no-source": "an operator registers it: `chainloop workflow update --source`",
    "not-attested": "pass what this workflow made, or run its CI workflow; an override does not stand for an output",
    "input-only": "name the workflow that makes it; whoever only uses it says nothing of it",
    "commit-unknown": "name the workflows with --workflow, or have the forge's webhooks sent to the control plane",
}
_OTHERWISE = "an operator can let a commit pass, with a reason: `chainloop workflow override`"


@click.command(cls=Command, name="gate", options=_OPTIONS)
@click.pass_obj
def gate(world: World, workflow: tuple[str, ...], commit: str | None, digest: str | None, source: str | None) -> None:
    """Ask whether a commit or a digest may pass."""
    request = _request(workflow, commit, digest, source)
    answer = world.operator().ask_gate(request)
    if world.format == "json":
        world.output.document(to_dict(answer))
    else:
        rows = [_row(reason) for reason in answer.reasons]
        world.output.table(Table(rows, header=("Workflow", "Answer", "Why", "Run")))
    if not answer.approved:
        raise _closed(answer)
    world.output.info("the gate is open", **{"commit": commit} if commit else {"digest": request.digest})


def _request(workflows: Sequence[str], commit: str | None, digest: str | None, source: str | None) -> GateRequest:
    if bool(commit) == bool(digest):
        raise UsageError("say with --commit or with --digest what is to pass", hint="one of the two")
    if commit and not re.fullmatch(COMMIT_PATTERN, commit.lower()):
        raise UsageError(
            f"--commit: expected the whole hash of a commit, found {commit[:80]!r}", hint="`git rev-parse COMMIT`"
        )
    odd = [name[:140] for name in workflows if not re.fullmatch(WORKFLOW_PATTERN, name)]
    if odd:
        raise UsageError(
            f"--workflow: expected PROJECT/NAME, found {', '.join(map(repr, odd))}", hint="`chainloop workflow list`"
        )
    if digest and not workflows:
        raise UsageError(
            "--digest needs --workflow: whoever may attest anything could attest this digest",
            hint="name the workflow that makes it",
        )
    if source and (digest or workflows):
        raise UsageError("--source is for a commit without --workflow: a workflow has its own source")
    return GateRequest(tuple(workflows), commit and commit.lower(), _digest(digest) if digest else None, source)


def _digest(text: str) -> Digest:
    digest = text.rpartition("@")[2].lower()
    if re.fullmatch("[0-9a-f]{64}", digest):
        digest = f"sha256:{digest}"
    if not is_digest(digest):
        raise UsageError(
            f"--digest: expected sha256:<64 hexadecimal digits>, found {text[:140]!r}",
            hint="an image's digest and not its tag: a tag may name something else tomorrow",
        )
    return Digest(digest)


def _row(reason: GateReason) -> Row:
    # The workflow has a column of its own.
    why = reason.message.removeprefix(f"{reason.workflow}: ")
    return (reason.workflow, "yes" if reason.approved else "no", why, reason.run_id or "")


def _closed(answer: GateAnswer) -> GateClosedError:
    against = [reason for reason in answer.reasons if not reason.approved]
    advice = dict.fromkeys(_ADVICE[reason.code] for reason in against if reason.code in _ADVICE)
    named = [reason.workflow for reason in against if reason.workflow]
    verb = "does" if len(named) == 1 else "do"
    said = f": {len(named)} of {len(answer.reasons)} workflows {verb} not agree: {', '.join(named)}" if named else ""
    return GateClosedError(f"the gate is closed{said}", hint="; ".join(advice) or _OTHERWISE)
