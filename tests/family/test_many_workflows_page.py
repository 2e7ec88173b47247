"""docs/many-workflows.md says what the code does: the document that it shows is read, its tables have every field."""

from __future__ import annotations

import re
from pathlib import Path

from chainloop_ci.api.sources import SourceRequest
from chainloop_ci.cli.source_options import SOURCE
from chainloop_ci.cli.workflow_document import read_workflow
from chainloop_ci.cli.workflow_schema import workflow_schema
from chainloop_ci.contract.yaml12 import read_yaml

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "many-workflows.md").read_text(encoding="utf-8")


def test_the_workflow_that_it_shows_is_one_and_has_every_field() -> None:
    [shown] = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

    workflow, findings = read_workflow(read_yaml(shown.encode()))

    assert findings == []
    assert workflow is not None
    assert workflow.source == SourceRequest(
        "github:example/shop", ".github/workflows/build.yml", "main", "pull_request", ("src/**", "go.mod"), 604800, 2700
    )
    spec = workflow_schema()["properties"]["spec"]["properties"]
    names = {*spec, *spec["source"]["properties"]}
    assert {name for name in names if f" {name}:" not in shown} == set()


def test_every_field_of_a_source_stands_beside_its_option() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(--[a-z-]+)`", PAGE, re.MULTILINE)

    fields = workflow_schema()["properties"]["spec"]["properties"]["source"]["properties"]
    assert [field for field, _ in rows] == list(fields)
    assert [option for _, option in rows] == [entry.flags[0] for entry in SOURCE]
