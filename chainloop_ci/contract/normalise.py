"""Brings a document to one form before its schema is asked: camelCase names, no nulls (reference section 2.1).

The schema says which names are fields, so the free names of annotations and arguments keep their spelling.
"""

from __future__ import annotations

from chainloop_ci.contract.nodes import Entry, Node, Path, duplicate_key, pointer
from chainloop_ci.contract.schemas import Schema
from chainloop_ci.errors import Finding


def normalise(root: Node, schema: Schema) -> tuple[Node, list[Finding]]:
    """Return the tree with every known field in camelCase and without known fields that are null.

    Null means «not given», as in the protobuf JSON mapping. A field that stands in both spellings is a finding, and so
    is a list that is too long: what goes beyond its limit is cut, or every entry could become an error of its own.
    """
    findings: list[Finding] = []
    return _walk(root, schema, (), findings), findings


def camel_case(name: str) -> str:
    """Return `env_allow_list` as `envAllowList`; other names as they are."""
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest) if head else name


def _walk(node: Node, schema: Schema, path: Path, findings: list[Finding]) -> Node:
    if isinstance(node.value, list) and "items" in schema:
        items = enumerate(_cut(node, node.value, schema, path, findings))
        return Node([_walk(item, schema["items"], (*path, at), findings) for at, item in items], node.place)
    if isinstance(node.value, dict) and "properties" in schema:
        return Node(_fields(node.value, schema["properties"], path, findings), node.place)
    return node


def _cut(node: Node, items: list[Node], schema: Schema, path: Path, findings: list[Finding]) -> list[Node]:
    limit: int = schema["maxItems"]
    if len(items) > limit:
        message = f"expected at most {limit} {schema['title']}, found {len(items)}"
        line, column = node.place
        findings.append(Finding("limit-exceeded", message, path=pointer(path), line=line, column=column))
    return items[:limit]


def _fields(
    entries: dict[str, Entry], properties: dict[str, Schema], path: Path, findings: list[Finding]
) -> dict[str, Entry]:
    result: dict[str, Entry] = {}
    for written, entry in entries.items():
        name = written if written in properties else camel_case(written)
        if name not in properties:
            result[written] = entry
        elif name in result:
            findings.append(duplicate_key(name, result[name].place, entry.place, path))
        elif entry.node.value is not None:
            result[name] = Entry(_walk(entry.node, properties[name], (*path, name), findings), entry.place)
    return result
