"""Loads a contract: bytes in YAML, JSON or CUE → the record, or every error at once with its position.

The schema is chosen by the header first and only that schema's errors are reported (design decision 8).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from chainloop_ci.contract.cue_subset import read_cue
from chainloop_ci.contract.document import from_document
from chainloop_ci.contract.json_reader import read_json
from chainloop_ci.contract.nodes import Node, Path, Tree, broken, find_node, finding_at, plain
from chainloop_ci.contract.normalise import camel_case, normalise
from chainloop_ci.contract.rules import check_rules, find_warnings
from chainloop_ci.contract.schema_findings import MAX_FINDINGS, check_schema
from chainloop_ci.contract.schemas import contract_schema
from chainloop_ci.contract.types import Contract, ContractFormat, ContractSchema, MaterialType
from chainloop_ci.contract.yaml12 import read_yaml
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import ChainloopError, ContractInvalidError, Finding
from chainloop_ci.records import record

EvaluateCue = Callable[[bytes], bytes]
"""Turns full CUE into JSON; raises `ContractInvalidError` or `LimitExceededError`."""

_READERS = {ContractFormat.JSON: read_json, ContractFormat.YAML: read_yaml, ContractFormat.CUE: read_cue}
_EXTENSIONS = {
    ".json": ContractFormat.JSON,
    ".yaml": ContractFormat.YAML,
    ".yml": ContractFormat.YAML,
    ".cue": ContractFormat.CUE,
}
_BEYOND_SUBSET = frozenset(("cue-unsupported", "cue-syntax", "cue-conflict"))

_OVER_LIMIT = frozenset(("too-deep", "too-many-values"))

_BEGINNING = "a contract begins with `apiVersion: chainloop.dev/v1` and `kind: Contract`: see docs/contracts.md"


@record
class LoadedContract:
    """A valid contract and the bytes to store."""

    contract: Contract
    raw: bytes
    """What was given, byte for byte; for full CUE the JSON that the `cue` program exported."""
    format: ContractFormat
    digest: Digest
    """Of `raw`."""
    warnings: tuple[Finding, ...] = ()


def load(
    raw: bytes,
    *,
    filename: str | None = None,
    format: ContractFormat | None = None,
    evaluate_cue: EvaluateCue | None = None,
    implemented: frozenset[MaterialType] | None = None,
) -> LoadedContract:
    """Return the contract in `raw`.

    The format is the one given, else the one of the file name's extension, else the first of JSON, YAML and CUE that
    reads. `evaluate_cue` turns full CUE into JSON. With `implemented` a material of another type is a warning.

    Raises:
        ContractInvalidError: with every error, in the order of the text (the first `MAX_FINDINGS`).
        LimitExceededError: more than 1 MiB.
    """
    try:
        read, found, tree = _read(raw, format or _format_of(filename), evaluate_cue)
    except ContractInvalidError as error:
        if not any(word in raw for word in (b"apiVersion", b"schemaVersion")):
            error.hint = _BEGINNING  # a file of another kind, not a misspelt contract
        raise
    if read == raw:
        return _judge(read, found, tree, implemented)
    try:
        judged = _judge(read, found, tree, implemented)
    except ContractInvalidError as error:
        raise _invalid(_unplaced(error.findings)) from error
    return replace(judged, warnings=tuple(_unplaced(judged.warnings)))


def find_lines(raw: bytes, *, filename: str | None = None, paths: Iterable[str]) -> dict[str, int]:
    """Return the line of each value that one of `paths` names, counted from 1.

    `paths` are those of findings: JSON pointers into the normalised contract. A contract that cannot be read here, full
    CUE among them, has no lines; what is not in it has none either.
    """
    try:
        _, _, tree = _read(raw, _format_of(filename), None)
        root, _ = normalise(tree.root, contract_schema(_choose_schema(tree)))
    except ChainloopError:
        return {}
    return {path: node.place.line for path in paths if (node := find_node(root, path))}


def _unplaced(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings about exported JSON: its lines and columns are those of a text that nobody has seen."""
    return [replace(finding, line=None, column=None) for finding in findings]


def _judge(
    raw: bytes, found: ContractFormat, tree: Tree, implemented: frozenset[MaterialType] | None
) -> LoadedContract:
    form = _choose_schema(tree)
    schema = contract_schema(form)
    root, findings = normalise(tree.root, schema)
    document: Any = plain(root)
    prefix: Path = () if form is ContractSchema.V1 else ("spec",)
    body = document if form is ContractSchema.V1 else document.get("spec")
    body = body if isinstance(body, dict) else {}
    _refuse([*tree.findings, *findings], check_rules(body, prefix, root), check_schema(form, document, root, schema))
    warnings = _in_order(find_warnings(body, prefix, root, implemented))
    return LoadedContract(from_document(document), raw, found, sha256_digest(raw), tuple(warnings))


