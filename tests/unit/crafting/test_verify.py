from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

import pytest

from chainloop_ci.attestation.bundle import render_bundle
from chainloop_ci.attestation.dsse import PAYLOAD_TYPE, encode_pae
from chainloop_ci.attestation.statement import render_statement
from chainloop_ci.crafting.verify import verify
from chainloop_ci.digests import Digest
from chainloop_ci.errors import BundleInvalidError, NothingToVerifyError, SignatureInvalidError
from tests.unit.crafting.memory import NOW, FakeSigner

KEY_ID = Digest("sha256:" + "1" * 64)


@dataclass(frozen=True)
class FakeKey:
    """Confirms what `FakeSigner` signs."""

    hint: str = FakeSigner.hint
    key_id: Digest = KEY_ID

    def verify(self, signature: bytes, message: bytes) -> bool:
        return signature == hashlib.sha256(self.hint.encode() + message).digest()


@pytest.fixture
def signed(begun) -> bytes:
    statement = render_statement(begun(), finished_at=NOW + timedelta(minutes=1), builder_id="b")
    signer = FakeSigner()
    return render_bundle(statement, signer.sign(encode_pae(PAYLOAD_TYPE, statement)), signer.hint)


def test_a_good_signature_gives_the_signer_and_what_was_signed(signed) -> None:
    verdict = verify(signed, [FakeKey()])

    assert verdict.key_id == FakeKey.key_id
    assert verdict.statement.workflow_name == "release"


def test_another_key_does_not_confirm(signed) -> None:
    with pytest.raises(SignatureInvalidError):
        verify(signed, [FakeKey(hint="another")])


def test_without_a_key_there_is_nothing_to_verify(signed) -> None:
    with pytest.raises(NothingToVerifyError):
        verify(signed, [])


def test_what_is_no_bundle_is_refused() -> None:
    with pytest.raises(BundleInvalidError):
        verify(b"{}", [FakeKey()])
