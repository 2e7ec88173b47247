"""in-toto's own package and securesystemslib, readers that nobody here wrote, on a bundle that a real push wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from chainloop_ci.attestation.bundle import read_bundle
from examples.demo.control_plane import ControlPlane
from tests.integration.live import Tenant
from tests.integration.pushed import Pushed, push_with


@pytest.fixture(scope="module", params=["chainloop p256", "chainloop ed25519"])
def pushed(
    request: pytest.FixtureRequest, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Pushed:
    """Return a bundle signed with a key of each algorithm."""
    folder = tmp_path_factory.mktemp("pushed")
    return push_with(Tenant(control_plane.url, control_plane.token_file.read_text().strip(), folder), request.param)


def read_payload(path: Path) -> bytes:
    return read_bundle(path.read_bytes()).payload


def test_in_toto_s_package_validates_our_statement(pushed: Pushed) -> None:
    payload = read_payload(pushed.bundle)

    # Read only: its predicate is a protobuf Struct, which turns integers into floats.
    statement = Statement.copy_from_pb(json_format.Parse(payload, StatementMessage()))

    statement.validate()
    subjects = {subject.name: subject.digest["sha256"] for subject in statement.pb.subject}
    document = json.loads(payload)
    assert subjects == {subject["name"]: subject["digest"]["sha256"] for subject in document["subject"]}
    assert statement.pb.predicate_type == "chainloop.dev/attestation/v0.2"


@pytest.mark.parametrize("broken", ["_type", "predicateType", "subject"])
def test_in_toto_s_package_refuses_a_statement_without(pushed: Pushed, broken: str) -> None:
    document = json.loads(read_payload(pushed.bundle))
    del document[broken]

    statement = Statement.copy_from_pb(json_format.Parse(json.dumps(document), StatementMessage()))

    with pytest.raises(ValueError, match=r"."):
        statement.validate()


def load_elsewhere(bundle: Path) -> Envelope:
    """Return the envelope as securesystemslib reads it: it cannot do without a key id, which is no part of DSSE."""
    envelope: dict[str, Any] = json.loads(bundle.read_bytes())["dsseEnvelope"]
    envelope["signatures"][0]["keyid"] = "the-key"
    return Envelope.from_dict(envelope)


def test_securesystemslib_confirms_our_signature(pushed: Pushed) -> None:
    key = SSlibKey.from_crypto(load_pem_public_key(pushed.public_key.read_bytes()), keyid="the-key")

    envelope = load_elsewhere(pushed.bundle)

    assert envelope.verify([key], 1) == {"the-key": key}
    envelope.payload += b" "
    with pytest.raises(VerificationError):
        envelope.verify([key], 1)
