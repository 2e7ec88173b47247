"""`gitlab/` is what the tables say, what GitLab accepts, and keeps inputs out of scripts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from chainloop_ci.cli.options import Kind
from chainloop_ci.cli.plugin_inputs import CONNECTION, INSTALL, OUTPUTS, SAID_BY_THE_TEMPLATE, Plugin, step_inputs
from tests.family.gitlab_render import (
    GITLAB,
    OF_MANY_JOBS,
    ROOT,
    inputs_of_many_jobs,
    rendered,
)
from tests.family.gitlab_spec import Reference, Spec, read_spec

FOLDER = ROOT / "gitlab"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
TABLE = (*CONNECTION, *step_inputs("craft"), *(row for row in INSTALL if Plugin.GITLAB in row.plugins))
SCRIPTS = sorted((FOLDER / "scripts").glob("*.sh"))
SCRIPT_KEYS = ("script", "before_script", "after_script")


TEMPLATES = {
    name: read_spec((FOLDER / "templates" / f"{name}.yml").read_text()) for name in ("attestation", "many-jobs")
}


@pytest.fixture(scope="module")
def spec() -> Spec:
    return TEMPLATES["attestation"]


@pytest.fixture(params=sorted(TEMPLATES))
def each(request: pytest.FixtureRequest) -> Spec:
    return TEMPLATES[request.param]


def scripts_of(document: Any) -> Iterator[Any]:
    """Yield every entry of every script in a document."""
    for job in document.values():
        for key in SCRIPT_KEYS:
            yield from job.get(key, [])


@pytest.mark.parametrize("path", sorted(rendered()), ids=lambda path: path.name)
def test_what_is_made_from_the_tables_is_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == rendered()[path], "python -m tests.family.gitlab_render --write"


def test_the_inputs_are_the_options_of_the_command_and_what_gitlab_asks_for(spec: Spec) -> None:
    public = {row.name for row in TABLE if not row.secret} - SAID_BY_THE_TEMPLATE

    assert set(spec.inputs) == public | {row.name for row in GITLAB}


def test_the_inputs_for_many_jobs_are_those_of_the_first_and_the_last(spec: Spec) -> None:
    many = TEMPLATES["many-jobs"]

    assert set(many.inputs) == {row.name for row in (*OF_MANY_JOBS, *inputs_of_many_jobs())}
    assert {"workflow", "bundle", "source"} <= set(many.inputs)
    assert set(many.inputs) - set(spec.inputs) == set()


def test_each_input_has_the_description_type_and_default_of_its_option(each: Spec) -> None:
    types = {Kind.SWITCH: "boolean", Kind.NUMBER: "number"}
    for row in TABLE:
        if row.name not in each.inputs:
            continue
        entry = each.inputs[row.name]
        assert entry["description"].startswith(row.help), row.name
        assert entry.get("type", "string") == types.get(row.kind, "string"), row.name
        assert set(entry.get("options", ())) - {""} == set(row.choices), row.name


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_no_secret_is_an_input_or_a_variable_of_a_template(name: str) -> None:
    text, spec = (FOLDER / "templates" / f"{name}.yml").read_text(encoding="utf-8"), TEMPLATES[name]
    secret = {row for row in (*CONNECTION, *step_inputs("craft"), *INSTALL) if row.secret}

    assert secret
    assert {row.name for row in secret} & set(spec.inputs) == set()
    assert [row.env for row in secret if re.search(rf"^ *{row.env}:", text, re.MULTILINE)] == []


def test_t01_no_input_stands_in_a_script(each: Spec) -> None:
    entries = list(scripts_of(each.body))

    assert len(entries) > 5
    assert [entry for entry in entries if "$[[" in str(entry)] == []


def test_every_value_is_one_that_gitlab_takes_as_a_variable(each: Spec) -> None:
    """GitLab takes texts and whole numbers, and no booleans, though its switches are some."""
    given = {name: True for name, row in each.inputs.items() if row.get("type") == "boolean"}

    for job in each.interpolated(given).values():
        for name, value in job.get("variables", {}).items():
            assert type(value) in (str, int), name


def test_the_report_is_one_that_a_merge_request_can_show(each: Spec) -> None:
    """GitLab Docs, `artifacts:expose_as`: no patterns, no variables, a folder ends with a slash."""
    shown = [job["artifacts"] for job in each.interpolated().values() if "expose_as" in job.get("artifacts", {})]

    assert shown
    for artifacts in shown:
        assert re.fullmatch(r"[\w -]{1,100}", artifacts["expose_as"])
        assert [path for path in artifacts["paths"] if re.search(r"[*$]|^\./|[^/]$", path)] == []


def test_the_ready_job_and_the_one_to_extend_have_the_same_variables(spec: Spec) -> None:
    body = spec.interpolated({"as": "attest", "materials": "a=b"})

    assert body["attest"]["variables"] == body[".attest"]["variables"]
    assert body["attest"]["variables"]["CHAINLOOP_MATERIALS"] == "a=b"
    assert body["attest"]["artifacts"] == body[".attest"]["artifacts"]
    assert body["attest"]["stage"] == ".post"


def test_two_includes_with_other_inputs_do_not_change_each_other(each: Spec) -> None:
    api, web = (each.interpolated({"as": name, "attestation": name}) for name in ("api", "web"))

    merged = {**api, **web}

    assert merged["api"]["variables"]["CHAINLOOP_ATTESTATION_NAME"] == "api"
    assert [name for name in set(api) & set(web) if api[name] != web[name]] == []


@pytest.mark.parametrize("value", ["true", 1, None])
def test_a_switch_takes_only_a_boolean(spec: Spec, value: Any) -> None:
    if value is None:
        assert spec.interpolated({"dry-run": value})
        return
    with pytest.raises(ValueError, match="dry-run"):
        spec.interpolated({"dry-run": value})


def test_gitlabs_own_schema_accepts_the_template(each: Spec, tmp_path: Path) -> None:
    body = tmp_path / "template.yml"
    body.write_text(_dump(each.interpolated()))

    assert check_schema(body) == ""


def test_gitlabs_own_schema_accepts_the_example() -> None:
    assert check_schema(ROOT / "examples" / "gitlab" / ".gitlab-ci.yml") == ""


def test_gitlabs_own_schema_finds_a_fault(each: Spec, tmp_path: Path) -> None:
    body = tmp_path / "template.yml"
    body.write_text(_dump(each.interpolated() | {"wrong": {"script": 7}}))

    assert "script" in check_schema(body)


def check_schema(path: Path) -> str:
    """Return what GitLab's schema has against a pipeline, or nothing."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "check_jsonschema",
            "--builtin-schema",
            "vendor.gitlab-ci",
            path,
            "--data-transform",
            "gitlab-ci",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def _dump(document: Any) -> str:
    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    Dumper.add_representer(
        Reference, lambda dumper, data: dumper.represent_sequence("!reference", list(data), flow_style=True)
    )
    return yaml.dump(document, Dumper=Dumper, allow_unicode=True)


