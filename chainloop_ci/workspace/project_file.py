"""`.chainloop.yml`: what a repository says of its own attestations, and nothing else (R21).

A pull request controls this file. It names attestations and their materials; where and as whom they are sent is for
options and environment only, and its paths stay inside the workspace (R22: `open_material(path, root=…)`).

    projectVersion: v1.2.0
    attestations:
      - name: build
        workflow: release
        materials:
          - {name: sbom, type: SBOM_CYCLONEDX_JSON, path: out/sbom.json}

The form of Chainloop Labs is read too: a list of `{name, path}` at the top, which is an attestation of the list's name;
theirs is `attestation` when nobody says another (reference section 11).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from chainloop_ci.contract.annotations import RESERVED_PREFIX, is_reserved_annotation
from chainloop_ci.contract.types import MaterialType
from chainloop_ci.errors import ConfigInvalidError, ContractInvalidError, Finding, LimitExceededError
from chainloop_ci.records import record
from chainloop_ci.workspace.paths import open_material

FILE_NAMES = (".chainloop.yaml", ".chainloop.yml")
"""In the order in which they are looked for in one folder."""
MAX_PROJECT_FILE_BYTES = 1024 * 1024
"""Largest project file, in bytes."""
LABS_NAME = "attestation"
"""The list that Chainloop Labs' scripts read when nobody names another."""

_TOP_FIELDS = ("projectVersion", "attestations")
_ATTESTATION_FIELDS = ("name", "workflow", "project", "version", "materials", "annotations")
_MATERIAL_FIELDS = ("name", "type", "path", "value", "multiple", "annotations")
# Compared without case, hyphens and underscores.
_SERVER_WORDS = ("controlplane", "server", "url", "api", "token", "key", "password", "secret", "proxy", "index")
_SERVER_FIELDS = frozenset({"ca", "cacert", "cafile", "insecure", "org", "organization", "auth"})


@record
class ProjectMaterial:
    """One material that `add` takes without being told."""

    name: str
    type: MaterialType | None = None
    """None: the contract's type, else inferred."""
    path: str | None = None
    """A file inside the workspace, or a pattern of some; relative to the folder of the project file."""
    value: str | None = None
    """A literal or an image reference; exactly one of `path` and `value` is set."""
    multiple: bool = False
    """Each of several files that `path` matches is a material."""
    annotations: Mapping[str, str] = field(default_factory=dict)


