"""A sample of the hostile texts in act: what a runner that nobody here wrote makes of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.family.act import Repository, workflow
from tests.family.hostile import CANARY_FILE, CANARY_NAME, HOSTILE
from tests.integration.live import Job

pytestmark = pytest.mark.real("act")

# What the author of a workflow writes as an expression is the author's own, and YAML has no control characters.
SAMPLE = [text for text in HOSTILE if "${{" not in text and len(text) < 2000 and text.replace("\n", "").isprintable()]
EACH = 45
LOOK = {
    "if": "always()",
    "run": 'echo "seen=[$(find . "$RUNNER_TEMP" -name "$FILE" | wc -l) $(env | grep -c "^$NAME=") $(printenv PATH)]"',
    "env": {"FILE": CANARY_FILE, "NAME": CANARY_NAME},
}


def attest(number: int, text: str) -> dict[str, Any]:
    given = {
        "dry-run": "true",
        "contract": "contract.yaml",
        "materials": f"binary=app\nversion={text}",
        "annotations": f"note={text}",
        "version": text,
        "project": text,
    }
    return {"id": f"step{number}", "uses": "./", "if": "always()", "continue-on-error": True, "with": given}


def test_t01_t02_t03_no_text_is_obeyed_by_act(repository: Repository, job: Job) -> None:
    branch, title = f"x$(touch${{IFS}}{CANARY_FILE})`touch${{IFS}}{CANARY_FILE}`", f"`touch {CANARY_FILE}`\n::error::x"
    repository.write(
        "contract.yaml",
        "apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {name: build}\n"
        "spec: {materials: [{name: binary, type: ARTIFACT}, {name: version, type: STRING}]}\n",
    )
    steps = [attest(number, text) for number, text in enumerate(SAMPLE[::EACH])]
    head = repository.commit(build=workflow({"run": "echo built > app"}, *steps, LOOK, on="pull_request"))
    own = {"full_name": "acme/widget"}
    document = {
        "repository": own,
        "pull_request": {
            "number": 7,
            "title": title,
            "head": {"ref": branch, "sha": head, "repo": own},
            "base": {"ref": "main", "sha": head, "repo": own},
        },
    }

    run = repository.run("pull_request", document=document)

    assert run.status == 0, run.everything
    assert "seen=[0 0 " in run.log, run.log[-2000:]
    assert CANARY_NAME not in run.log.split("seen=[")[1]
    assert len(run.commands("summary")) >= len(steps)
    for line in run.lines:
        name, pairs = str(line.get("command", "")), str(line.get("kvPairs", ""))
        assert name in {"", "add-mask", "error", "warning", "group", "endgroup", "set-output", "summary", "debug"}, line
        assert CANARY_NAME not in pairs, line
        assert line.get("name") != CANARY_NAME, line
    assert job.runs() == []
