"""Whose the names of annotations are: a user could otherwise claim what nobody found (reference section 15)."""

from __future__ import annotations

RESERVED_PREFIX = "chainloop."
"""Annotations of this name are written by Chainloop itself (reference section 3.2)."""

MATERIAL_PREFIX = f"{RESERVED_PREFIX}material."
"""Those among them that say something about a material."""


def is_reserved_annotation(name: str) -> bool:
    """Tell whether only Chainloop may set the annotation `name`; case does not count, since readers may fold it."""
    return name.lower().startswith(RESERVED_PREFIX)
