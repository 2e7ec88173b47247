"""What a command learned, made into the report that the CI system is shown; nothing here reads or writes anything."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import field

from chainloop_ci.attestation.state import CraftingState
from chainloop_ci.cli.dialect import Dialect
from chainloop_ci.cli.exit_codes import CONTRACT_NOT_MET, FAILURE, MEANINGS, UNREACHABLE, USAGE
from chainloop_ci.cli.plugin_inputs import OUTPUTS
from chainloop_ci.contract.types import Contract, ContractMaterial
from chainloop_ci.crafting.push import Pushed
from chainloop_ci.crafting.status import AttestationStatus, MaterialStatus, get_status
from chainloop_ci.errors import ChainloopError, Finding, UnreachableError
from chainloop_ci.records import record
from chainloop_ci.reports.report import Mark, MaterialLine, Problem, Report, Requirement


@record
class Told:
    """What one command learned until its end."""

    command: str
    """`push`."""
    exit_status: int = 0
    """Before `--graceful-exit` makes it 0."""
    error: ChainloopError | None = None
    goes_on: str = ""
    """One sentence: why the job goes on all the same."""
    tolerated: bool = False
    """Whether that is so because the error is none here."""
    state: CraftingState | None = None
    """The attestation as it was last seen; None when this job has none."""
    ended: bool = False
    """Whether it was ended without a push."""
    run_state: str = ""
    """The state that its run ended in, as far as the control plane said it."""
    pushed: Pushed | None = None
    bundle: str = ""
    """Where the bundle was asked for."""
    queued: str = ""
    """The file that the signed attestation is kept in, since the control plane did not answer."""
    notice: str = ""
    """Why nothing is stored though nothing failed, when `queued` does not say it."""
    place: Mapping[str, tuple[str, int | None]] = field(default_factory=dict)
    """File and line of what a finding's path names; the empty path: where to look otherwise."""
    dialect: Dialect = Dialect()
    """How the job words it."""
    warnings: tuple[str, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Outputs that a command knows better than what is made of the above."""

    @property
    def knows_a_run(self) -> bool:
        """Tell whether there is anything to say of an attestation, and not only of the command."""
        return self.state is not None or self.pushed is not None or bool(self.outputs)

    @property
    def was_interrupted(self) -> bool:
        """Tell whether it ended without an error of its own."""
        return self.error is None and self.exit_status in MEANINGS


def make_report(told: Told) -> Report:
    """Return the report of a command."""
    status = _status(told)
    problems = _problems(told, status)
    pin = status.state.pin if status else None
    return Report(
        command=f"attestation {told.command}",
        verdict=_verdict(told, status),
        failed=told.error is not None or told.was_interrupted,
        tolerated=told.tolerated,
        advice=_advice(told),
        notice=f"Its file is `{told.queued}`: {told.dialect.keeping(told.queued)}." if told.queued else told.notice,
        workflow=pin.name if pin else "",
        project=pin.project if pin else "",
        facts=_facts(told, status) if status else (),
        link=status.view_url if status else "",
        problems=problems,
        warnings=tuple(dict.fromkeys(told.warnings)),
        materials=tuple(_material_line(line, problems) for line in status.materials) if status else (),
        requirements=_requirements(told, status, problems),
        outputs=make_outputs(told, status),
    )


def _advice(told: Told) -> str:
    # Without findings the error is the problem, and has its hint with it.
    hint = told.error.hint if told.error and told.error.findings and not _has_one_advice(told.error) else None
    return told.dialect.advice(" ".join(filter(None, (hint and _sentence(hint), told.goes_on))))


def _has_one_advice(error: ChainloopError) -> bool:
    """Tell whether what is to be done about the error is what is to be done about its only finding."""
    return len(error.findings) == 1 and not error.findings[0].hint


def make_outputs(told: Told, status: AttestationStatus | None) -> dict[str, str]:
    """Return every output of a step, empty where nothing is known."""
    begun = status is not None and bool(status.state.pin.run_id) and status.state.is_begun
    known = {
        "run-id": status.state.pin.run_id if status and begun else "",
        "run-url": status.view_url if status else "",
        "attestation-digest": str(told.pushed.digest) if told.pushed else "",
        "bundle-path": told.bundle if told.pushed else "",
        "state": _state(told),
        "compliant": "true" if _is_compliant(told, status) else "false",
        "missing-materials": json.dumps(_missing_names(status.state) if status else []),
    }
    return {output.name: told.outputs.get(output.name, known.get(output.name, "")) for output in OUTPUTS}


def _status(told: Told) -> AttestationStatus | None:
    if told.pushed:
        stored = told.pushed.stored
        return get_status(told.pushed.state, digest=told.pushed.digest, pushed=True, view_url=stored.view_url)
    return get_status(told.state) if told.state else None


def _state(told: Told) -> str:
    """Return the run's state, or what is said in place of one; empty when there is no run, or nobody knows more."""
    if told.pushed:
        return told.pushed.stored.state.value
    if known := told.outputs.get("state"):
        return known
    if told.exit_status == UNREACHABLE:
        return "unreachable"
    if told.ended or told.state is None or (told.error and told.error.code == "run-ended"):
        return told.run_state
    if told.state.dry_run:
        return "dry-run"
    return "initialized" if told.state.is_begun else ""


def _is_compliant(told: Told, status: AttestationStatus | None) -> bool:
    return status is not None and status.compliant is True and told.exit_status != CONTRACT_NOT_MET


def _missing_names(state: CraftingState) -> list[str]:
    """Return the required materials that are missing; of a group, its members in one name: `sarif|sbom`."""
    contract, present = state.contract, state.materials
    single = [entry.name for entry in contract.materials if entry.required and entry.name not in present]
    groups = contract.groups.values()
    return single + [
        "|".join(entry.name for entry in members)
        for members in groups
        if not any(entry.name in present for entry in members)
    ]


# --- the verdict


def _verdict(told: Told, status: AttestationStatus | None) -> str:
    if told.error and told.error.code == "attestation-refused" and told.error.findings:
        # Its message lists them for the log, where they stand with what to do below.
        count = len(told.error.findings)
        return f"The control plane refused the attestation: {count} {'thing is' if count == 1 else 'things are'} wrong."
    if told.error:
        explained = told.dialect.message(told.error.message, told.error.code) if told.error.findings else ""
        return _sentence(explained or _meaning(told))
    if told.pushed:
        return _verdict_on_stored(told.pushed, status)
    if told.was_interrupted:
        return _sentence(MEANINGS[told.exit_status])
    if told.ended or told.command == "reset":
        return _verdict_on_end(told)
    if told.queued:
        return "The attestation is signed and not stored yet: the control plane did not answer."
    return _verdict_on_open(told, status)


def _meaning(told: Told) -> str:
    meaning = MEANINGS.get(told.exit_status, MEANINGS[FAILURE])
    if isinstance(told.error, UnreachableError) and told.error.of_registry:
        return meaning.replace("the control plane", "a container registry")
    if told.error and told.error.code == "not-allowed":
        return "the token may not do what was asked"
    return meaning.replace("options", told.dialect.options) if told.exit_status == USAGE else meaning


def _verdict_on_stored(pushed: Pushed, status: AttestationStatus | None) -> str:
    if not pushed.stored.verified:
        return "The attestation is stored, but not verified: it does not count as success."
    if status and status.compliant is None:
        # R37
        return "The attestation is stored and verified. No requirements: its contract asks for nothing."
    return "The attestation is stored and verified, and everything that its contract requires is there."


def _verdict_on_end(told: Told) -> str:
    if not told.ended:
        return "There was no attestation to end."
    return f"The attestation was ended without being stored{f': {told.run_state}' if told.run_state else ''}."


def _verdict_on_open(told: Told, status: AttestationStatus | None) -> str:
    if status is None:
        return "No attestation was begun." if told.command in ("craft", "init") else "No attestation is known here."
    begun = {"init": "The attestation is begun", "add": "The material is added"}
    head = begun.get(told.command, "The attestation is not stored yet")
    if status.state.dry_run:
        head = "Dry run: nothing was signed and nothing was stored"
    if status.missing:
        count = len(status.missing)
        return f"{head}; {count} {'thing is' if count == 1 else 'things are'} missing or wrong."
    if status.compliant is None:
        return f"{head}. No requirements: its contract asks for nothing."
    return f"{head}; everything that its contract requires is there."


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"


def _facts(told: Told, status: AttestationStatus) -> tuple[tuple[str, str], ...]:
    state, pin = status.state, status.state.pin
    newest = state.session.latest_contract_revision
    later = f" (newest: {newest})" if newest and newest > pin.contract_revision else ""
    revision = f", revision {pin.contract_revision}{later}" if pin.contract_revision else ""
    return (
        ("Workflow", pin.name),
        ("Project", f"{pin.project} {pin.project_version}".strip()),
        ("Contract", f"{pin.contract_name}{revision}"),
        ("Run", pin.run_id if state.is_begun else ""),
        ("State", _state(told)),
        ("Attestation", status.digest),
        ("Commit", state.head.hash if state.head else ""),
    )


# --- what is missing or wrong


def _problems(told: Told, status: AttestationStatus | None) -> tuple[Problem, ...]:
    error = told.error
    if told.was_interrupted:
        return (Problem("Interrupted", MEANINGS[told.exit_status], told.dialect.again),)
    if error is None and told.ended:
        return ()
    if error is None:
        return tuple(_problem(told, status, finding) for finding in (status.missing if status else ()))
    if error.findings:
        return tuple(_problem(told, status, finding) for finding in error.findings)
    file, line = told.place.get("", ("", None))
    subject = "runner" if error.code == "runner-mismatch" else ""
    message, fix = told.dialect.message(error.message, error.code), told.dialect.advice(error.hint or "")
    return (Problem(_title(error.code), message, fix, subject, file, line),)


def _problem(told: Told, status: AttestationStatus | None, finding: Finding) -> Problem:
    contract = status.state.contract if status else None
    file, line = told.place.get(finding.path or "", told.place.get("", ("", None)))
    if told.error and told.error.code == "contract-invalid" and finding.line:
        line = finding.line
    of_error = told.error.hint if told.error and _has_one_advice(told.error) else None
    fix = told.dialect.advice(finding.hint or of_error or "")
    return Problem(_title(finding.code), _message(told, finding), fix, _subject_of(finding, contract), file, line)


def _message(told: Told, finding: Finding) -> str:
    """Return what a finding says, with its place where that is one in a document of the user's."""
    code = told.error.code if told.error else ""
    if code == "contract-invalid" and finding.path:
        return f"{finding.path}: {finding.message}"
    return str(finding) if code == "material-rejected" else finding.message


def _title(code: str) -> str:
    return code.replace("-", " ").capitalize()


def _entry_of(finding: Finding, contract: Contract | None) -> ContractMaterial | None:
    """Return the material of the contract that a finding is about."""
    if contract is None or not (finding.path or "").startswith(f"{contract.materials_path}/"):
        return None
    at = (finding.path or "").removeprefix(f"{contract.materials_path}/").partition("/")[0]
    return contract.materials[int(at)] if at.isdigit() and int(at) < len(contract.materials) else None


def _subject_of(finding: Finding, contract: Contract | None) -> str:
    """Return the name of the requirement that a finding is about; empty when it is about none."""
    if finding.code == "missing-variable":
        return f"variable {finding.path}"
    if entry := _entry_of(finding, contract):
        return _group_name(entry.group, contract) if finding.code == "missing-group" else _material_name(entry)
    at = (finding.path or "").rpartition("/annotations/")[2]
    if contract and finding.code == "missing-annotation" and at.isdigit() and int(at) < len(contract.annotations):
        return f"annotation {contract.annotations[int(at)].name}"
    return ""


def _material_name(entry: ContractMaterial) -> str:
    return f"material {entry.name} ({entry.type})"


def _group_name(group: str | None, contract: Contract | None) -> str:
    members = contract.groups[group] if contract and group else ()
    return f"group {group} (one of {', '.join(entry.name for entry in members)})"


def _requirements(told: Told, status: AttestationStatus | None, problems: Sequence[Problem]) -> tuple[Requirement, ...]:
    wrong = {problem.subject for problem in problems if problem.subject}
    if status is None:
        # Nobody knows the contract; what the command refused it is known to ask for.
        return tuple(Requirement(name, Mark.FAILED) for name in sorted(wrong))
    contract = status.state.contract
    missing = wrong | {_subject_of(finding, contract) for finding in status.missing}

    def mark(name: str) -> Mark:
        if name not in missing:
            return Mark.MET
        return Mark.FAILED if told.error and name in wrong else Mark.OPEN

    # What was refused is told of too when the contract does not require it.
    names = dict.fromkeys((*_required(contract), *sorted(wrong)))
    return tuple(Requirement(name, mark(name)) for name in names)


def _required(contract: Contract) -> list[str]:
    return [
        *(_material_name(entry) for entry in contract.materials if entry.required),
        *(_group_name(group, contract) for group in contract.groups),
        *(f"annotation {annotation.name}" for annotation in contract.annotations if not annotation.value),
        *(f"variable {name}" for name in contract.env_allow_list),
        *(("runner",) if contract.runner else ()),
    ]


def _material_line(line: MaterialStatus, problems: Sequence[Problem]) -> MaterialLine:
    material = line.material
    value = "" if material is None else material.value if material.value is not None else material.filename or ""
    return MaterialLine(
        name=line.name,
        type=line.type,
        value=value,
        digest=str(material.digest) if material else "",
        required=line.required,
        status=_material_status(line, problems),
    )


def _material_status(line: MaterialStatus, problems: Sequence[Problem]) -> str:
    subject = _material_name(line.entry) if line.entry else ""
    wrong = [problem for problem in problems if subject and problem.subject == subject]
    if line.material is None:
        if any(problem.title != _title("missing-material") for problem in wrong):
            return "refused"
        group = line.entry.group if line.entry else None
        return "missing" if line.required else f"not added (group {group})" if group else "not added (optional)"
    if line.entry is None:
        return "added; the contract does not know it"
    return "wrong" if wrong else "added"
