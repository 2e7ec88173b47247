from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainloop_ci.errors import SigningKeyInvalidError
from chainloop_ci.signing import cosign_keys
from chainloop_ci.signing.pem import PemBlock, find_blocks, render_block

SECRET = b"the pkcs8 of a key"
SEALED = cosign_keys.encrypt(SECRET, "password")


def block(text: str) -> PemBlock:
    [found] = find_blocks(text)
    return found


def changed(**change: object) -> PemBlock:
    document: dict[str, Any] = json.loads(block(SEALED).body)
    for path, value in change.items():
        *parents, last = path.split("__")
        holder = document
        for name in parents:
            holder = holder[name]
        holder[last] = value
    return block(render_block(cosign_keys.LABELS[0], json.dumps(document).encode()))


def test_what_is_encrypted_is_decrypted() -> None:
    assert cosign_keys.decrypt(block(SEALED), "password") == SECRET


def test_the_form_is_cosign_s() -> None:
    document = json.loads(block(SEALED).body)

    assert SEALED.startswith("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n")
    assert document["kdf"] == {
        "name": "scrypt",
        "params": {"N": 65536, "r": 8, "p": 1},
        "salt": document["kdf"]["salt"],
    }
    assert document["cipher"]["name"] == "nacl/secretbox"
    assert len(base64.b64decode(document["kdf"]["salt"])) == 32
    assert len(base64.b64decode(document["cipher"]["nonce"])) == 24


def test_two_encryptions_differ() -> None:
    assert cosign_keys.encrypt(SECRET, "password") != SEALED


def test_an_empty_password_is_a_password() -> None:
    assert cosign_keys.decrypt(block(cosign_keys.encrypt(SECRET, "")), "") == SECRET


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kdf__params__N": 2**30}, "more than 256 MiB"),
        ({"kdf__params__r": 2**20}, "more than 256 MiB"),
        ({"kdf__params__p": 1000}, "more than 256 MiB or 4 rounds"),
        ({"kdf__params__N": 1000}, "power of two"),
        ({"kdf__params__N": 1}, "power of two"),
        ({"kdf__params__N": 0}, "not what cosign writes"),
        ({"kdf__params__N": -2}, "not what cosign writes"),
        ({"kdf__params__N": True}, "not what cosign writes"),
        ({"kdf__params__N": 65536.0}, "not what cosign writes"),
        ({"kdf__params__r": 1}, "do not go together"),
        ({"kdf__name": "argon2"}, "expected scrypt"),
        ({"cipher__name": "aes"}, "expected scrypt and nacl/secretbox"),
        ({"cipher__nonce": "YQ=="}, "nonce of 24 bytes"),
        ({"kdf__salt": "!"}, "not what cosign writes"),
        ({"ciphertext": 1}, "not what cosign writes"),
        ({"ciphertext": ""}, "damaged"),
        ({"kdf": []}, "not what cosign writes"),
    ],
)
def test_parameters_that_would_hurt_or_mean_nothing_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(SigningKeyInvalidError, match=message):
        cosign_keys.decrypt(changed(**change), "password")


@given(st.binary(max_size=60))
@settings(max_examples=50)
def test_any_other_content_is_refused(content: bytes) -> None:
    with pytest.raises(SigningKeyInvalidError):
        cosign_keys.decrypt(block(render_block(cosign_keys.LABELS[1], content)), "password")
