from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from chainloop_ci.api.runs import Check, Proof, Verification
from chainloop_ci.digests import sha256_digest
from server.model.keys import StoredKey
from server.model.trust import limits_of_trust, verification_today

GREEN = Verification(*(Check(Proof.YES) for _ in range(7)))

NOW = datetime(2026, 11, 20, tzinfo=UTC)
KEY = StoredKey(sha256_digest(b"key"), "o1", "ci", "ed25519", "PEM", NOW, "t1", NOW)


def test_r3_a_key_that_was_revoked_since_confirms_nothing_any_more() -> None:
    today = verification_today(GREEN, KEY.revoked(NOW))

    assert today.key.result is Proof.NO
    assert "was revoked at 2026-11-20T00:00:00Z; it counted when this was stored" in today.key.reason
    assert replace(today, key=GREEN.key) == GREEN


def test_r3_what_a_retired_key_verified_stays_verified() -> None:
    assert verification_today(GREEN, KEY) == verification_today(GREEN, KEY.retired(NOW)) == GREEN


def test_r12_a_revoked_key_is_named_first() -> None:
    revoked = KEY.revoked(NOW)

    limits = limits_of_trust(verification_today(GREEN, revoked), revoked)

    assert limits[0].startswith("The key that signed these bytes was revoked")


def test_r12_even_the_greenest_attestation_says_what_it_does_not_prove() -> None:
    limits = limits_of_trust(GREEN)

    assert any("SLSA" in limit for limit in limits)
    assert any("word of the job" in limit for limit in limits)


def test_r12_an_unverified_one_says_so_first() -> None:
    limits = limits_of_trust(replace(GREEN, key=Check(Proof.NOT_SHOWN)))

    assert limits[0].startswith("No registered key signed")


def test_r37_a_contract_without_requirements_is_named() -> None:
    limits = limits_of_trust(replace(GREEN, contract=Check(Proof.NOT_SHOWN)))

    assert any("asks for nothing" in limit for limit in limits)
