"""The action's own code, put beside the environment as an installer would put its wheel.

The copy is named by its digest, which is that of its RECORD and stands in every attestation as the builder's (design
decision 18). Source of the files: PyPA, "Recording installed projects", "Core metadata".
"""

from __future__ import annotations

import hashlib
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
    files = sorted(_files(checkout / PACKAGE))
    info = f"{PACKAGE}-{_version(checkout)}.dist-info"
    texts = {f"{info}/INSTALLER": b"chainloop-action\n", f"{info}/METADATA": _metadata(checkout)}
    record = _record(checkout, files, texts, f"{info}/RECORD")
    fill = partial(_fill, checkout=checkout, files=files, texts={**texts, f"{info}/RECORD": record})
    return provide(kept_folder(env) / f"code-{hashlib.sha256(record).hexdigest()[:24]}", lambda folder: True, fill)


def _files(package: Path) -> Iterator[Path]:
    for path in package.rglob("*"):
        if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts:
            yield path


def _version(checkout: Path) -> str:
    found = _VERSION.search((checkout / PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    if found is None:
        raise InstallError(f"the checkout of the action is not whole: {PACKAGE}/__init__.py names no version")
    return found[1]


def _metadata(checkout: Path) -> bytes:
    return f"Metadata-Version: 2.1\nName: chainloop-ci\nVersion: {_version(checkout)}\n".encode()


def _record(checkout: Path, files: list[Path], texts: Mapping[str, bytes], own: str) -> bytes:
    rows = {path.relative_to(checkout).as_posix(): path.read_bytes() for path in files} | dict(texts)
    lines = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in sorted(rows.items())]
    return ("\n".join([*lines, f"{own},,"]) + "\n").encode()


def _digest(content: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _fill(folder: Path, *, checkout: Path, files: list[Path], texts: Mapping[str, bytes]) -> None:
    import shutil  # here, not above: most steps find the copy made

    for path in files:
        target = folder / path.relative_to(checkout)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    for name, content in texts.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
