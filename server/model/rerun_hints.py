"""How the CI run of a commit is run again, for whoever presses «Re-run»: we judge anew, only the forge runs jobs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from chainloop_ci.api.source_address import SourceAddress, SourceKind
from server.model.forge_facts import ForgeRun
from server.model.verdict_kinds import VerdictKind, is_passing

_NUMBER = re.compile(r"[1-9][0-9]{0,18}\Z")
_PATHS = {SourceKind.GITHUB: "actions/runs", SourceKind.GITLAB: "-/pipelines"}
_BUTTONS = {SourceKind.GITHUB: "«Re-run jobs»", SourceKind.GITLAB: "«Retry»"}


def render_rerun(address: SourceAddress, kind: VerdictKind, ci_runs: Sequence[ForgeRun]) -> str:
    """Return a paragraph of Markdown that leads to the newest CI run of the commit, or nothing.

    Nothing where all is well, where no CI run is known, or for a forge without such a page. The address is built from
    the registered source (R43).
    """
    known = [run for run in ci_runs if _NUMBER.match(run.ci_run_id)]
    if is_passing(kind) or not known or address.kind not in _PATHS:
        return ""
    newest = max(known, key=lambda run: int(run.ci_run_id))
    url = f"{address.host}/{quote(address.repository)}/{_PATHS[address.kind]}/{newest.ci_run_id}"
    return f"\nTo attest again: {_BUTTONS[address.kind]} of [CI run {newest.ci_run_id}]({url}).\n"
