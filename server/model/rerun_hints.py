"""How the CI run of a commit is run again, for whoever presses «Re-run»: we judge anew, only the forge runs jobs."""

from __future__ import annotations

from collections.abc import Sequence

from chainloop_ci.api.source_address import SourceAddress, SourceKind
from server.model.forge_facts import ForgeRun
from server.model.forge_links import ci_run_url
from server.model.verdict_kinds import VerdictKind, is_passing

_BUTTONS = {SourceKind.GITHUB: "«Re-run jobs»", SourceKind.GITLAB: "«Retry»"}


def render_rerun(address: SourceAddress, kind: VerdictKind, ci_runs: Sequence[ForgeRun]) -> str:
    """Return a paragraph of Markdown that leads to the newest CI run of the commit, or nothing.

    Nothing where all is well, where no CI run is known, or for a forge without such a page. The address is built from
    the registered source (R43).
    """
    button = _BUTTONS.get(address.kind)
    known = [run for run in ci_runs if ci_run_url(address, run.ci_run_id)]
    if button is None or is_passing(kind) or not known:
        return ""
    newest = max(known, key=lambda run: int(run.ci_run_id))
    return f"\nTo attest again: {button} of [CI run {newest.ci_run_id}]({ci_run_url(address, newest.ci_run_id)}).\n"
