from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.errors import ChainloopError, FileUnreadableError, SigningKeyInvalidError, SigningKeyMissingError
from chainloop_ci.signing.generate import generate_key
from chainloop_ci.signing.keys import Signer, load_signing_key
from chainloop_ci.signing.pem import render_block
from chainloop_ci.signing.public_keys import KeyAlgorithm, load_public_key

P256 = ec.generate_private_key(ec.SECP256R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
PASSWORD = "correct horse"

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def pem(
    key: PrivateKey = P256,
    form: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption | None = None,
) -> str:
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption()).decode()


ENCRYPTED = pem(encryption=BestAvailableEncryption(PASSWORD.encode()))
TRADITIONAL = pem(form=PrivateFormat.TraditionalOpenSSL, encryption=BestAvailableEncryption(PASSWORD.encode()))
COSIGN, COSIGN_PUBLIC = generate_key(password=PASSWORD)


def never() -> str | None:
    raise AssertionError("the password was asked for without need")


def load(reference: str, password: str | None = None, env: dict[str, str] | None = None) -> Signer:
    return load_signing_key(reference, read_password=never if password is None else lambda: password, env=env or {})


def works(signer: Signer) -> bool:
    return signer.public_key.verify(signer.sign(b"message"), b"message")


@pytest.mark.parametrize(
    ("text", "algorithm"),
    [
        (pem(), KeyAlgorithm.ECDSA_P256),
        (pem(form=PrivateFormat.TraditionalOpenSSL), KeyAlgorithm.ECDSA_P256),
        (pem(ED25519), KeyAlgorithm.ED25519),
    ],
    ids=["pkcs8", "ec", "ed25519"],
)
def test_an_open_key_signs_without_a_password(text: str, algorithm: KeyAlgorithm) -> None:
    signer = load(text)

    assert signer.public_key.algorithm is algorithm
    assert works(signer)


@pytest.mark.parametrize("text", [ENCRYPTED, TRADITIONAL, COSIGN], ids=["pkcs8", "traditional", "cosign"])
def test_an_encrypted_key_signs_with_its_password(text: str) -> None:
    assert works(load(text, PASSWORD))


@pytest.mark.parametrize("text", [ENCRYPTED, TRADITIONAL, COSIGN], ids=["pkcs8", "traditional", "cosign"])
@pytest.mark.parametrize("password", ["wrong horse", "", "ünïcode"])
def test_a_wrong_password_is_said_and_not_repeated(text: str, password: str) -> None:
    with pytest.raises(SigningKeyInvalidError, match=r"password is (wrong|empty)") as caught:
        load(text, password)

    assert not password or password not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("text", [ENCRYPTED, TRADITIONAL, COSIGN], ids=["pkcs8", "traditional", "cosign"])
def test_a_missing_password_names_the_variable(text: str) -> None:
    with pytest.raises(SigningKeyInvalidError, match="encrypted and no password was given") as caught:
        load_signing_key(text, read_password=lambda: None, env={})

    assert "CHAINLOOP_SIGNING_PASSWORD," in (caught.value.hint or "")
    assert "CHAINLOOP_SIGNING_PASSWORD_FILE" in (caught.value.hint or "")


def _indented(text: str) -> str:
    return "\n".join("      " + line for line in text.splitlines())


@pytest.mark.parametrize(
    "change",
    [
        str,
        lambda text: text.strip(),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\\n"),
        lambda text: text.strip().replace("\n", " "),
        _indented,
        lambda text: "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + text,
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.encodebytes(text.encode()).decode(),
    ],
    ids=["as-is", "stripped", "crlf", "literal-n", "spaces", "indented", "ec-parameters", "base64", "wrapped-base64"],
)
@pytest.mark.parametrize("text", [pem(), COSIGN], ids=["pem", "cosign"])
def test_r5_a_key_survives_the_settings_page_of_a_ci_system(text: str, change: Callable[[str], str]) -> None:
    password = PASSWORD if text is COSIGN else None

    assert works(load(change(text), password))
    assert works(load("env://KEY", password, {"KEY": change(text)}))


def test_r5_a_key_is_read_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "cosign.key"
    path.write_text(COSIGN)
    path.chmod(0o600)

    signer = load(f" {path}\n", PASSWORD)

    assert signer.public_key.pem == COSIGN_PUBLIC
    assert signer.warnings == ()


