"""The action's own code, put beside the environment as an installer would put its wheel.

The copy is named by its digest, which is that of its RECORD and stands in every attestation as the builder's (design
decision 18). Source of the files: PyPA, "Recording installed projects", "Core metadata".
"""

from __future__ import annotations

import hashlib
import os
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from log import InstallError
from places import kept_folder, provide

PACKAGE = "chainloop_ci"
_VERSION = re.compile(r'^__version__ = "([0-9A-Za-z.+-]+)"$', re.MULTILINE)


def provide_payload(checkout: Path, env: Mapping[str, str]) -> Path:
    """Return a folder that holds the package of `checkout` and its RECORD.

    Raises:
        InstallError: it cannot be made.
    """
    content = dict(_read(checkout))
    version = _version(content)
    info = f"{PACKAGE}-{version}.dist-info"
    content[f"{info}/INSTALLER"] = b"chainloop-action\n"
    content[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: chainloop-ci\nVersion: {version}\n".encode()
    record = _record(content, f"{info}/RECORD")
    content[f"{info}/RECORD"] = record
    folder = kept_folder(env) / f"code-{hashlib.sha256(record).hexdigest()[:24]}"
    return provide(folder, lambda folder: True, partial(_fill, content=content))


def _read(checkout: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file of the package; links and what Python has compiled are none of it."""
    for folder, folders, names in os.walk(checkout / PACKAGE):
        folders[:] = [name for name in folders if name != "__pycache__"]
        place = Path(folder).relative_to(checkout).as_posix()
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118 - hundreds of files in every step
            if not os.path.islink(path):  # noqa: PTH114
                with open(path, "rb") as file:  # noqa: PTH123
                    yield f"{place}/{name}", file.read()


def _version(content: Mapping[str, bytes]) -> str:
    found = _VERSION.search(content.get(f"{PACKAGE}/__init__.py", b"").decode("utf-8", "replace"))
    if found is None:
        raise InstallError(f"the checkout of the action is not whole: {PACKAGE}/__init__.py names no version")
    return found[1]


def _record(content: Mapping[str, bytes], own: str) -> bytes:
    lines = [f"{name},sha256={_digest(raw)},{len(raw)}" for name, raw in sorted(content.items())]
    return ("\n".join([*lines, f"{own},,"]) + "\n").encode()


def _digest(content: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _fill(folder: Path, *, content: Mapping[str, bytes]) -> None:
    for place in {name.rpartition("/")[0] for name in content}:
        (folder / place).mkdir(parents=True, exist_ok=True)
    for name, raw in content.items():
        (folder / name).write_bytes(raw)
