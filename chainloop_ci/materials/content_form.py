"""What a file is by its first bytes, so that nothing is parsed that cannot be parsed."""

from __future__ import annotations

from chainloop_ci.materials.types import Form

_UTF8_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_MAGIC = ((b"PK\x03\x04", Form.ZIP), (b"PK\x05\x06", Form.ZIP), (b"\x1f\x8b", Form.GZIP))
_TEXT = ((b"{", Form.JSON_OBJECT), (b"[", Form.JSON_ARRAY), (b"<", Form.XML))
_HEAD_BYTES = 4096


def form_of(raw: bytes) -> Form | None:
    """Return what `raw` (a whole file or its first bytes) begins like; None for everything else."""
    for magic, form in _MAGIC:
        if raw.startswith(magic):
            return form
    head = raw[:_HEAD_BYTES].removeprefix(_UTF8_BOM).lstrip()
    return next((form for first, form in _TEXT if head.startswith(first)), None)


def wide_encoding_of(raw: bytes) -> str | None:
    """Return UTF-16 or UTF-32 when `raw` begins with such a byte order mark."""
    return next((name for bom, name in _WIDE_BOMS if raw.startswith(bom)), None)


def is_blank(raw: bytes) -> bool:
    """Tell whether `raw` is empty or white space only."""
    return not raw or raw.isspace()


def is_binary(raw: bytes) -> bool:
    """Tell whether `raw` holds a NUL byte near its start, as no text in UTF-8 does."""
    return b"\x00" in raw[:_HEAD_BYTES]


def name_form(raw: bytes) -> str:
    """Say in words what `raw` is: «an empty file», «a zip archive», «binary data», «text»."""
    if is_blank(raw):
        return "an empty file" if not raw else "a file of white space only"
    wide = wide_encoding_of(raw)
    if wide:
        return f"{wide} text"
    form = form_of(raw)
    if form:
        return form.value
    return "binary data" if is_binary(raw) else "text"
