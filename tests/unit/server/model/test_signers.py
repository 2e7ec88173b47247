from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chainloop_ci.api.runs import Proof
from chainloop_ci.digests import Digest, sha256_digest
from server.model.keys import KeyScope, StoredKey
from server.model.signers import SignatureVerdict, judge_signature
from tests.unit.server.model.test_runs import RUN, START

ID = sha256_digest(b"key")
KEY = StoredKey(
    id=ID,
    organization_id="o",
    name="ci",
    algorithm="ecdsa-p256-sha256",
    public_key="",
    created_at=START,
    created_by="t",
    valid_from=START,
    scopes=(KeyScope("p", "app", "w", "build"),),
)
OTHER = replace(KEY, id=sha256_digest(b"other"), name="other")


def judge(
    *keys: StoredKey, confirming: Digest | None = ID, signed: bool = True, hint: Digest | None = None
) -> SignatureVerdict:
    return judge_signature(keys, RUN, START, confirms=lambda key: key.id == confirming, signed=signed, hint=hint)


def test_a_key_that_counts_and_confirms_verifies() -> None:
    verdict = judge(OTHER, KEY)

    assert (verdict.verified, verdict.key_id, verdict.finding) == (True, ID, None)
    assert verdict.key.result is Proof.YES


@pytest.mark.parametrize(
    ("key", "code", "is_final"),
    [
        (replace(KEY, retired_at=START), "key-retired", False),
        (replace(KEY, revoked_at=START), "key-revoked", True),
        (replace(KEY, revoked_at=START + timedelta(days=1)), "key-revoked", True),
        (replace(KEY, valid_from=START + timedelta(seconds=1)), "key-not-yet-valid", False),
        (replace(KEY, scopes=(KeyScope("p", "app", "w2", "deploy"),)), "key-out-of-scope", False),
        (replace(KEY, scopes=()), "key-out-of-scope", False),
    ],
)
def test_r3_a_key_that_does_not_count_explains_the_refusal(key: StoredKey, code: str, is_final: bool) -> None:
    verdict = judge(key)

    assert verdict.finding is not None
    assert (verdict.verified, verdict.finding.code, verdict.is_final) == (False, code, is_final)
    assert verdict.key.result is Proof.NO


@pytest.mark.parametrize("end", ["retired_at", "revoked_at"])
def test_r3_nobody_is_told_to_register_a_key_that_was_ended(end: str) -> None:
    verdict = judge(replace(KEY, **{end: START}))

    hint = str(verdict.finding and verdict.finding.hint)
    assert "this key does not come back" in hint
    assert "`chainloop organization key create`" in hint
    assert "key add" not in hint


@pytest.mark.parametrize(
    "key",
    [
        replace(KEY, organization_wide=True, scopes=()),
        replace(KEY, scopes=(KeyScope("p", "app"),)),
        replace(KEY, retired_at=START + timedelta(seconds=1)),
    ],
)
def test_r3_a_wider_scope_and_a_later_retirement_count(key: StoredKey) -> None:
    assert judge(key).verified


def test_a_signer_without_the_right_is_told_which_keys_have_it_and_how_to_sign_anew() -> None:
    verdict = judge(replace(KEY, scopes=()), replace(OTHER, scopes=KEY.scopes))

    assert verdict.finding is not None
    assert f"registered for it: other ({OTHER.id})" in verdict.finding.message
    assert "CHAINLOOP_SIGNING_KEY" in (verdict.finding.hint or "")


def test_r4_no_signature_is_not_verified() -> None:
    verdict = judge(KEY, signed=False)

    assert verdict.finding is not None
    assert (verdict.verified, verdict.finding.code) == (False, "signature-missing")


def test_r4_an_unknown_signer_is_told_which_keys_count() -> None:
    verdict = judge(KEY, confirming=None)

    assert verdict.finding is not None
    assert verdict.finding.code == "signer-unknown"
    assert f"ci ({ID})" in verdict.finding.message
    assert "--key" in (verdict.finding.hint or "")


def test_a_signature_that_names_a_registered_key_falsely_is_called_invalid() -> None:
    verdict = judge(KEY, confirming=None, hint=ID)

    assert verdict.finding is not None
    assert (verdict.finding.code, verdict.signature.result) == ("signature-invalid", Proof.NO)


def test_a_hint_only_orders_the_tries() -> None:
    tried: list[Digest] = []

    def confirms(key: StoredKey) -> bool:
        tried.append(key.id)
        return key.id == ID

    verdict = judge_signature([KEY, OTHER], RUN, START, confirms=confirms, signed=True, hint=OTHER.id)

    assert tried == [OTHER.id, ID]
    assert verdict.verified


def test_a_key_that_counts_is_preferred_to_the_same_signature_of_one_that_does_not() -> None:
    revoked = replace(OTHER, revoked_at=START)

    verdict = judge_signature([revoked, KEY], RUN, START, confirms=lambda key: True, signed=True, hint=revoked.id)

    assert verdict.key_id == ID