@pytest.mark.parametrize("shell", ["sh", "bash", "dash"])
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_scripts_are_of_any_shell(script: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")

    assert subprocess.run([shell, "-n", script], capture_output=True, check=True).stderr == b""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_first_line_of_a_script_is_its_name_in_the_log(script: Path) -> None:
    """Runners show the first line of several; gitlab-ci-local even lets a shell read it."""
    assert re.fullmatch(r"# chainloop: [a-z, ]+", script.read_text(encoding="utf-8").splitlines()[0])


def test_the_folder_is_a_project_of_components() -> None:
    assert (FOLDER / "templates" / "attestation.yml").is_file()
    assert (FOLDER / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_readme_names_every_input_secret_and_output(spec: Spec) -> None:
    secret = {row.env for row in (*CONNECTION, *step_inputs("craft"), *INSTALL) if row.secret}

    for word in (*spec.inputs, *secret, *(row.variable for row in OUTPUTS)):
        assert f"| `{word}` |" in README, word


def test_the_readme_shows_only_inputs_that_there_are(spec: Spec) -> None:
    shown = re.findall(r"^ *inputs: *\{(.*)\}|^( *)inputs:\n((?:\2 +\S.*\n|\n)+)", README, re.MULTILINE)
    names = {
        name
        for flow, _, block in shown
        for name in (yaml.safe_load("{" + flow + "}") if flow else yaml.safe_load(block))
    }

    assert {"image", "materials"} <= names
    assert names - set(spec.inputs) == set()


def test_defaults_are_shown_as_they_are(spec: Spec) -> None:
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (.*?) \|", README, re.MULTILINE))

    for name, entry in spec.inputs.items():
        value = entry["default"]
        assert rows[name] == (f"`{json.dumps(value).strip(chr(34))}`" if value != "" else ""), name
