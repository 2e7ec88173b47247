"""Who crafts, as every attestation says it."""

from __future__ import annotations

from pathlib import Path


def builder_id() -> str:
    """Return who crafts: this version and the digest of its installed files (design decision 18).

    A checkout that was not installed has no RECORD and no digest.
    """
    from chainloop_ci import __version__
    from chainloop_ci.attestation.predicate import builder_id as render
    from chainloop_ci.digests import sha256_digest

    record = _installed_record()
    return render(__version__, sha256_digest(record) if record else None)


def _installed_record() -> bytes | None:
    """Return the RECORD of the wheel that this very code was installed from.

    An installer puts it beside the package (PyPA, "Recording installed projects"). One that lies elsewhere on the
    search path names other code than what runs.
    """
    import chainloop_ci

    records = list(Path(chainloop_ci.__file__).parent.parent.glob("chainloop_ci-*.dist-info/RECORD"))
    return records[0].read_bytes() if len(records) == 1 else None
