"""A report in which every text is the same one."""

from __future__ import annotations

from chainloop_ci.reports.report import Mark, MaterialLine, Problem, Report, Requirement


def report_of(text: str) -> Report:
    """Return a failed report that says `text` wherever somebody else may choose what it says."""
    return Report(
        command="attestation craft",
        verdict=f"Bad: {text}",
        failed=True,
        advice=text,
        notice=text,
        workflow=text,
        project=text,
        facts=(("Contract", text), ("Empty", "")),
        link=text,
        problems=(
            Problem("Missing material", text, text, subject="material a", file=text, line=3),
            Problem("Other", text),
        ),
        warnings=(text,),
        materials=(MaterialLine(name=text, type="STRING", value=text, digest=text, required=True, status=text),),
        requirements=(
            Requirement("material a", Mark.FAILED),
            Requirement(text or "b", Mark.OPEN),
            Requirement("c", Mark.MET),
        ),
        outputs={"state": text, "run-id": text},
    )
