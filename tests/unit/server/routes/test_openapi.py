import json

import pytest

from server.routes.openapi import openapi_document, page_sections
from server.routes.table import ENDPOINTS

DOCUMENT = openapi_document(ENDPOINTS, "https://chainloop.example.com")
OPERATIONS = [
    (method, path, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()
]


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_every_endpoint_is_an_operation():
    assert len(OPERATIONS) == len(ENDPOINTS)


def test_every_reference_leads_somewhere():
    for reference in references(DOCUMENT):
        target = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            assert part in target, reference
            target = target[part]


def test_operation_ids_are_unique():
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]

    assert len(set(ids)) == len(ids)


def test_every_operation_says_its_answer_and_its_refusals():
    for method, path, operation in OPERATIONS:
        statuses = set(operation["responses"])

        assert statuses & {"200", "201", "202", "204"}, (method, path)
        assert {"401", "403", "404", "422"} <= statuses, (method, path)


def test_every_parameter_of_a_path_is_described():
    for method, path, operation in OPERATIONS:
        named = {item["name"] for item in operation["parameters"] if item.get("in") == "path"}

        assert {part[1:-1] for part in path.split("/") if part.startswith("{")} == named, (method, path)


def test_requests_refuse_unknown_fields_and_answers_do_not():
    schemas = DOCUMENT["components"]["schemas"]

    assert schemas["TokenRequest"]["additionalProperties"] is False
    assert "additionalProperties" not in schemas["ApiToken"]


def test_links_come_from_the_public_url_only():
    assert DOCUMENT["servers"] == [{"url": "https://chainloop.example.com"}]


def test_the_document_is_valid_json_schema_throughout():
    validators = pytest.importorskip("jsonschema.validators")
    for name, schema in DOCUMENT["components"]["schemas"].items():
        validators.Draft202012Validator.check_schema(schema), name

    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


def test_the_page_shows_every_operation_once():
    shown = [operation["operationId"] for section in page_sections(DOCUMENT) for operation in section["operations"]]

    assert sorted(shown) == sorted(operation["operationId"] for _, _, operation in OPERATIONS)
