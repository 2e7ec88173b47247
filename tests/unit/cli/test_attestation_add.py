"""`attestation add` as a user types it, with a control plane in memory: exit statuses, hints, the document."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.cli.conftest import Result
from tests.unit.crafting.memory import MemoryPlane, revision_of

URL = {"CHAINLOOP_CONTROL_PLANE_API": "https://cp.test"}
CONTRACT = b"""\
apiVersion: chainloop.dev/v1
kind: Contract
metadata: {name: release}
spec:
  materials:
    - {type: STRING, name: commit}
    - {type: CONTAINER_IMAGE, name: image}
"""


@pytest.fixture
def att(chainloop, plane: MemoryPlane, tmp_path) -> Callable[..., Result]:
    """Return what runs an attestation command; one is begun already."""
    plane.revision = revision_of(CONTRACT)
    (tmp_path / "Notes.txt").write_text("no image")

    def att(*arguments: str, env: dict[str, str] | None = None) -> Result:
        return chainloop("attestation", *arguments, env=URL | (env or {}), plane=plane)

    assert att("init").status == 0
    return att


@pytest.mark.parametrize(("value", "status"), [("Notes.txt", 3), ("No Image", 3), ("./absent", 1)])
def test_what_can_be_no_image_is_the_wrong_material(att, value: str, status: int) -> None:
    done = att("add", "--name", "image", "--value", value)

    assert done.status == status


def test_the_document_of_a_material_is_that_of_the_status(att) -> None:
    [added] = att("add", "--name", "commit", "--value", "deadbeef", "-o", "json").json

    assert added["Required"] is True
    assert added in att("status", "-o", "json").json["materials"]


def test_a_misspelt_name_stands_beside_the_one_that_is_missing(att) -> None:
    att("add", "--name", "comit", "--kind", "STRING", "--value", "deadbeef")

    done = att("push", env={"CHAINLOOP_SIGNING_KEY": "none"})

    said = "the material commit (STRING) is required and was not added; comit was, which the contract does not know"
    assert done.status == 3
    assert said in done.err
    assert said in att("status").out
    assert "image (CONTAINER_IMAGE) is required and was not added\n" in done.err
