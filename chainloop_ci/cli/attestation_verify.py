"""What `attestation verify` makes of its options, and what it prints."""

from __future__ import annotations

import base64
import binascii

from chainloop_ci.attestation.bundle import MAX_BUNDLE_BYTES
from chainloop_ci.attestation.times import render_time
from chainloop_ci.cli.table import Table
from chainloop_ci.cli.wiring import World
from chainloop_ci.crafting.verify import Verdict, verify
from chainloop_ci.errors import LimitExceededError, SigningKeyInvalidError, UsageError
from chainloop_ci.signing.public_keys import MAX_KEY_BYTES, PublicKey, load_public_key
from chainloop_ci.small_files import read_small_file

_ENV_SCHEME = "env://"


def run_verify(world: World, bundle: str, key: str | None) -> None:
    """Verify a bundle and say what it holds."""
    raw = read_bundle_bytes(world, bundle)
    verdict = verify(raw, [load_public_key_reference(world, key)] if key else [])
    for deviation in verdict.bundle.deviations:
        world.output.warning(f"accepted, though not in the form that the control plane stores: {deviation}")
    _show(world, verdict)


def read_bundle_bytes(world: World, path: str) -> bytes:
    """Return the content of a file that should hold a bundle.

    Raises:
        UsageError: an address.
        FileUnreadableError, PathRefusedError: the file cannot be read.
        LimitExceededError: it is larger than any bundle.
    """
    if "://" in path:
        raise UsageError("a bundle is not fetched from an address", hint="download it and give the file")
    with world.open_file(path) as file:
        raw = file.read(MAX_BUNDLE_BYTES + 1)
    if len(raw) > MAX_BUNDLE_BYTES:
        raise LimitExceededError(f"{path} is larger than {MAX_BUNDLE_BYTES // 1024**2} MiB")
    return raw


def load_public_key_reference(world: World, reference: str) -> PublicKey:
    """Return the public key that a reference names: a path, `env://NAME`, PEM text, or base64 of it.

    Raises:
        SigningKeyInvalidError: it names no public key.
        FileUnreadableError, PathRefusedError: the file cannot be read.
    """
    if reference.startswith(_ENV_SCHEME):
        name = reference.removeprefix(_ENV_SCHEME)
        if not world.env.get(name, "").strip():
            raise SigningKeyInvalidError(f"expected a public key in the environment variable {name!r}, which is empty")
        return load_public_key(_text_key(world.env[name]))
    if "-----BEGIN" not in reference and (world.file_exists(reference) or len(reference) < 64):
        return load_public_key(read_small_file(world.cwd / reference, "the public key", MAX_KEY_BYTES).raw)
    return load_public_key(_text_key(reference))


def _text_key(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogateescape")
    if b"-----BEGIN" in raw:
        return raw
    try:
        return base64.b64decode(b"".join(raw.split()), validate=True)
    except binascii.Error:
        return raw


def _show(world: World, verdict: Verdict) -> None:
    said = verdict.statement
    rows = {
        "Attestation Digest": verdict.bundle.digest,
        "Signed By": verdict.key_id,
        "Predicate Type": said.predicate_type,
        "Organization": said.organization,
        "Project": said.project,
        "Name": said.workflow_name,
        "Attestation ID": said.run_id,
        "Finished At": render_time(said.finished_at) if said.finished_at else "",
    }
    if world.format == "json":
        names = (
            "digest",
            "keyID",
            "predicateType",
            "organization",
            "project",
            "workflow",
            "attestationID",
            "finishedAt",
        )
        facts = dict(zip(names, rows.values(), strict=True))
        world.output.document(
            {"verified": True, **facts, "deviations": [d.to_dict() for d in verdict.bundle.deviations]}
        )
    else:
        world.output.table(Table([(label, text) for label, text in rows.items() if text]))
    world.output.info("the signature is valid; what the statement says is its signer's word")
