"""What was recorded of the Go product (v1.106.1, its CLI, control plane, CAS and PostgreSQL) on a quiet 2-core machine.

Its servers do not run here. A time is compared after each side is divided by the `sha256sum` yardstick of its own hour;
memory is compared as it is.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recorded:
    """Figures of one hour on one machine."""

    yardstick_seconds: float
    """`sha256sum` of 100 MB."""
    status_seconds: float
    status_mib: float
    step_seconds: float
    """init, three adds and push: five processes."""
    run_lists_per_second: float
    """10 rows a call, four connections."""
    init_push_per_second: float
    """Four jobs at a time, two processes each."""
    four_uploads_mib: float
    """The CAS while four uploads of 100 MB run."""


GO = Recorded(
    yardstick_seconds=0.42,
    status_seconds=0.095,
    status_mib=97,
    step_seconds=0.92,
    run_lists_per_second=200,
    init_push_per_second=3.0,
    # Recorded as 1.6 GB, beside figures in MiB.
    four_uploads_mib=1.6e9 / 1024**2,
)
