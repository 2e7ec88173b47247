"""Times on the wire are RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chainloop_ci.attestation.times import parse_time, render_time


def test_times_are_utc_on_the_wire() -> None:
    moment = parse_time("2026-11-20T15:53:33.321683945+01:00")

    assert moment == datetime(2026, 11, 20, 14, 53, 33, 321683, tzinfo=UTC)
    assert render_time(moment) == "2026-11-20T14:53:33.321683Z"


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a zone"):
        parse_time("2026-11-20T15:53:33")
