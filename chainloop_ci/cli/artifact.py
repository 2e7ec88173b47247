"""`chainloop artifact`: upload, download."""

from __future__ import annotations

import os
import secrets
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import IO

import click

from chainloop_ci.cli.command import Group
from chainloop_ci.cli.listing import show_record
from chainloop_ci.cli.names import require_digest
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.progress import Upload, render_size
from chainloop_ci.cli.wiring import World
from chainloop_ci.client.operator import Download
from chainloop_ci.digests import Digest
from chainloop_ci.errors import FileUnreadableError, FileUnwritableError, NotAllowedError, UsageError

_UPLOAD = (
    Option("file", ("--file", "-f"), "File to upload.", Kind.PATH, required=True),
    Option("name", ("--name",), "File name to keep it under; left out, its own."),
)
_DOWNLOAD = (
    Option("digest", ("--digest", "-d"), "Digest of the artifact.", metavar="DIGEST", required=True),
    Option("folder", ("--path",), "Folder to save it in, under the name it was uploaded with.", Kind.PATH),
    Option("target", ("--output",), "File to save it as; - is standard output.", Kind.PATH, metavar="FILE|-"),
)
_COPY_BYTES = 1024 * 1024


@click.group(cls=Group)
def artifact() -> None:
    """Upload and download artifacts."""


@artifact.command("upload", options=_UPLOAD)
@click.pass_obj
def upload(world: World, file: str, name: str | None) -> None:
    """Upload a file; what is there already is not stored twice.

    The server removes it after a time of grace (24 hours) unless an attestation refers to it.
    """
    operator = world.operator()
    filename = name or Path(file).name
    with world.open_file(file) as source:
        size = os.fstat(source.fileno()).st_size
        if size == 0:
            raise FileUnreadableError(f"{file}: file is empty", hint="check the step that writes it")
        shown = Upload(world.output, filename, size, monotonic)
        with _no_words_of_the_api(file):
            stored = operator.upload_stream(
                source, filename, run_id=None, handle=None, size_bytes=size, progress=shown.advance
            )
    shown.done(stored.digest)
    rows = [("Name", stored.filename), ("Digest", stored.digest), ("Size", render_size(stored.size_bytes))]
    show_record(world, stored, rows)


@contextmanager
def _no_words_of_the_api(file: str) -> Iterator[None]:
    """Tell a job, whose token uploads for its run only, what to type."""
    try:
        yield
    except NotAllowedError as error:
        if "?run" not in [finding.path for finding in error.findings]:
            raise
        raise NotAllowedError(
            "this token is a job's (role attest): it uploads what its run attests, and nothing else",
            hint=f"in the job: `chainloop attestation add --name NAME --value {shlex.quote(file)}` after `chainloop "
            "attestation init`; without a run, use a token with the role operate",
        ) from error


@artifact.command("download", options=_DOWNLOAD)
@click.pass_obj
def download(world: World, digest: str, folder: str | None, target: str | None) -> None:
    """Download an artifact; it is kept only when its bytes have the digest that was asked for."""
    if folder and target:
        raise UsageError("--path and --output do not go together", hint="give a folder, or a file")
    wanted = require_digest(digest)
    with world.operator().artifact(wanted) as arriving:
        if target == "-":
            _to_stdout(world, arriving)
        else:
            _to_file(world, arriving, _target(world, arriving, folder, target))


def _target(world: World, arriving: Download, folder: str | None, target: str | None) -> Path:
    if target:
        return world.cwd / target
    path = world.cwd / (folder or ".") / arriving.filename
    if path.exists():
        # Whoever uploaded the artifact chose its name: it must not replace what lies here.
        raise FileUnwritableError(
            f"{path} is already there and is not overwritten",
            hint="choose a folder with --path, or a file with --output",
        )
    return path


def _to_file(world: World, arriving: Download, path: Path) -> None:
    world.output.info("downloading file", name=arriving.filename, to=path)
    with _whole_file(path) as sink:
        _receive(world, arriving, sink)
    world.output.info("file downloaded!", path=path)


def _to_stdout(world: World, arriving: Download) -> None:
    # Nothing is written before the digest is known to be right.
    with tempfile.TemporaryFile() as sink:
        _receive(world, arriving, sink)
        sink.seek(0)
        while block := sink.read(_COPY_BYTES):
            world.output.raw(block)


def _receive(world: World, arriving: Download, sink: IO[bytes]) -> Digest:
    shown = Upload(world.output, arriving.filename, arriving.size_bytes or 0, monotonic, verb="downloaded")
    received = arriving.save(sink, shown.advance)
    shown.done(received.digest)
    return received.digest


@contextmanager
def _whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Write a file that appears when it is complete; when something raises, nothing is left."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as sink:
            yield sink
        part.replace(path)
    except OSError as error:
        raise FileUnwritableError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
