"""Texts of others as every database takes them."""

from __future__ import annotations


def storable(text: str, limit: int) -> str:
    """Return a text cut to `limit` characters, without NUL and halves of surrogate pairs: PostgreSQL refuses the one,
    and UTF-8 has no form for the other.
    """
    return text[:limit].encode("utf-8", "replace").decode().replace("\0", "")
