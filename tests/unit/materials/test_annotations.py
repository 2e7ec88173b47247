"""The annotations that formats share."""

from __future__ import annotations

from chainloop_ci.materials.annotations import Tool, describe_main_component, describe_tool, describe_tools
from chainloop_ci.materials.types import MainComponent


def test_tools_are_one_text_and_the_first_also_has_its_own_keys():
    assert describe_tools([Tool("syft", "1.0"), Tool("grün")]) == {
        "chainloop.material.tool.name": "syft",
        "chainloop.material.tool.version": "1.0",
        "chainloop.material.tools": '["syft@1.0","grün"]',
    }


def test_no_tools_are_no_annotations():
    assert describe_tools([]) == {}


def test_an_empty_version_is_left_out():
    assert describe_tool(Tool("tfsec")) == {"chainloop.material.tool.name": "tfsec"}


def test_a_main_component_has_name_type_and_version():
    assert describe_main_component(MainComponent("app", "1", "library")) == {
        "chainloop.material.sbom.main_component.name": "app",
        "chainloop.material.sbom.main_component.type": "library",
        "chainloop.material.sbom.main_component.version": "1",
    }


def test_no_main_component_is_no_annotation():
    assert describe_main_component(None) == {}
