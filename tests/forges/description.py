"""A published description of an API: which operation a request is, whether it and its answer are what it says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from examples.forge.exchange import Exchange
from tests.forges.schemas import validator, without_nulls

SHOWN = 3


class Description:
    """An OpenAPI 3.0 document. Validators are made for the operations that are met: the document is big."""

    def __init__(self, document: Mapping[str, Any], prefix: str = "", is_lenient: bool = False) -> None:
        self.document = document
        self.prefix = prefix
        self.is_lenient = is_lenient
        """Lenient towards answers; requests are always checked strictly."""
        self._validators: dict[tuple[str, ...], Any] = {}

    @cached_property
    def _paths(self) -> dict[str, Mapping[str, Any]]:
        # The names in braces are the document's own; what is compared is where they stand.
        return {_shape(path): operations for path, operations in self.document["paths"].items()}

    def violations(self, seen: Exchange) -> list[str]:
        """Return what of an exchange is not as the description says.

        What a fault answered is not checked, nor the request of one that was refused: a test may ask for what is wrong.
        """
        if seen.fault not in (None, "slow"):
            return []
        name = f"{seen.method} {seen.path} ({seen.template})"
        if seen.template is None:
            return [f"{name}: the stand-in has no such operation"]
        operation = self._operation(seen)
        if operation is None:
            return [f"{name}: the description has no such operation"]
        found = self._of_answer(seen, operation)
        if seen.answer.status < 400:
            found = self._of_request(seen, operation) + found
        return [f"{name}: {each}" for each in found]

    def has(self, method: str, template: str) -> bool:
        """Tell whether the description has an operation."""
        return method.lower() in self._paths.get(_shape(self.prefix + template), {})

    def _operation(self, seen: Exchange) -> Mapping[str, Any] | None:
        return self._paths.get(_shape(self.prefix + (seen.template or "")), {}).get(seen.method.lower())

    def _of_request(self, seen: Exchange, operation: Mapping[str, Any]) -> list[str]:
        found = self._of_query(seen, operation)
        body = self._resolved(operation.get("requestBody") or {})
        schema = (body.get("content") or {}).get("application/json", {}).get("schema")
        if schema is None:
            return found
        if not seen.request.body and not body.get("required"):
            return found
        return found + self._errors(seen, "request", schema, seen.sent, False)

    def _of_query(self, seen: Exchange, operation: Mapping[str, Any]) -> list[str]:
        known = [self._resolved(each) for each in operation.get("parameters", [])]
        names = {each["name"].removesuffix("[]") for each in known if each["in"] == "query"}
        # Every list of both forges has pages, whether its operation says so or not.
        allowed = names | {"page", "per_page"}
        found = [f"query: unknown parameter {name}" for name in seen.request.query if name not in allowed]
        for each in known:
            value = seen.request.query.get(each["name"]) if each["in"] == "query" else None
            words = each.get("schema", {}).get("enum")
            if value is not None and words and value not in words:
                found.append(f"query: {each['name']}={value} is none of {words}")
        return found

    def _of_answer(self, seen: Exchange, operation: Mapping[str, Any]) -> list[str]:
        status = str(seen.answer.status)
        answers = operation["responses"]
        # GitLab says 200 where its own documentation says 201 Created.
        if status not in answers and self.is_lenient and seen.answer.status < 300:
            status = next((each for each in answers if each.startswith("2")), status)
        if status not in answers:
            # Refusals that any operation may give are not in every list.
            return [] if seen.answer.status >= 400 else [f"answer: {status} is not described"]
        content = self._resolved(answers[status]).get("content") or {}
        schema = content.get("application/json", {}).get("schema")
        if schema is None or seen.answer.is_empty or seen.answer.status >= 400:
            return []
        return self._errors(seen, f"answer {status}", schema, seen.answer.document, self.is_lenient)

    def _errors(self, seen: Exchange, part: str, schema: Any, value: Any, is_lenient: bool) -> list[str]:
        key = (seen.method, seen.template or "", part)
        if key not in self._validators:
            self._validators[key] = validator(self.document, schema, is_lenient)
        errors = list(self._validators[key].iter_errors(without_nulls(value) if is_lenient else value))
        return [f"{part}: /{'/'.join(map(str, one.instance_path))}: {one.message[:300]}" for one in errors[:SHOWN]]

    def _resolved(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in value:
            found: Any = self.document
            for part in value["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            value = found
        return value


def _shape(template: str) -> str:
    return re.sub(r"\{\w+\}", "{}", template)
