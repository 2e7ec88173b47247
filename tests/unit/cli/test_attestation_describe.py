from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from chainloop_ci.attestation.bundle import Bundle, pae, read_bundle, render_bundle
from chainloop_ci.attestation.statement import render_statement
from chainloop_ci.cli.attestation_describe import signer_text
from tests.unit.attestation.states import BUILDER, FINISHED, MacKey, full_state
from tests.unit.cli.conftest import Result

ANN = MacKey(b"ann")
STATEMENT = render_statement(full_state(), finished_at=FINISHED, builder_id=BUILDER)
RAW = render_bundle(STATEMENT, b"\x30signature", ANN.hint)


@pytest.fixture
def describe(chainloop: Callable[..., Result], tmp_path: Path) -> Callable[..., Result]:
    """Return what describes a bundle of the caller's."""

    def invoke(raw: bytes, *options: str) -> Result:
        (tmp_path / "bundle.json").write_bytes(raw)
        return chainloop("attestation", "describe", "--bundle", "bundle.json", *options)

    return invoke


def envelope(**changes: object) -> Bundle:
    document = json.loads(RAW)
    document["dsseEnvelope"] |= changes
    return read_bundle(json.dumps(document).encode())


def certified(der: str) -> Bundle:
    document = json.loads(RAW) | {"verificationMaterial": {"certificate": {"rawBytes": der}}}
    return read_bundle(json.dumps(document).encode())


def test_people_see_envelope_statement_and_materials(describe: Callable[..., Result]) -> None:
    done = describe(RAW)

    assert done.status == 0
    assert done.out.startswith("┌")
    for text in ("Attestation (not verified)", f"the key {ANN.key_id}", "(claimed)", "Materials", "ghcr.io/acme/app@"):
        assert text in done.out
    assert "INF nothing was verified" in done.err


def test_scripts_see_the_keys_of_workflow_run_describe(describe: Callable[..., Result]) -> None:
    shown = describe(RAW, "-o", "json").json

    assert (shown["verified"], shown["deviations"]) == (False, [])
    assert shown["statement"]["workflow"] == "build"
    assert {entry["name"]: entry["value"] for entry in shown["materials"]}["word"] == "hello"
    assert shown["envelope"].keys() == {"payloadType", "payload", "signatures"}


def test_the_statement_and_the_signed_bytes_are_printed_alone(describe: Callable[..., Result]) -> None:
    assert describe(RAW, "-o", "statement").json == json.loads(STATEMENT)
    assert pae(read_bundle(RAW)) == b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(STATEMENT), STATEMENT)
    assert describe(RAW, "-o", "payload-pae").status == 0


def test_what_the_store_would_refuse_is_a_warning(describe: Callable[..., Result]) -> None:
    done = describe(json.dumps(json.loads(RAW)["dsseEnvelope"]).encode())

    assert done.status == 0
    assert "WRN the control plane would not store it: /: expected a bundle, found a bare DSSE envelope" in done.err
    assert "none, a bare envelope" in done.out


@pytest.mark.parametrize(
    ("bundle", "said"),
    [
        (envelope(signatures=[]), "nobody: there is no signature"),
        (read_bundle(render_bundle(b"{}", b"\x30", "")), "a key without a name"),
        (read_bundle(render_bundle(b"{}", b"\x30", "release")), "a key called 'release'"),
        (certified("REVS"), "a certificate: one that cannot be read"),
    ],
)
def test_the_signer_is_named_by_the_file_s_own_word(bundle: Bundle, said: str) -> None:
    assert signer_text(bundle) == said


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "bundle-invalid"),
        (b"{}", "bundle-invalid"),
        (render_bundle(b"hello world", b"\x30", ""), "statement-invalid"),
        (b" " * (8 * 1024 * 1024 + 1), "limit-exceeded"),
    ],
)
def test_what_is_no_attestation_is_refused(describe: Callable[..., Result], raw: bytes, code: str) -> None:
    done = describe(raw, "-o", "json")

    assert (done.status, done.json["error"]["code"]) == (1, code)


def test_an_address_is_not_fetched(chainloop: Callable[..., Result]) -> None:
    done = chainloop("attestation", "describe", "--bundle", "https://example.com/bundle.json")

    assert done.status == 2
    assert "download it" in done.err


def test_control_characters_of_a_file_do_not_reach_the_terminal(describe: Callable[..., Result]) -> None:
    done = describe(render_bundle(STATEMENT, b"\x30", "\x1b[31mred"))

    assert done.status == 0
    assert "\x1b" not in done.out + done.err
