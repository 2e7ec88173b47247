"""The install masks what the command itself masks (chainloop_ci/reports/github.py), which is not there yet by then."""

from __future__ import annotations

import importlib

import pytest

from chainloop_ci.cli.plugin_inputs import INSTALL, Plugin
from chainloop_ci.reports.github import render_masks
from tests.conftest import PROJECT
from tests.family.github_render import ACTIONS, inputs_of

PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByq\nGSM49AgE\nMIGHAgEAMBMGByq\nshort\n-----END PRIVATE KEY-----\n"
SECRETS = [
    "",
    "abc",
    "abcd",
    " to%ken\n",
    PEM,
    PEM.replace("\n", "\r\n"),
    PEM.replace("\n", "\\n"),
    "\nabcd\n",
    "a\rbcdefghi",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_both_mask_the_same(secret: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(str(PROJECT / "actions" / "_shared"))

    importlib.import_module("log").mask(secret)

    assert capsys.readouterr().out.splitlines() == render_masks(secret)


def test_every_secret_input_is_masked_by_the_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PROJECT / "actions" / "_shared"))
    inputs = [entry for action in ACTIONS for entry in inputs_of(action)]
    inputs += [entry for entry in INSTALL if Plugin.GITHUB in entry.plugins]
    secret = {entry.env for entry in inputs if entry.secret}

    found = set(importlib.import_module("network").secrets_of({name: f"secret of {name}" for name in secret}))

    assert found == {f"secret of {name}" for name in secret}
