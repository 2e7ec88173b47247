"""Digests are `sha256:` and 64 lower-case hexadecimal digits, nothing else."""

from __future__ import annotations

import hashlib

import pytest

from chainloop_ci.digests import digest_of_hex, hex_of, is_digest, parse_digest, sha256_digest
from chainloop_ci.errors import DigestInvalidError

HEX = hashlib.sha256(b"chainloop").hexdigest()


def test_a_digest_is_what_sha256_says() -> None:
    digest = sha256_digest(b"chainloop")

    assert digest == f"sha256:{HEX}"


def test_a_digest_survives_parsing() -> None:
    digest = parse_digest(f"sha256:{HEX}")

    assert (hex_of(digest), digest_of_hex(HEX)) == (HEX, digest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEX,
        f"sha256:{HEX.upper()}",
        f"sha256:{HEX[:-1]}",
        f"sha256:{HEX}0",
        f"sha256:0x{HEX[2:]}",
        f"sha512:{HEX}",
        f"SHA256:{HEX}",
        f" sha256:{HEX}",
        f"sha256:{HEX}\n",
        f"md5:{HEX[:32]}",
    ],
)
def test_anything_else_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(DigestInvalidError, match="expected a digest like sha256:") as refusal:
        parse_digest(text)

    assert refusal.value.code == "digest-invalid"
    assert not is_digest(text)