@record
class ProjectAttestation:
    """One attestation of the repository; what is None comes from options."""

    name: str
    workflow: str | None = None
    project: str | None = None
    version: str | None = None
    materials: tuple[ProjectMaterial, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    labs: bool = False
    """Whether it is written in the form of Chainloop Labs."""


@record
class ProjectFile:
    """A checked project file."""

    path: Path
    project_version: str | None = None
    attestations: tuple[ProjectAttestation, ...] = ()

    def find_attestation(self, name: str | None = None) -> ProjectAttestation | None:
        """Return the attestation called `name`; without a name the only one there is, or Labs' usual one."""
        if name is None and len(self.attestations) == 1:
            return self.attestations[0]
        if name is None and not all(entry.labs for entry in self.attestations):
            return None
        return next((entry for entry in self.attestations if entry.name == (name or LABS_NAME)), None)


def find_project_file(start: Path) -> Path | None:
    """Return the nearest project file in `start` or above; the search ends with the folder that holds `.git`."""
    here = start.absolute()
    for folder in (here, *here.parents):
        for name in FILE_NAMES:
            if (folder / name).is_file():
                return folder / name
        if (folder / ".git").exists():
            return None
    return None


def load_project_file(path: Path) -> ProjectFile:
    """Read and check a project file.

    Raises:
        ConfigInvalidError: with everything that is wrong, and with every field that only an operator may set (R21).
        PathRefusedError: the file is a link that leads out of its folder.
        FileUnreadableError: it may not be read.
    """
    with open_material(path.name, root=path.parent) as file:
        raw = file.read(MAX_PROJECT_FILE_BYTES + 1)
    if len(raw) > MAX_PROJECT_FILE_BYTES:
        raise ConfigInvalidError(f"{path} is larger than {MAX_PROJECT_FILE_BYTES // 1024} KiB")
    if not raw.strip():
        return ProjectFile(path)
    reader = _Reader(raw, path)
    result = reader.project_file()
    if reader.findings:
        lines = "; ".join(str(finding) for finding in reader.findings)
        raise ConfigInvalidError(
            f"{path} cannot be used: {lines}",
            hint="it may set only attestations: name, workflow, project, version, materials, annotations",
            findings=reader.findings,
        )
    return result


class _Reader:
    """Turns the document into records and collects every finding."""

    def __init__(self, raw: bytes, path: Path) -> None:
        # Heavy: yaml is loaded by it.
        from chainloop_ci.contract.yaml12 import read_yaml

        try:
            self._tree = read_yaml(raw)
        except (ContractInvalidError, LimitExceededError) as error:
            # The reader is the contracts' and speaks of them.
            texts = "; ".join(str(finding) for finding in error.findings) or error.message
            raise ConfigInvalidError(f"{path} cannot be read: {texts}", findings=error.findings) from error
        self._path = path
        self.findings: list[Finding] = list(self._tree.findings)

    def project_file(self) -> ProjectFile:
        from chainloop_ci.contract.nodes import plain

        document = plain(self._tree.root)
        if not isinstance(document, dict):
            self._report((), "invalid-field", f"expected fields, found {_word(document)}")
            return ProjectFile(self._path)
        labs = [name for name in document if name not in _TOP_FIELDS and _is_labs_list(document[name])]
        self._refuse_unknown((), [name for name in document if name not in labs], _TOP_FIELDS)
        attestations = self._attestations(document.get("attestations"))
        for name in set(labs) & {entry.name for entry in attestations}:
            self._report((name,), "duplicate-name", f"the name {name} is one of the attestations too")
        return ProjectFile(
            self._path,
            project_version=self._text((), document, "projectVersion"),
            attestations=(*attestations, *(self._labs(name, document[name]) for name in labs)),
        )

    def _attestations(self, value: object) -> tuple[ProjectAttestation, ...]:
        items = self._items(("attestations",), value)
        found = tuple(self._attestation(path, fields) for path, fields in items)
        self._refuse_repeated(("attestations",), [entry.name for entry in found])
        return found

    def _labs(self, name: str, value: object) -> ProjectAttestation:
        materials = tuple(self._material(path, item) for path, item in self._items((name,), value))
        self._refuse_repeated((name,), [material.name for material in materials])
        return ProjectAttestation(name, materials=materials, labs=True)

    def _attestation(self, path: tuple[str | int, ...], fields: Mapping[str, object]) -> ProjectAttestation:
        self._refuse_unknown(path, fields, _ATTESTATION_FIELDS)
        materials_path = (*path, "materials")
        materials = tuple(
            self._material(inner, item) for inner, item in self._items(materials_path, fields.get("materials"))
        )
        self._refuse_repeated(materials_path, [material.name for material in materials])
        return ProjectAttestation(
            name=self._required(path, fields, "name"),
            workflow=self._text(path, fields, "workflow"),
            project=self._text(path, fields, "project"),
            version=self._text(path, fields, "version"),
            materials=materials,
            annotations=self._annotations((*path, "annotations"), fields.get("annotations")),
        )

    def _material(self, path: tuple[str | int, ...], fields: Mapping[str, object]) -> ProjectMaterial:
        self._refuse_unknown(path, fields, _MATERIAL_FIELDS)
        if ("path" in fields) == ("value" in fields):
            self._report(path, "invalid-field", "a material has either a path or a value, and not both")
        return ProjectMaterial(
            name=self._required(path, fields, "name"),
            type=self._type(path, fields),
            path=self._text(path, fields, "path"),
            value=self._text(path, fields, "value"),
            multiple=self._multiple(path, fields),
            annotations=self._annotations((*path, "annotations"), fields.get("annotations")),
        )

    def _type(self, path: tuple[str | int, ...], fields: Mapping[str, object]) -> MaterialType | None:
        name = self._text(path, fields, "type")
        if name is None:
            return None
        if name in MaterialType.__members__:
            return MaterialType(name)
        self._report((*path, "type"), "unknown-type", f"{name} is no material type{_suggest(name, list(MaterialType))}")
        return None

    def _multiple(self, path: tuple[str | int, ...], fields: Mapping[str, object]) -> bool:
        value = fields.get("multiple", False)
        if not isinstance(value, bool):
            self._report((*path, "multiple"), "invalid-field", f"expected true or false, found {_word(value)}")
        elif value and "path" not in fields:
            self._report((*path, "multiple"), "invalid-field", "only a path can match several files")
        return value is True

    def _annotations(self, path: tuple[str | int, ...], value: object) -> dict[str, str]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._report(path, "invalid-field", f"expected names with texts, found {_word(value)}")
            return {}
        for name in filter(is_reserved_annotation, value):
            message = f"annotation names that begin with {RESERVED_PREFIX} are reserved, found {name[:80]!r}"
            self._report((*path, name), "reserved-annotation", message, "choose another name")
        return {name: self._text(path, value, name) or "" for name in value}

    def _items(
        self, path: tuple[str | int, ...], value: object
    ) -> list[tuple[tuple[str | int, ...], Mapping[str, object]]]:
        if value is None:
            return []
        if not isinstance(value, list):
            self._report(path, "invalid-field", f"expected a list, found {_word(value)}")
            return []
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                self._report((*path, index), "invalid-field", f"expected fields, found {_word(item)}")
        return [((*path, index), item) for index, item in enumerate(value) if isinstance(item, dict)]

    def _text(self, path: tuple[str | int, ...], fields: Mapping[str, object], name: str) -> str | None:
        value = fields.get(name)
        if value is None or isinstance(value, str):
            return value
        hint = "put it in quotes" if isinstance(value, int | float) else None
        self._report((*path, name), "invalid-field", f"expected a text, found {_word(value)}", hint)
        return None

    def _required(self, path: tuple[str | int, ...], fields: Mapping[str, object], name: str) -> str:
        if not fields.get(name):
            self._report(path, "missing-field", f"the field {name} is missing")
        return self._text(path, fields, name) or ""

    def _refuse_unknown(
        self, path: tuple[str | int, ...], names: Sequence[str] | Mapping[str, object], known: Sequence[str]
    ) -> None:
        for name in names:
            if name in known:
                continue
            if _is_operators(name):
                message = f"{name} may not be set by a file that a pull request controls"
                self._report((*path, name), "refused-field", message, "set it by an option or a variable of the job")
            else:
                self._report((*path, name), "unknown-field", f"{name} is no known field{_suggest(name, known)}")

    def _refuse_repeated(self, path: tuple[str | int, ...], names: Sequence[str]) -> None:
        for index, name in enumerate(names):
            if name and name in names[:index]:
                self._report((*path, index), "duplicate-name", f"the name {name} stands twice")

    def _report(self, path: tuple[str | int, ...], code: str, message: str, hint: str | None = None) -> None:
        from chainloop_ci.contract.nodes import finding_at

        self.findings.append(finding_at(self._tree.root, path, code, message, hint))


def _is_operators(name: str) -> bool:
    folded = name.replace("-", "").replace("_", "").lower()
    return folded in _SERVER_FIELDS or any(word in folded for word in _SERVER_WORDS)


def _is_labs_list(value: object) -> bool:
    """Tell whether a top-level value is the list of `{name, path}` that Chainloop Labs' scripts read (reference 11)."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and {"name", "path"} == set(item) for item in value)
    )


def _suggest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f" (known: {', '.join(known)})" if len(known) < 10 else ""


def _word(value: object) -> str:
    words = {dict: "fields", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return words.get(type(value), "nothing")
