"""Lists of files that a build wrote: checksums as `sha256sum` writes them, and the runner's list of artifacts.

Sources: GNU coreutils manual, "md5sum invocation" and "cksum general options" (the form of a line, the backslash before
an escaped name, `--tag`); GitHub REST API, "List workflow run artifacts"; GoReleaser, "Artifacts"
(`dist/artifacts.json`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from chainloop_ci.deferred import deferred_pattern
from chainloop_ci.digests import Digest, digest_of_hex
from chainloop_ci.errors import ConfigInvalidError, Finding, Findings, JsonInvalidError, LimitExceededError
from chainloop_ci.records import record

MAX_LIST_BYTES = 4 * 1024 * 1024
"""Largest list, in bytes."""
MAX_LISTED_FILES = 10_000
"""Most files in one list."""

_HEX = r"(?P<hex>[0-9A-Fa-f]{64})"
_PREFIX = "(?:(?:sha256|SHA256):)?"
_SUM = deferred_pattern(rf"(?P<escaped>\\)?{_PREFIX}{_HEX}(?: [ *]|[ \t])(?P<name>.+)\Z", re.DOTALL)
_TAG = deferred_pattern(rf"(?P<escaped>\\)?SHA256 ?\((?P<name>.+)\) ?= {_HEX}\Z", re.DOTALL)
_ESCAPE = deferred_pattern(r"\\(.?)", re.DOTALL)
_ESCAPED = {"\\": "\\", "n": "\n", "r": "\r"}
_STDIN = "-"
_SHOWN = 80
_BOM = "\ufeff"


@record
class ListedFile:
    """One file of a list."""

    path: str
    """As it is written there."""
    line: int | None = None
    """Counted from 1; None in JSON."""
    digest: Digest | None = None
    """What the list says of its content."""


@record
class FileList:
    """A list that was read."""

    source: str
    """For people: the list's own path, as it was typed."""
    folders: tuple[str, ...]
    """Where its paths may begin; the first in which there is such a file counts."""
    files: tuple[ListedFile, ...]


def parse_checksums(raw: bytes, source: str) -> tuple[ListedFile, ...]:
    """Read the lines of a checksums file: `<digest>  <name>`, with `*` before the name for binary, or `--tag`'s form.

    Raises:
        ConfigInvalidError: with every line that is none.
        LimitExceededError: it is too long.
    """
    findings = Findings()
    found: dict[str, ListedFile] = {}
    for number, line in _lines(_decode(raw, source)):
        # As `sha256sum --check` does.
        if line.startswith("#"):
            continue
        file = _read_line(number, line, findings)
        if file is None:
            continue
        known = found.setdefault(file.path, file)
        if known.digest != file.digest:
            message = f"{file.path[:_SHOWN]} stands in line {known.line} with another digest"
            findings.append(Finding("duplicate-name", message, line=number))
    return _finished(tuple(found.values()), findings, source, "lines like «<64 hexadecimal digits>  <file>»")


def parse_artifact_list(raw: bytes, source: str) -> tuple[ListedFile, ...]:
    """Read a list of artifacts: a path in each line, or JSON: a list of paths or of objects with `path` or `name`.

    An object that holds such a list as `artifacts`, as GitHub's API answers, is read as well. Digests in it are not:
    they are of what the CI system keeps, which may be packed.

    Raises:
        ConfigInvalidError: with every entry that is none.
        LimitExceededError: it is too long.
    """
    text = _decode(raw, source)
    findings = Findings()
    if text.lstrip()[:1] in ("[", "{"):
        paths = {path: ListedFile(path) for path in _read_json(raw, source, findings)}
    else:
        paths = {line: ListedFile(line, number) for number, line in reversed(list(_lines(text)))}
        paths = dict(reversed(paths.items()))
    return _finished(tuple(paths.values()), findings, source, "a path in each line, or a JSON list")


def _decode(raw: bytes, source: str) -> str:
    if len(raw) > MAX_LIST_BYTES:
        raise LimitExceededError(
            f"{source} is larger than {MAX_LIST_BYTES // 1024**2} MiB", hint="list the files that are materials"
        )
    # A name may have any bytes.
    return raw.decode("utf-8", "surrogateescape").removeprefix(_BOM)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        written = line.removesuffix("\r")
        if written.strip():
            yield number, written


def _read_line(number: int, line: str, findings: Findings) -> ListedFile | None:
    match = _SUM.match(line) or _TAG.match(line)
    if match is None:
        findings.append(Finding("invalid-line", f"found {line[:_SHOWN]!r}", line=number, hint=_hint_for(line)))
        return None
    name = _unescape(match["name"]) if match["escaped"] else match["name"]
    if name is None or not name.strip() or name == _STDIN:
        found = {None: "an escape that is none of \\\\, \\n and \\r", _STDIN: "the standard input"}.get(name, "nothing")
        findings.append(Finding("invalid-line", f"expected the name of a file, found {found}", line=number))
        return None
    return ListedFile(name, number, digest_of_hex(match["hex"].lower()))


def _hint_for(line: str) -> str | None:
    digits = len(line.partition(" ")[0].lstrip("\\"))
    others = {32: "md5sum", 40: "sha1sum", 56: "sha224sum", 96: "sha384sum", 128: "sha512sum"}
    return f"this looks like {others[digits]}; write the file with sha256sum" if digits in others else None


def _unescape(name: str) -> str | None:
    """Return the name that is meant; None when it has an escape that `sha256sum` does not write."""
    if any(match[1] not in _ESCAPED for match in _ESCAPE.finditer(name)):
        return None
    return str(_ESCAPE.sub(lambda match: _ESCAPED[match[1]], name))


def _read_json(raw: bytes, source: str, findings: Findings) -> Iterator[str]:
    from chainloop_ci.attestation.strict_json import parse_strict

    try:
        document = parse_strict(raw.removeprefix(_BOM.encode()))
    except JsonInvalidError as error:
        raise ConfigInvalidError(f"{source} cannot be read: {error.message}", hint=error.hint) from error
    items = document.get("artifacts") if isinstance(document, Mapping) else document
    if not isinstance(items, list):
        findings.append(Finding("invalid-entry", "expected a list, or an object with the list `artifacts`"))
        return
    for at, item in enumerate(items):
        path = item.get("path") or item.get("name") if isinstance(item, Mapping) else item
        if isinstance(path, str) and path.strip():
            yield path
        else:
            message = "expected a path, or an object with `path` or `name`"
            findings.append(Finding("invalid-entry", message, path=f"/{at}"))


def _finished(files: tuple[ListedFile, ...], findings: Findings, source: str, expected: str) -> tuple[ListedFile, ...]:
    if findings:
        lines = "; ".join(str(finding) for finding in findings)
        hint = next((finding.hint for finding in findings if finding.hint), None)
        raise ConfigInvalidError(f"{source}: expected {expected}: {lines}", hint=hint, findings=findings)
    if len(files) > MAX_LISTED_FILES:
        raise LimitExceededError(
            f"{source} lists {len(files)} files, at most {MAX_LISTED_FILES} are read",
            hint="list the files that are materials",
        )
    return files
