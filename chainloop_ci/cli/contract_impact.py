"""What `workflow contract impact` shows: who would fail on what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from chainloop_ci.api.record import to_dict
from chainloop_ci.api.requirements import ContractImpact, ImpactOutcome
from chainloop_ci.cli.listing import date
from chainloop_ci.cli.table import Row, Table
from chainloop_ci.cli.wiring import World

_WORDS = {
    ImpactOutcome.MET: "would meet it",
    ImpactOutcome.NOT_MET: "would fail",
    ImpactOutcome.NO_ATTESTATION: "no attestation",
}


def show_impact(world: World, name: str, found: Sequence[ContractImpact]) -> None:
    """Show all that was judged as a document; to people those that would fail, or cannot be judged, and how many."""
    counts = Counter(item.outcome for item in found)
    if world.format == "json":
        summary = {outcome.value: counts[outcome] for outcome in ImpactOutcome}
        world.output.document({"contract": name, "summary": summary, "items": [to_dict(item) for item in found]})
        return
    rows = [row for item in found if item.outcome is not ImpactOutcome.MET for row in _rows(item)]
    if rows:
        header = ("Project", "Workflow", "Team", "Outcome", "What it lacks", "Attested at")
        world.output.table(Table(rows, header=header))
    said = ", ".join(f"{counts[outcome]} {_WORDS[outcome]}" for outcome in ImpactOutcome)
    world.output.info(f"{len(found)} workflow{'s' * (len(found) != 1)} use it: {said}; nothing was stored", name=name)


def _rows(item: ContractImpact) -> list[Row]:
    head = (item.project, item.workflow, item.team, _WORDS[item.outcome])
    messages = [finding.message for finding in item.findings] or [""]
    first, *others = messages
    return [
        (*head, first, date(item.attested_at)),
        *(("", "", "", "", message, "") for message in others),
    ]