def test_a_file_may_hold_base64_of_a_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(base64.b64encode(pem().encode()))

    assert works(load(str(path)))


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_key_file_that_others_can_read_is_warned_about(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "cosign.key"
    path.write_text(pem())
    path.chmod(mode)

    [warning] = load(str(path)).warnings

    assert str(path) in warning and f"{mode:04o}" in warning


def test_the_names_of_a_key_are_those_of_its_public_part() -> None:
    signer = load(pem())

    assert signer.key_id == signer.public_key.key_id
    assert base64.b64decode(signer.hint).hex() == signer.key_id.removeprefix("sha256:")
    assert load_public_key(signer.public_key.pem.encode()) == signer.public_key


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (pem(ec.generate_private_key(ec.SECP384R1())), "an EC key on P-384"),
        (pem(ec.generate_private_key(ec.SECP521R1())), "an EC key on P-521"),
        (pem(ec.generate_private_key(ec.SECP256K1())), "an EC key on secp256k1"),
        (pem(rsa.generate_private_key(65537, 2048)), "a key of kind RSA"),
    ],
    ids=["P-384", "P-521", "secp256k1", "RSA"],
)
def test_a_kind_of_key_that_cannot_sign_here_is_named(text: str, found: str) -> None:
    with pytest.raises(SigningKeyInvalidError, match=found):
        load(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (COSIGN_PUBLIC, "found a public one"),
        (ED25519.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode(), "OpenSSH's own form"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "found CERTIFICATE"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "damaged"),
        ("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----", "damaged"),
        ("-----BEGIN PRIVATE KEY-----\né\n-----END PRIVATE KEY-----", "damaged"),
    ],
    ids=["public", "openssh", "certificate", "short", "not-base64", "not-ascii"],
)
def test_what_is_not_a_private_key_is_named(text: str, message: str) -> None:
    with pytest.raises(SigningKeyInvalidError, match=message):
        load(text)


@pytest.mark.parametrize("reference", ["", " \n"])
def test_an_empty_reference_is_a_missing_key(reference: str) -> None:
    with pytest.raises(SigningKeyMissingError):
        load(reference)


@pytest.mark.parametrize("env", [{}, {"KEY": ""}, {"KEY": " \n"}, {"KEY": "secret-value"}, {"KEY": "c2VjcmV0LXZhbHVl"}])
def test_a_variable_without_a_key_is_named_and_never_shown(env: dict[str, str]) -> None:
    with pytest.raises(SigningKeyInvalidError, match="'KEY'") as caught:
        load("env://KEY", env=env)

    assert "secret-value" not in caught.value.message
    assert "c2VjcmV0" not in caught.value.message


def test_a_variable_is_never_taken_for_a_path(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(pem())

    with pytest.raises(SigningKeyInvalidError):
        load("env://KEY", env={"KEY": str(path)})


@pytest.mark.parametrize("path", ["/nowhere/cosign.key", "./cosign.key", "cosign.key", "~/cosign.key"])
def test_a_path_that_does_not_exist_is_shown(path: str) -> None:
    with pytest.raises(SigningKeyInvalidError, match="a file that exists") as caught:
        load(path)

    assert repr(path) in caught.value.message


@pytest.mark.parametrize(
    "secret",
    [
        base64.b64encode(ED25519.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).decode(),
        "hunter2",
        "clp_" + "a" * 49,
        pem().replace("-----END", "---END"),
        pem().splitlines()[1],
    ],
    # Named, since the keys differ in each process.
    ids=["DER in base64", "password", "token", "damaged PEM", "line of a PEM"],
)
def test_a_value_that_may_be_a_secret_is_never_shown(secret: str) -> None:
    with pytest.raises(SigningKeyInvalidError) as caught:
        load(secret)

    assert f"a value of {len(secret.strip())} characters" in caught.value.message
    assert secret.strip() not in caught.value.message


@pytest.mark.parametrize("scheme", ["awskms", "gcpkms", "azurekms", "hashivault", "k8s", "signserver"])
def test_a_kind_of_reference_that_is_not_there_yet_is_named(scheme: str) -> None:
    with pytest.raises(SigningKeyInvalidError, match=f"keys of {scheme} cannot be used yet"):
        load(f"{scheme}://something/secret")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadableError, match="cannot be read"):
        load(str(tmp_path))


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"x" * (64 * 1024 + 1))

    with pytest.raises(SigningKeyInvalidError, match="at most 65536 bytes"):
        load(str(path))


def test_t07_no_representation_shows_the_key() -> None:
    signer = load(pem())

    assert "PrivateKey" not in repr(signer)


@given(st.data())
def test_a_damaged_key_signs_or_is_refused(data: st.DataObject) -> None:
    content = bytearray(P256.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))

    try:
        signer = load(render_block("PRIVATE KEY", bytes(content)))
    except ChainloopError as error:
        assert error.message
    else:
        assert works(signer)


def test_a_password_that_is_no_text_is_tried_as_its_bytes() -> None:
    private, _ = generate_key(password="\udcff")

    assert works(load(private, "\udcff"))
