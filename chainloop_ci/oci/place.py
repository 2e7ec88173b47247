"""How an image on this machine is written: the path of an OCI layout, with or without the digest of one image in it.

Source: reference section 3.4 step 1.
"""

from __future__ import annotations

from pathlib import Path

from chainloop_ci.digests import is_digest

LAYOUT_FILE = "oci-layout"
"""The file that makes a folder a layout (OCI image format specification 1.1, image-layout.md)."""


def split_digest(value: str) -> tuple[str, str]:
    """Return a path and the digest behind its last `@`, empty without one; a path may hold an `@` of its own."""
    place, at, digest = value.rpartition("@")
    return (place, digest) if at and is_digest(digest) else (value, "")


def is_layout(value: str, folder: Path) -> bool:
    """Tell whether a value, taken from `folder`, is the folder of an OCI layout."""
    return is_file(folder / split_digest(value)[0] / LAYOUT_FILE)


def is_file(path: Path) -> bool:
    """Tell whether a path is an ordinary file; what is no path is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False  # too long for a path, or with a NUL


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder; what is no path is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False  # too long for a path, or with a NUL
