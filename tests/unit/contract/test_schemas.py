"""The schemas themselves."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from chainloop_ci.contract.schemas import contract_schema
from chainloop_ci.contract.types import ContractSchema, MaterialType, RunnerType


@pytest.mark.parametrize("form", ContractSchema)
def test_each_schema_is_a_valid_json_schema(form):
    Draft202012Validator.check_schema(contract_schema(form))


@pytest.mark.parametrize("form", ContractSchema)
def test_each_schema_knows_every_material_and_runner_type(form):
    schema = contract_schema(form)
    body = schema["properties"] if form is ContractSchema.V1 else schema["properties"]["spec"]["properties"]

    assert body["materials"]["items"]["properties"]["type"]["enum"] == list(MaterialType)
    assert set(body["runner"]["properties"]["type"]["enum"]) == set(RunnerType) - {RunnerType.GENERIC}


def test_no_object_of_a_schema_is_left_open_by_accident():
    def open_objects(schema, path):
        if isinstance(schema, dict):
            if "properties" in schema and schema.get("additionalProperties") is not False:
                yield path
            for name, inner in schema.items():
                yield from open_objects(inner, f"{path}/{name}")

    assert [path for form in ContractSchema for path in open_objects(contract_schema(form), form)] == []
