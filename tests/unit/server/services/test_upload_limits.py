from __future__ import annotations

from dataclasses import replace

import pytest

from server.errors import BodyTooLargeError, QuotaExceededError
from server.services.upload_limits import MAX_FILENAME, UploadLimits, clean_filename


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("app.bin", "app.bin"),
        ("dist/app.bin", "app.bin"),
        ("C:\\dist\\app.bin", "app.bin"),
        ("../../etc/passwd", "passwd"),
        (".bashrc", "bashrc"),
        ("..", "artifact"),
        ("", "artifact"),
        ("a\r\nb\x00c", "abc"),
        ("re\u202egnp.exe", "regnp.exe"),
        ("naïve plan.txt", "naïve plan.txt"),
        ("x" * 999, "x" * MAX_FILENAME),
    ],
)
def test_a_file_name_is_made_harmless(given: str, kept: str) -> None:
    assert clean_filename(given) == kept


def test_without_quota_only_the_blob_limit_counts() -> None:
    limits = UploadLimits(blob_bytes=10)

    limits.require_fit(10)
    with pytest.raises(BodyTooLargeError, match="10 bytes"):
        limits.require_fit(11)


@pytest.mark.parametrize(
    "limits",
    [
        UploadLimits(100, organization_quota_bytes=50, organization_left_bytes=5),
        UploadLimits(100, run_quota_bytes=50, run_left_bytes=5),
    ],
)
def test_a_quota_refuses_what_is_more_than_is_left(limits: UploadLimits) -> None:
    limits.require_fit(5)
    with pytest.raises(QuotaExceededError, match="50 bytes and has 5 left"):
        limits.require_fit(6)


def test_r8_what_the_run_has_sent_before_may_come_again_though_nothing_is_left() -> None:
    limits = UploadLimits(100, 50, 0, run_quota_bytes=50, run_left_bytes=0, repeated_bytes=7)

    limits.require_fit(7)
    with pytest.raises(QuotaExceededError):
        limits.require_fit(8)


def test_r8_what_the_organization_has_already_takes_nothing_of_its_quota_but_counts_for_the_run() -> None:
    known = UploadLimits(100, organization_quota_bytes=50, organization_left_bytes=0, known_bytes=7)

    known.require_fit(7)
    with pytest.raises(QuotaExceededError, match="the organization"):
        known.require_fit(8)
    with pytest.raises(QuotaExceededError, match="the workflow run"):
        replace(known, run_quota_bytes=50, run_left_bytes=6).require_fit(7)


def test_an_unknown_size_is_not_refused_before_it_comes() -> None:
    UploadLimits(blob_bytes=1).require_announced(None)
