"""What a file is by its first bytes."""

from __future__ import annotations

import pytest

from chainloop_ci.materials.content_form import form_of, name_form
from chainloop_ci.materials.types import Form


@pytest.mark.parametrize(
    ("raw", "form"),
    [
        (b'{"a"', Form.JSON_OBJECT),
        (b' \r\n\t{"a"', Form.JSON_OBJECT),
        (b'\xef\xbb\xbf{"a"', Form.JSON_OBJECT),
        (b"[1", Form.JSON_ARRAY),
        (b"<?xml", Form.XML),
        (b"PK\x03\x04", Form.ZIP),
        (b"PK\x05\x06", Form.ZIP),
        (b"\x1f\x8b\x08", Form.GZIP),
        (b"", None),
        (b"text", None),
        (b"\x00{", None),
    ],
)
def test_the_first_bytes_tell_the_form(raw, form):
    assert form_of(raw) is form


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"", "an empty file"),
        (b"\n", "a file of white space only"),
        (b"\xff\xfe<\x00", "UTF-16 text"),
        (b"\x00\x01", "binary data"),
        (b"hello", "text"),
        (b"<a/>", "XML"),
    ],
)
def test_a_form_has_a_name_for_people(raw, name):
    assert name_form(raw) == name
