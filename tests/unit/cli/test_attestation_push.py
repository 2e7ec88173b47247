"""`attestation push` and `verify`: what is signed, where it goes, and who signed it."""

from __future__ import annotations

import errno
import json
import stat

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chainloop_ci.cli.main import run
from chainloop_ci.errors import AttestationRefusedError, Finding
from tests.unit.cli.attesting import att as att
from tests.unit.cli.attesting import complete as complete
from tests.unit.cli.attesting import key as key
from tests.unit.cli.attesting import private_pem as private_pem
from tests.unit.cli.attesting import public_pem as public_pem
from tests.unit.cli.attesting import world_of as world_of
from tests.unit.cli.conftest import Screen


def test_push_prints_the_envelope_and_then_that_it_was_pushed(att, complete, plane) -> None:
    done = att("push")

    assert done.status == 0
    assert list(done.json) == ["payloadType", "payload", "signatures"]
    assert done.out.startswith('{\n   "payloadType"')
    assert done.json["signatures"][0]["keyid"] == ""
    assert "INF Attestation pushed! digest=sha256:" in done.err
    assert len(plane.bundles) == 1


def test_push_with_json_prints_the_status(att, complete, plane) -> None:
    document = att("push", "-o", "json").json

    assert document["isPushed"] is True
    assert document["digest"].startswith("sha256:")
    assert document["state"] == "success"


def test_push_writes_the_stored_bytes_for_their_user_only(att, complete, plane, tmp_path) -> None:
    assert att("push", "--bundle", "out.json").status == 0

    assert (tmp_path / "out.json").read_bytes() == plane.bundles[0]
    assert stat.S_IMODE((tmp_path / "out.json").stat().st_mode) == 0o600


def test_a_bundle_that_cannot_be_written_is_said_before_anything_is_sent(att, complete, plane) -> None:
    done = att("push", "--bundle", "absent/out.json")

    assert done.status == 1
    assert plane.bundles == []


def test_a_bundle_does_not_go_to_stdout(att, complete, plane) -> None:
    done = att("push", "--bundle", "-")

    assert done.status == 2
    assert "stdout holds the signed envelope" in done.err
    assert plane.bundles == []


def test_a_bundle_is_not_written_over_the_state(att, tmp_path, plane) -> None:
    place = ("--local-state-path", "state.json")
    att("init", *place)
    att("add", "--name", "commit", "--value", "deadbeef", *place)
    att("add", "--name", "binary", "--value", "app.bin", *place)

    assert att("push", "--bundle", "state.json", *place).status == 2
    assert plane.bundles == []
    assert att("push", *place).status == 0


def test_a_refused_push_leaves_no_bundle_in_the_workspace(att, complete, plane, tmp_path) -> None:
    plane.failures["store_attestation"] = [AttestationRefusedError("refused")]

    assert att("push", "--bundle", "out.json").status != 0
    assert not (tmp_path / "out.json").exists()


def test_a_dry_run_says_that_it_writes_no_bundle(att, tmp_path) -> None:
    att("init", "--dry-run")

    done = att("push", "--bundle", "out.json")

    assert "WRN a dry run has no bundle" in done.err
    assert not (tmp_path / "out.json").exists()


def test_a_second_push_says_what_the_first_one_pushed(att, complete) -> None:
    pushed = att("push", "-o", "json").json

    done = att("push")

    assert done.status == 1
    assert f"the last one was pushed (run {pushed['attestationID']}, digest {pushed['digest']})" in done.err
    assert "it need not be pushed again; another begins with `chainloop attestation init`" in done.err


def test_a_push_whose_result_cannot_be_shown_still_says_that_it_was_pushed(complete, world_of, plane) -> None:
    class Full(Screen):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    world = world_of(stdout=Full())

    status = run(["attestation", "push"], world)

    assert (status, len(plane.bundles)) == (1, 1), world.stderr.getvalue()
    assert "INF Attestation pushed!" in world.stderr.getvalue()
    assert "ERR the result cannot be written to stdout: No space left on device" in world.stderr.getvalue()


def test_r5_push_without_a_key_ends_with_5_and_says_what_to_do(att, complete, plane) -> None:
    done = att("push", env={"CHAINLOOP_SIGNING_KEY": ""})

    assert done.status == 5
    assert "CHAINLOOP_SIGNING_KEY is set but empty" in done.err
    assert "chainloop organization key create" in done.err
    assert "store_attestation" not in plane.names


def test_r5_the_typed_key_wins_over_the_variable(att, complete, private_pem, tmp_path) -> None:
    (tmp_path / "key.pem").write_text(private_pem)
    (tmp_path / "key.pem").chmod(0o600)

    assert att("push", "--key", str(tmp_path / "key.pem"), env={"CHAINLOOP_SIGNING_KEY": "nonsense"}).status == 0


