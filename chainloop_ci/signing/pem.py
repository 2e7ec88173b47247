"""PEM blocks in text that passed through a CI system's settings page. Source: RFC 7468.

People paste keys into variables: lines get indented, end in CR LF, or are joined by spaces or by a literal
backslash and n.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import field

from chainloop_ci.records import record

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,60})-----(.*?)-----END \1-----", re.DOTALL)


@record
class PemBlock:
    """One block, its lines without indentation."""

    label: str
    """`PUBLIC KEY`, `ENCRYPTED PRIVATE KEY`, …"""
    text: str = field(repr=False)
    """The whole block, ready for a PEM reader; may be secret."""

    @property
    def body(self) -> bytes:
        """Return the bytes between the lines.

        Raises:
            ValueError: not base64.
        """
        inner = "".join(self.text.splitlines()[1:-1])
        try:
            return base64.b64decode(inner, validate=True)
        except binascii.Error as error:
            raise ValueError("not base64") from error


def find_blocks(text: str) -> list[PemBlock]:
    """Return the blocks of a text in their order."""
    normal = text.replace("\\n", "\n")
    return [PemBlock(match[1], _block(match[1], match[2])) for match in _BLOCK.finditer(normal)]


def render_block(label: str, body: bytes) -> str:
    """Return a PEM block with lines of 64 characters and a line end."""
    encoded = base64.b64encode(body).decode("ascii")
    lines = [encoded[start : start + 64] for start in range(0, len(encoded), 64)]
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""))


def _block(label: str, inner: str) -> str:
    # A traditional encrypted key has headers, and a blank line that ends them; all other whitespace means nothing.
    has_headers = ":" in inner
    lines = [line.strip() for line in inner.strip().splitlines()] if has_headers else inner.split()
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""))
