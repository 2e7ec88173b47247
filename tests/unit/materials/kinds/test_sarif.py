"""SARIF."""

from __future__ import annotations

import json
from functools import partial

import pytest

from chainloop_ci.contract.types import MaterialType

TYPE = MaterialType.SARIF


@pytest.fixture
def check(check):
    return partial(check, TYPE)


@pytest.fixture
def refuse(refuse):
    return partial(refuse, TYPE)


def log(*runs: object, **members: object) -> bytes:
    return json.dumps({"$schema": "https://example.com/s", "version": "2.1.0", "runs": runs, **members}).encode()


def run(name: str, *rule_ids: str, tags: tuple[str, ...] = ()) -> dict[str, object]:
    rules = [{"id": "r", "properties": {"tags": list(tags)}}]
    results = [{"ruleId": rule_id, "message": {"text": "m"}} for rule_id in rule_ids]
    return {"tool": {"driver": {"name": name, "rules": rules}}, "results": results}


def test_the_first_run_names_the_tool(check, data):
    checked = check((data / "sarif/valid.sarif").read_bytes())

    assert checked.annotations == {
        "chainloop.material.tool.name": "linter",
        "chainloop.material.tool.version": "4.2",
    }
    assert checked.warnings == ()


def test_violations_are_listed_with_their_pointers(refuse, data):
    error = refuse((data / "sarif/broken.sarif").read_bytes())

    assert {finding.path for finding in error.findings} == {"/runs/0/tool/driver", "/runs/0/results/0/level"}


def test_not_strict_turns_violations_into_warnings(check, data):
    assert len(check((data / "sarif/broken.sarif").read_bytes(), strict=False).warnings) == 2


@pytest.mark.parametrize("schema", [None, "", 7])
def test_a_missing_schema_is_only_a_warning(check, schema):
    checked = check(log(**{"$schema": schema}), strict=False)

    assert checked.warnings[0] == 'no "$schema": taken as SARIF by its version and runs'


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("version", ["1.0.0", "2.0.0", "2.2", "", None])
def test_another_version_is_refused_always(refuse, version, strict):
    assert refuse(log(version=version), strict=strict).findings[0].path == "/version"


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("runs", [{}, "x", 1])
def test_runs_that_are_no_array_are_refused_always(refuse, runs, strict):
    assert refuse(log(**{"runs": runs}), strict=strict).findings[0].path == "/runs"


def test_missing_runs_are_refused(refuse):
    assert refuse(b'{"version": "2.1.0"}').findings[0].message == 'expected an array "runs"'


@pytest.mark.parametrize("runs", [None, []])
def test_a_log_without_results_is_accepted(check, runs):
    assert check(log(**{"runs": runs})).annotations == {}


def test_unknown_members_are_nobodys_business(check):
    assert check(log({**run("t"), "vendor:x": 1})).warnings == ()


@pytest.mark.parametrize("checkmarx", [run("Checkmarx One", "a (sast)"), run("other", "a (sast)", tags=("checkmarx",))])
def test_a_checkmarx_run_says_what_was_scanned(check, checkmarx):
    assert check(log(checkmarx)).annotations["chainloop.material.scan.types"] == "sast"


def test_engines_become_sorted_scan_types_and_unknown_ones_are_dropped(check):
    rule_ids = ("a (sscs)", "b (kics)", "c (containers)", "d (sca)", "e (kics)", "f (magic)", "g", "h (sast) x")

    annotations = check(log(run("checkmarx", *rule_ids))).annotations

    assert annotations["chainloop.material.scan.types"] == "container,iac,sca,supply-chain"


def test_other_tools_have_no_scan_types(check):
    assert "chainloop.material.scan.types" not in check(log(run("linter", "a (sast)"))).annotations


def test_an_empty_object_is_refused_by_name(refuse):
    assert refuse(b"{}").message == "expected a SARIF 2.1.0 log (JSON), found an empty JSON object ({})"


def test_one_rule_of_several_with_the_tag_is_enough_to_know_checkmarx(check):
    scan = run("other", "Reflected_XSS (sast)", tags=("checkmarx",))
    scan["tool"]["driver"]["rules"].append({"id": "s", "properties": {"tags": ["lint"]}})

    assert check(log(scan)).annotations["chainloop.material.scan.types"] == "sast"
