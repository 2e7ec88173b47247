"""One request and its answer, as a forge's log keeps them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent. Header names are lower case; `path` has no query and is not decoded."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def document(self) -> Any:
        """Return the body's JSON; an empty body is an empty object.

        Raises:
            ValueError: The body is not JSON.
        """
        return json.loads(self.body) if self.body.strip() else {}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the forge answers. A `document` of None with `is_empty` has no body at all."""

    status: int = 200
    document: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_empty: bool = False

    def body(self) -> bytes:
        """Return the bytes of the answer."""
        return b"" if self.is_empty else json.dumps(self.document, ensure_ascii=False).encode()


class ApiError(Exception):
    """A refusal that a handler raises; the server makes an answer of it."""

    def __init__(self, status: int, document: Any, headers: Mapping[str, str] | None = None) -> None:
        self.answer = Answer(status, document, headers or {})
        super().__init__(f"{status}: {document}")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One line of the log. No token is in it: `who` and the header say the token's name."""

    number: int
    request: Request
    answer: Answer
    who: str
    """The name of the token, `anonymous`, or `unknown` for one that the forge did not make."""
    template: str | None
    """The path of the operation with its names in braces, as descriptions write it; None for an unknown operation."""
    fault: str | None = None
    """The fault that took the handler's place or hid its answer."""

    @property
    def method(self) -> str:
        """Return the request's method."""
        return self.request.method

    @property
    def path(self) -> str:
        """Return the request's path, without the API's prefix."""
        return self.request.path

    @property
    def is_write(self) -> bool:
        """Tell whether the request could have changed something."""
        return self.request.method not in ("GET", "HEAD", "OPTIONS")

    @property
    def sent(self) -> Any:
        """Return the document that the client sent."""
        return self.request.document()
