"""Files with `spec: inputs:` as GitLab reads them: the document is read first, then its texts are replaced.

A text that is nothing but one input becomes the input's value with its type; within a longer text it becomes text.
Source: gitlabhq/gitlabhq, lib/gitlab/ci/config/interpolation/template.rb and inputs/*.rb.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

_BLOCK = re.compile(r"\$\[\[\s*inputs\.([\w-]+)\s*\]\]")
_TYPES: dict[str, type | tuple[type, ...]] = {"string": str, "number": (int, float), "boolean": bool, "array": list}


class Reference(list[Any]):
    """What `!reference` names."""


class _Loader(yaml.SafeLoader):
    pass


_Loader.add_constructor("!reference", lambda loader, node: Reference(loader.construct_sequence(node)))


@dataclass(frozen=True)
class Spec:
    """A file with a header."""

    inputs: Mapping[str, Mapping[str, Any]]
    body: Mapping[str, Any]

    def interpolated(self, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the body with the inputs in place.

        Raises:
            ValueError: an input is unknown, or its value of another type or not among its options.
        """
        values = {name: self._value(name, (given or {}).get(name)) for name in self.inputs}
        if unknown := set(given or {}) - set(self.inputs):
            raise ValueError(f"unknown input arguments: {unknown}")
        replaced = _replace(self.body, values)
        assert isinstance(replaced, dict)
        return replaced

    def _value(self, name: str, given: Any) -> Any:
        row = self.inputs[name]
        value = row["default"] if given is None else given
        kind = row.get("type", "string")
        right = isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
        if not right or value not in row.get("options", [value]):
            raise ValueError(f"`{name}` input: {value!r} is no {kind} of {row.get('options', 'any')}")
        return value


def read_spec(text: str) -> Spec:
    """Read a file with its header."""
    header, body = yaml.load_all(text, Loader=_Loader)
    return Spec(header["spec"]["inputs"], body)


def _replace(node: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(node, Reference):
        return node
    if isinstance(node, dict):
        return {_replace(key, values): _replace(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [_replace(item, values) for item in node]
    if not isinstance(node, str):
        return node
    whole = _BLOCK.fullmatch(node)
    return values[whole[1]] if whole else _BLOCK.sub(lambda match: _text(values[match[1]]), node)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
