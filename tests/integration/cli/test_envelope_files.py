"""The envelope table at the doors of files: `attestation verify` and `attestation describe` (R9, R10; T21-T24)."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chainloop_ci.attestation.statement import render_statement
from chainloop_ci.cli.main import run
from chainloop_ci.cli.wiring import World
from tests.integration.envelope import Attested, Refused, Row
from tests.integration.envelope_rows import ROWS
from tests.unit.attestation.states import BUILDER, FINISHED, full_state

HONEST = Attested(render_statement(full_state(), finished_at=FINISHED, builder_id=BUILDER))
NOW = datetime(2026, 11, 20, tzinfo=UTC)

Command = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def attestation(tmp_path: Path) -> Command:
    """Return what runs a command on a file and returns status, document and what was said beside it."""

    def invoke(word: str, bundle: bytes, *options: str) -> tuple[int, Any, str]:
        (tmp_path / "bundle.json").write_bytes(bundle)
        (tmp_path / "key.pub").write_text(HONEST.public.pem)
        out, err = io.StringIO(), io.StringIO()
        env = {"XDG_STATE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
        world = World(env=env, cwd=tmp_path, stdin=io.StringIO(), stdout=out, stderr=err, now=lambda: NOW)
        status = run(["attestation", word, "--bundle", "bundle.json", "-o", "json", *options], world)
        return status, json.loads(out.getvalue()), err.getvalue()

    return invoke


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_r9_verify_of_a_file(attestation: Command, row: Row) -> None:
    status, document, said = attestation("verify", row.spoil(HONEST), "--key", "key.pub")

    assert status == row.verify, (document, said)
    if status == 0:
        assert document["keyID"] == HONEST.public.key_id
    elif isinstance(row.describe, Refused) and status == 1:
        assert row.describe.finding in codes(document)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_r9_describe_of_a_file(attestation: Command, row: Row) -> None:
    status, document, said = attestation("describe", row.spoil(HONEST))

    if isinstance(row.describe, Refused):
        assert status == 1
        assert row.describe.finding in codes(document)
    else:
        assert (status, document["verified"]) == (0, False), (document, said)
        found = {deviation["code"] for deviation in document["deviations"]}
        assert row.describe.deviation in found if row.describe.deviation else not found


def codes(document: Any) -> set[str]:
    """Return the code of an error and those of its findings."""
    error = document["error"]
    return {error["code"], *(finding["code"] for finding in error.get("findings", ()))}