def test_r5_the_configuration_gives_a_key(att, complete, private_pem, tmp_path) -> None:
    (tmp_path / "key.pem").write_text(private_pem)
    (tmp_path / "key.pem").chmod(0o600)
    (tmp_path / "config.toml").write_text(f'signing-key = "{tmp_path / "key.pem"}"\n')
    (tmp_path / "config.toml").chmod(0o600)

    done = att("push", "--config", str(tmp_path / "config.toml"), env={"CHAINLOOP_SIGNING_KEY": ""})

    assert done.status == 0


def test_an_incomplete_push_ends_with_3_and_lists_everything(att) -> None:
    att("init")

    done = att("push", "-o", "json")

    assert done.status == 3
    assert [finding["path"] for finding in done.json["error"]["findings"]] == ["/spec/materials/0", "/spec/materials/1"]


def test_after_an_incomplete_push_a_gitlab_job_is_run_again(att) -> None:
    att("init")

    done = att("push", env={"CHAINLOOP_PLUGIN": "gitlab"})

    assert "hint: mend what is listed and run the job again" in done.err


@pytest.mark.parametrize(("code", "status"), [("missing-material", 3), ("signer-unknown", 5), ("field-mismatch", 1)])
def test_a_refused_store_ends_by_its_findings(att, complete, plane, code, status) -> None:
    plane.failures["store_attestation"] = [AttestationRefusedError("refused", findings=[Finding(code, "no")])]

    assert att("push").status == status


def test_push_of_a_dry_run_prints_the_statement_and_ends_with_3(att, plane) -> None:
    att("init", "--dry-run")

    done = att("push", env={"CHAINLOOP_SIGNING_KEY": ""})

    assert done.status == 3
    assert done.json["predicateType"] == "chainloop.dev/attestation/v0.2"
    assert plane.names == ["get_crafting_context"]


def test_push_of_a_complete_dry_run_ends_with_0_and_keeps_the_state(att) -> None:
    att("init", "--dry-run")
    att("add", "--name", "commit", "--value", "deadbeef")
    att("add", "--name", "binary", "--value", "app.bin")

    done = att("push", "-o", "json")

    assert done.status == 0
    assert done.json["statement"]["predicate"]["materials"]
    assert att("status").status == 0


@pytest.fixture
def bundle(att, complete, tmp_path):
    assert att("push", "--bundle", "out.json").status == 0
    return tmp_path / "out.json"


def test_verify_says_who_signed(att, bundle, public_pem, tmp_path) -> None:
    (tmp_path / "key.pub").write_text(public_pem)

    done = att("verify", "--bundle", "out.json", "--key", "key.pub", "-o", "json")

    assert done.status == 0
    assert done.json["verified"] is True
    assert done.json["workflow"] == "release"


@pytest.mark.parametrize("form", ["text", "variable", "env"])
def test_the_public_key_may_be_given_as(att, bundle, public_pem, form) -> None:
    typed = {"text": ["--key", public_pem], "env": ["--key", "env://PUB"], "variable": []}[form]
    env = {"text": {}, "env": {"PUB": public_pem}, "variable": {"CHAINLOOP_SIGNING_PUBLIC_KEY": public_pem}}[form]

    assert att("verify", "-b", "out.json", *typed, env=env).status == 0


def test_a_changed_bundle_ends_with_7(att, bundle, public_pem) -> None:
    document = json.loads(bundle.read_bytes())
    payload = document["dsseEnvelope"]["payload"]
    document["dsseEnvelope"]["payload"] = payload[:-8] + ("A" * 4) + payload[-4:]
    bundle.write_text(json.dumps(document))

    assert att("verify", "-b", "out.json", "--key", public_pem).status == 7


def test_another_signer_ends_with_8(att, bundle) -> None:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    other = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(serialization.Encoding.PEM, form)

    assert att("verify", "-b", "out.json", "--key", other.decode()).status == 8


def test_without_a_key_verify_ends_with_9(att, bundle) -> None:
    assert att("verify", "-b", "out.json").status == 9


def test_a_bundle_of_the_go_product_verifies_with_its_key(att, corpus) -> None:
    folder = corpus / "go-product"

    done = att("verify", "-b", str(folder / "bundle-key.json"), "--key", str(folder / "cosign.pub"))

    assert done.status == 0
    assert "WRN accepted, though not in the form" in done.err


@pytest.mark.parametrize("path", ["https://example.com/bundle.json", "absent.json"])
def test_a_bundle_that_is_no_file_is_refused(att, path) -> None:
    assert att("verify", "-b", path).status in (1, 2)
