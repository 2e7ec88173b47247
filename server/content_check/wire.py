"""What goes between a worker and the child that looks at documents: frames of bytes, and bounded strict JSON.

The worker believes nothing of an answer but its form: a document that took its child over can lie about itself, which
it could have done in its text, and can do nothing else.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from chainloop_ci.attestation.strict_json import parse_strict
from chainloop_ci.contract.types import MaterialType
from chainloop_ci.errors import ChainloopError, Finding, MaterialRejectedError
from chainloop_ci.materials.annotations import FACTS
from chainloop_ci.materials.types import Checked
from server.content_check.limits import MAX_ANSWER_BYTES

READY = b"R"
"""What the process that makes children says once, when it has loaded everything."""

_LENGTH = struct.Struct("!I")
_MAX_FINDINGS = 51
_MAX_TEXT = 2000
_NUMBERS = ("line", "column")


class Task(StrEnum):
    """What is wanted of a document."""

    CHECK = "check"
    """Is it what its type says (`MaterialKind.check`)?"""
    DESCRIBE = "describe"
    """What does it say of itself (`MaterialKind.describe_small`)?"""


class StopReason(StrEnum):
    """Why a check came to no verdict."""

    TIME = "time limit"
    MEMORY = "memory limit"
    CRASHED = "crashed"


class CheckOutcome(StrEnum):
    """What came of a document that was to be looked at; for metrics."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    """It is not what its type says."""
    TIME_LIMIT = "time-limit"
    MEMORY_LIMIT = "memory-limit"
    CRASHED = "crashed"
    PUT_OFF = "put-off"
    """No memory, processor or process was to be had; the client comes again."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A check that came to no verdict: whatever the document is, it does not count as checked."""

    reason: StopReason
    detail: str = ""
    """For the log: a signal, the name of an exception."""


@dataclass(frozen=True, slots=True)
class Job:
    """One document to look at."""

    type: MaterialType
    task: Task
    strict: bool = True

    def to_bytes(self) -> bytes:
        """Return the frame that goes before the document."""
        return json.dumps({"type": self.type.value, "task": self.task.value, "strict": self.strict}).encode()

    @classmethod
    def from_bytes(cls, raw: bytes) -> Job:
        """Read `to_bytes`."""
        document = json.loads(raw)
        return cls(MaterialType(document["type"]), Task(document["task"]), bool(document["strict"]))


class AnswerInvalidError(ValueError):
    """The child answered something that is no answer."""


class Channel(Protocol):
    """One end of the connection: a socket."""

    def recv(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""

    def sendall(self, raw: bytes, /) -> None:
        """Send all of it."""


def send_frame(channel: Channel, raw: bytes | memoryview) -> None:
    """Send one frame; an empty one ends a document."""
    channel.sendall(_LENGTH.pack(len(raw)))
    if raw:
        channel.sendall(bytes(raw))


def receive_frame(channel: Channel, max_bytes: int) -> bytes | None:
    """Return the next frame; None: the other side has ended.

    Raises:
        AnswerInvalidError: it is longer than `max_bytes`, or broke off.
    """
    head = _receive(channel, _LENGTH.size)
    if not head:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > max_bytes:
        raise AnswerInvalidError(f"a frame of {length} bytes")
    return _receive(channel, length)


def _receive(channel: Channel, count: int) -> bytes:
    blocks: list[bytes] = []
    missing = count
    while missing:
        block = channel.recv(missing)
        if not block:
            if missing == count:
                return b""
            raise AnswerInvalidError("a frame that broke off")
        blocks.append(block)
        missing -= len(block)
    return b"".join(blocks)


# --- the child's side ----------------------------------------------------------------------------------------------


def render_checked(checked: Checked) -> bytes:
    """Return the answer for a document that is what its type says."""
    return _render({"annotations": _clean(dict(checked.annotations)), "warnings": _clean(list(checked.warnings))})


def render_rejected(error: ChainloopError) -> bytes:
    """Return the answer for a document that is refused."""
    findings = [finding.to_dict() for finding in error.findings[:_MAX_FINDINGS]]
    return _render({"rejected": _clean({"message": error.message, "hint": error.hint or "", "findings": findings})})


def render_stopped(reason: StopReason, detail: str = "") -> bytes:
    """Return the answer for a document with which the child could not cope."""
    return _render({"stopped": reason.value, "detail": _clean(detail)})


def _render(answer: Mapping[str, Any]) -> bytes:
    return json.dumps(answer).encode()


def _clean(value: Any) -> Any:
    """Write lone surrogates out: names in a tar archive may hold them, and strict JSON may not."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {name: _clean(item) for name, item in value.items()}
    return value


# --- the worker's side ---------------------------------------------------------------------------------------------


def read_answer(raw: bytes) -> Checked | Stopped:
    """Return what the child found out.

    Raises:
        MaterialRejectedError: the document is not what its type says.
        AnswerInvalidError: this is no answer.
    """
    try:
        answer = parse_strict(raw, max_bytes=MAX_ANSWER_BYTES)
    except ChainloopError as error:
        raise AnswerInvalidError(error.message) from error
    if not isinstance(answer, dict):
        raise AnswerInvalidError("no object")
    if "rejected" in answer:
        raise _read_rejected(_members(answer["rejected"]))
    if "stopped" in answer:
        return _read_stopped(answer)
    return _read_checked(answer)


def _read_rejected(rejected: Mapping[str, object]) -> MaterialRejectedError:
    entries = rejected.get("findings")
    if not isinstance(entries, list) or len(entries) > _MAX_FINDINGS:
        raise AnswerInvalidError("no list of findings, or too long a one")
    findings = [_read_finding(_members(entry)) for entry in entries]
    return MaterialRejectedError(
        _text(rejected.get("message")), hint=_text(rejected.get("hint")) or None, findings=findings
    )


def _read_finding(entry: Mapping[str, object]) -> Finding:
    numbers = {name: entry[name] for name in _NUMBERS if type(entry.get(name)) is int}
    texts = {name: _text(entry[name]) for name in ("path", "hint") if entry.get(name) is not None}
    return Finding(_text(entry.get("code")), _text(entry.get("message")), **texts, **numbers)  # type: ignore[arg-type]  # the keys are the fields' names


def _read_stopped(answer: Mapping[str, object]) -> Stopped:
    try:
        return Stopped(StopReason(str(answer["stopped"])), _text(answer.get("detail"))[:100])
    except ValueError as error:
        raise AnswerInvalidError("no reason") from error


def _read_checked(answer: Mapping[str, object]) -> Checked:
    annotations, warnings = _members(answer.get("annotations")), answer.get("warnings")
    if not isinstance(warnings, list) or len(warnings) > _MAX_FINDINGS:
        raise AnswerInvalidError("no list of warnings, or too long a one")
    if not all(name in FACTS and isinstance(value, str) for name, value in annotations.items()):
        raise AnswerInvalidError("facts that no check derives")
    return Checked(
        {name: str(value) for name, value in annotations.items()}, warnings=tuple(_text(item) for item in warnings)
    )


def _members(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise AnswerInvalidError("no object where one has to be")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise AnswerInvalidError("no text where one has to be")
    return value[:_MAX_TEXT]
