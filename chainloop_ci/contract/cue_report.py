"""What the `cue` program writes when it refuses a file, as findings with positions.

Form (cue v0.4 to v0.17, `cmd/cue/cmd/common.go` and `cue/errors`): a message that ends in a colon, then one indented
`file:line:column` for each place that it is about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from chainloop_ci.contract.schema_findings import MAX_FINDINGS
from chainloop_ci.errors import ContractInvalidError, Finding

SOURCE_NAME = "contract.cue"
"""The name under which the program is given a contract."""

_PLACE = re.compile(rf"\s+(?:\./|-|.*[/\\])?{re.escape(SOURCE_NAME)}:(\d{{1,9}})(?::(\d{{1,9}}))?")
_PATH = re.compile(r'((?:[\w#$]+|"[^"\s]{1,100}")(?:\.(?:[\w#$]+|"[^"\s]{1,100}"))*): (.+)', re.ASCII)
_PLACELESS = ("incomplete value", "conflicting values", "invalid value", "field not allowed")
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f]")
_SHOWN = 300
_IMPORTS = ("import failed", "cannot embed", "package ", "cannot find package")
_ONE_FILE = (
    "a contract is one file: only packages that are built into cue (strings, list, …) may be imported; export it where "
    "its module is: cue export --out json FILE > contract.json"
)
_INCOMPLETE = "a contract holds values only: give the field a value or a default (*value | type)"
_CLOSED = "the definition is closed: it takes no field that it does not name; correct the name, or open it with `...`"
_CORRECT = "correct the file; `cue export FILE` shows the same errors"


def explain(report: str) -> ContractInvalidError | None:
    """Return the error that a report of the program stands for, None when it is none (a crash, a foreign program)."""
    findings = [_finding(message, places) for message, places in _messages(report)]
    if not findings:
        return None
    findings = findings[:MAX_FINDINGS]
    # Several are listed by themselves.
    count = f"1 error: {findings[0]}" if len(findings) == 1 else f"{len(findings)} errors"
    return ContractInvalidError(f"cue refuses the contract: {count}", hint=findings[0].hint, findings=findings)


def _messages(report: str) -> Iterator[tuple[str, Sequence[tuple[int, int | None]]]]:
    """Yield each message that has a place in the file, or says something about imports."""
    message, places = "", list[tuple[int, int | None]]()
    for line in [*report.splitlines(), "end"]:
        if found := _PLACE.fullmatch(line):
            places.append((int(found[1]), int(found[2]) if found[2] else None))
        elif line and not line[0].isspace():
            if places or _is_whole(message):
                yield message, places
            message, places = line.rstrip(":"), []


def _is_whole(message: str) -> bool:
    """Tell whether a message without a place is one of cue's, not a foreign program's."""
    found = _PATH.fullmatch(message)
    return message.startswith(_IMPORTS) or bool(found and found[2].startswith(_PLACELESS))


def _finding(message: str, places: Sequence[tuple[int, int | None]]) -> Finding:
    found = _PATH.fullmatch(message)
    path = "/" + found[1].replace('"', "").replace(".", "/") if found else None
    text = _UNSAFE.sub("?", found[2] if found else message)
    text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    line, column = places[0] if places else (None, None)
    others = sorted({other for other, _ in places} - {line})
    if others:
        text += f" (see line {', '.join(map(str, others[:5]))})"
    return Finding(_code(message), text, path=path, line=line, column=column, hint=_hint(message))


def _code(message: str) -> str:
    if message.startswith(_IMPORTS):
        return "cue-import"
    if "incomplete" in message:
        return "cue-incomplete"
    return "cue-conflict" if "conflicting values" in message else "cue-error"


def _hint(message: str) -> str:
    if message.startswith(_IMPORTS):
        return _ONE_FILE
    if "field not allowed" in message:
        return _CLOSED
    return _INCOMPLETE if "incomplete" in message else _CORRECT