def _format_of(filename: str | None) -> ContractFormat | None:
    return _EXTENSIONS.get(PurePosixPath(filename).suffix.lower()) if filename else None


def _read(
    raw: bytes, wanted: ContractFormat | None, evaluate: EvaluateCue | None
) -> tuple[bytes, ContractFormat, Tree]:
    if wanted is None:
        return _read_any(raw, evaluate)
    try:
        return raw, wanted, _READERS[wanted](raw)
    except ContractInvalidError as error:
        if wanted is not ContractFormat.CUE or evaluate is None or error.findings[0].code not in _BEYOND_SUBSET:
            raise
    exported = evaluate(raw)
    try:
        return exported, ContractFormat.JSON, read_json(exported)
    except ContractInvalidError as error:
        raise _invalid(_unplaced(error.findings)) from error


def _read_any(raw: bytes, evaluate: EvaluateCue | None) -> tuple[bytes, ContractFormat, Tree]:
    """Try the formats in turn; when none reads, report the one that the text looks like."""
    errors: dict[ContractFormat, ContractInvalidError] = {}
    guess = _guess(raw)
    for wanted in (ContractFormat.JSON, ContractFormat.YAML, ContractFormat.CUE):
        try:
            # Broken YAML without a file name is no business of the `cue` program.
            read = _read(raw, wanted, evaluate if guess is ContractFormat.CUE else None)
        except ContractInvalidError as error:
            if error.findings[0].code in _OVER_LIMIT:
                raise
            errors[wanted] = error
            continue
        if isinstance(read[2].root.value, dict):
            return read
        errors[wanted] = broken("not-a-mapping", "expected the fields of a contract", read[2].root.place)
    raise errors[guess]


def _guess(raw: bytes) -> ContractFormat:
    start = raw.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"{") and start[1:].lstrip().startswith(b'"'):
        return ContractFormat.JSON
    cue_marks = (b"//", b"package ", b"import ", b"{")
    return ContractFormat.CUE if start.startswith(cue_marks) else ContractFormat.YAML


def _choose_schema(tree: Tree) -> ContractSchema:
    """Return the form that the header names.

    Raises:
        ContractInvalidError: there is no header, or there are two.
    """
    root = tree.root
    if not isinstance(root.value, dict):
        raise broken("not-a-mapping", "expected the fields of a contract", root.place, _BEGINNING)
    names = {camel_case(name) for name in root.value}
    v1, v2 = "schemaVersion" in names, bool(names & {"apiVersion", "kind"})
    if v1 and v2:
        message = "the contract has two headers: schemaVersion is of v1, apiVersion and kind are of v2"
        raise _invalid([*tree.findings, _header_finding(root, message)])
    if not v1 and not v2:
        message = "the contract has no header: expected apiVersion and kind (v2), or schemaVersion (v1)"
        raise _invalid([*tree.findings, _header_finding(root, message)])
    return ContractSchema.V1 if v1 else ContractSchema.V2


def _header_finding(root: Node, message: str) -> Finding:
    return finding_at(root, (), "contract-header", message, _BEGINNING)


def _refuse(written: Sequence[Finding], rules: Sequence[Finding], schema: Sequence[Finding]) -> None:
    """Raise when there is any finding. A rule says more than the schema does about the same value."""
    told = {finding.path for finding in rules}
    findings = [*written, *rules, *(finding for finding in schema if finding.path not in told)]
    if findings:
        raise _invalid(findings)


def _invalid(findings: Sequence[Finding]) -> ContractInvalidError:
    ordered = _in_order(findings)[:MAX_FINDINGS]
    count = f"{len(ordered)} errors" if len(ordered) < MAX_FINDINGS else f"{MAX_FINDINGS} errors or more"
    if len(ordered) == 1:
        return ContractInvalidError(f"the contract has 1 error: {ordered[0]}", hint=ordered[0].hint, findings=ordered)
    # Whoever shows the error shows its findings, each with its own hint.
    return ContractInvalidError(f"the contract has {count}", findings=ordered)


def _in_order(findings: Sequence[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: (finding.line or 0, finding.column or 0))
