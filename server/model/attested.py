"""What a stored statement has of what contracts ask for. Pure."""

from __future__ import annotations

from chainloop_ci.attestation.view import StatementView
from chainloop_ci.contract.types import MaterialType, RunnerType
from chainloop_ci.contract.upcoming import Attested
from server.model.runs import Run


def attested_of(view: StatementView, run: Run) -> Attested:
    """Return what the statement of a run carries; its ids, types and digests were checked when it was stored (R11)."""
    known = MaterialType.__members__.values()
    return Attested(
        materials={entry.name: MaterialType(entry.type) for entry in view.materials if entry.type in known},
        material_annotations={entry.name: entry.annotations for entry in view.materials},
        annotations=view.annotations,
        env=view.env,
        runner=RunnerType(run.runner_type),
        event=run.ci.event,
    )
