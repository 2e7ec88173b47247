"""The annotation keys that a check sets, and the values that several formats share (reference section 3.2)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from chainloop_ci.contract.annotations import MATERIAL_PREFIX as _PREFIX
from chainloop_ci.materials.types import MainComponent
from chainloop_ci.records import record

TOOL_NAME = _PREFIX + "tool.name"
TOOL_VERSION = _PREFIX + "tool.version"
TOOLS = _PREFIX + "tools"
MAIN_COMPONENT_NAME = _PREFIX + "sbom.main_component.name"
MAIN_COMPONENT_TYPE = _PREFIX + "sbom.main_component.type"
MAIN_COMPONENT_VERSION = _PREFIX + "sbom.main_component.version"
VULNERABILITIES_REPORT = _PREFIX + "sbom.vulnerabilities_report"
SCAN_TYPES = _PREFIX + "scan.types"
EVIDENCE_ID = _PREFIX + "evidence.id"
EVIDENCE_SCHEMA = _PREFIX + "evidence.schema"
FACTS = frozenset(
    (
        TOOL_NAME,
        TOOL_VERSION,
        TOOLS,
        MAIN_COMPONENT_NAME,
        MAIN_COMPONENT_TYPE,
        MAIN_COMPONENT_VERSION,
        VULNERABILITIES_REPORT,
        SCAN_TYPES,
        EVIDENCE_ID,
        EVIDENCE_SCHEMA,
    )
)
"""What is derived from content, and nothing else: whoever checks the content finds exactly these again (R11)."""
VALIDATION = _PREFIX + "validation"
"""Set to `LENIENT` when violations of the published schema were only warnings: signed, so that whoever checks the
content again does the same and says so."""
LENIENT = "lenient"


@record
class Tool:
    """What wrote a document."""

    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.version}" if self.version else self.name


def describe_tool(tool: Tool | None) -> dict[str, str]:
    """Return name and version of `tool`; what is empty is left out."""
    pairs = {TOOL_NAME: tool.name, TOOL_VERSION: tool.version} if tool else {}
    return {key: value for key, value in pairs.items() if value}


def describe_tools(tools: Sequence[Tool]) -> dict[str, str]:
    """Return the first tool's name and version, and all tools as a JSON array in one text."""
    if not tools:
        return {}
    array = json.dumps([str(tool) for tool in tools], ensure_ascii=False, separators=(",", ":"))
    return {**describe_tool(tools[0]), TOOLS: array}


def describe_main_component(component: MainComponent | None) -> dict[str, str]:
    """Return what the SBOM is about; what is empty is left out."""
    if component is None:
        return {}
    pairs = {
        MAIN_COMPONENT_NAME: component.name,
        MAIN_COMPONENT_TYPE: component.kind,
        MAIN_COMPONENT_VERSION: component.version,
    }
    return {key: value for key, value in pairs.items() if value}
