from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chainloop_ci.api.access import Role
from chainloop_ci.attestation.state import CraftingState, GitHead, Remote
from chainloop_ci.crafting.init import Init, InitRequest, Machine
from chainloop_ci.crafting.terms import ContractFile, TermsFinder, Wanted
from chainloop_ci.errors import (
    AlreadyInitializedError,
    ConflictError,
    ContractUnsupportedError,
    NotAllowedError,
    NotFoundError,
    RunnerMismatchError,
    SecretVariableError,
    ServerFaultError,
    StateBrokenError,
    UnreachableError,
    UsageError,
    VariablesMissingError,
)
from chainloop_ci.runners.types import CiIdentity, HostFacts
from chainloop_ci.state import belongs_to_other_job
from tests.unit.crafting.memory import CONTRACT, NOW, MemoryPlane, MemoryStore, Notes, revision_of

GITHUB = {
    "CI": "true",
    "GITHUB_ACTOR": "octocat",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_REPOSITORY": "acme/app",
    "GITHUB_REPOSITORY_OWNER": "acme",
    "GITHUB_RUN_ID": "3411479373",
    "GITHUB_SHA": "6417e226890ae1340cecc9cd9d7692445ee3338e",
    "RUNNER_NAME": "GitHub Actions 5",
    "RUNNER_OS": "Linux",
}
ON_GITHUB = CONTRACT + b"  runner: {type: GITHUB_ACTION}\n"
NAMED = Wanted(workflow="release", project="bedrock")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def make(store: MemoryStore, plane: MemoryPlane, notes: Notes) -> Callable[..., Init]:
    ids = iter(f"00000000-0000-4000-8000-{number:012d}" for number in range(100))

    def no_plane() -> MemoryPlane:
        raise AssertionError("nobody may ask the control plane here")

    def make(
        env: dict[str, str] | None = None,
        *,
        offline: bool = False,
        event: dict[str, Any] | None = None,
        read_head: Callable[[str | None], GitHead | None] = lambda sha: GitHead(hash=sha or "0" * 40),
    ) -> Init:
        ask = no_plane if offline else lambda: plane
        return Init(
            store=store,
            control_plane=ask,
            control_plane_url=lambda: "https://cp.test",
            terms=TermsFinder(control_plane=ask, report=notes),
            machine=Machine(
                facts=HostFacts(env=env or {}, event=event or {}),
                now=lambda: NOW,
                new_id=lambda: next(ids),
                new_handle=lambda: "the handle",
                read_head=read_head,
                belongs_to_other_job=belongs_to_other_job,
                client_version="1.0.0",
            ),
            report=notes,
        )

    return make


def test_init_creates_the_run_that_the_saved_state_names(make, store, plane) -> None:
    state = make()(InitRequest(NAMED, version="v1.2.0"))

    assert plane.names == ["get_crafting_context", "put_run"]
    assert list(plane.runs) == [state.pin.run_id]
    assert store.state == state
    assert state.pin.project_version == "v1.2.0"


def test_r14_the_control_plane_gets_only_the_hash_of_the_run_handle(make, plane) -> None:
    state = make()(InitRequest(NAMED))

    [request] = plane.runs.values()
    assert state.session.run_handle == "the handle"
    assert "the handle" not in repr(request)
    assert len(request.handle_sha256) == 64


def test_r15_the_state_knows_when_its_run_expires(make) -> None:
    state = make()(InitRequest(NAMED))

    assert state.session.expires_at == NOW + timedelta(hours=6)


def test_the_state_is_saved_before_the_run_is_sent(make, store, plane) -> None:
    plane.failures["put_run"] = [UnreachableError("no answer")]

    with pytest.raises(UnreachableError):
        make()(InitRequest(NAMED))

    assert store.state is not None
    assert store.state.session.expires_at is None


def test_an_init_whose_answer_was_lost_goes_on_with_the_same_run(make, store, plane) -> None:
    plane.failures["put_run"] = [UnreachableError("no answer")]
    with pytest.raises(UnreachableError):
        make()(InitRequest(NAMED))
    first = store.state

    state = make()(InitRequest(NAMED))

    assert state.pin.run_id == first.pin.run_id
    assert list(plane.runs) == [state.pin.run_id]


def test_off_ci_the_run_is_about_the_commit_that_git_has_checked_out(make, plane) -> None:
    state = make()(InitRequest(NAMED))

    [request] = plane.runs.values()
    assert (request.ci.provider, request.ci.head_sha) == ("none", "0" * 40)
    assert state.session.ci == request.ci


@pytest.mark.parametrize(("variable", "expected"), [({}, "0" * 40), ({"GIT_COMMIT": "1" * 40}, "1" * 40)])
def test_a_pipeline_of_jenkins_without_variables_is_about_the_commit_that_is_checked_out(
    make, plane, variable, expected
) -> None:
    env = {"BUILD_URL": "https://ci.acme.test/job/app/17/", "JOB_NAME": "app", "BUILD_NUMBER": "17"}

    make({**env, **variable})(InitRequest(NAMED))

    [request] = plane.runs.values()
    assert (request.ci.provider, request.ci.head_sha) == ("jenkins", expected)


def test_a_ci_system_that_tells_no_commit_is_not_given_one(make, plane) -> None:
    make({**GITHUB, "GITHUB_EVENT_NAME": "pull_request"})(InitRequest(NAMED))

    [request] = plane.runs.values()
    assert request.ci.head_sha is None


def test_an_init_whose_answer_was_lost_makes_another_run_for_another_commit(make, store, plane) -> None:
    plane.failures["put_run"] = [UnreachableError("no answer")]
    with pytest.raises(UnreachableError):
        make()(InitRequest(NAMED))
    first = store.state
    store.state = replace(first, session=replace(first.session, ci=replace(first.session.ci, head_sha="1" * 40)))

    state = make()(InitRequest(NAMED))

    assert state.pin.run_id != first.pin.run_id


PULL_REQUEST = {"pull_request": {"number": 17, "head": {"sha": "2" * 40}}}


@pytest.mark.parametrize(
    ("event_name", "event", "expected"),
    [
        ("push", {}, ("1" * 40, "ci-variable")),
        ("pull_request", PULL_REQUEST, ("2" * 40, "event-document")),
        ("merge_group", {"merge_group": {"head_sha": "1" * 40}}, ("1" * 40, "event-document")),
    ],
)
def test_a_job_without_a_checkout_is_about_the_commit_that_its_ci_system_names(make, event_name, event, expected):
    env = {**GITHUB, "GITHUB_EVENT_NAME": event_name, "GITHUB_SHA": "1" * 40}

    state = make(env, event=event, read_head=lambda sha: None)(InitRequest(NAMED))

    assert (state.head.hash, state.head.source) == expected


def test_what_git_knows_of_the_commit_is_kept_where_it_lacks_the_commit_itself(make):
    remotes = (Remote("origin", "https://github.com/acme/widget"),)

    state = make({**GITHUB, "GITHUB_SHA": "1" * 40}, read_head=lambda sha: GitHead(hash=sha, remotes=remotes))(
        InitRequest(NAMED)
    )

    assert state.head == GitHead(hash="1" * 40, remotes=remotes, source="ci-variable")


def test_a_commit_that_git_has_needs_no_other_witness(make):
    head = GitHead(hash="1" * 40, date=NOW)

    state = make({**GITHUB, "GITHUB_SHA": "1" * 40}, read_head=lambda sha: head)(InitRequest(NAMED))

    assert state.head == head


def test_r31_an_attestation_is_never_about_the_test_merge_that_is_checked_out(make, plane, notes) -> None:
    env = {**GITHUB, "GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/17/merge"}

    state = make(env)(InitRequest(NAMED))

    assert (state.session.ci.pull_request, state.session.ci.head_sha, state.head) == ("17", None, None)
    assert "head commit of the pull request is not known" in str(notes.warnings)


def test_a_refused_run_leaves_no_state(make, store, plane) -> None:
    plane.failures["put_run"] = [ConflictError("no")]

    with pytest.raises(ConflictError):
        make()(InitRequest(NAMED))

    assert store.state is None


def test_a_second_init_of_the_same_job_is_refused_before_anybody_is_asked(make, plane) -> None:
    make()(InitRequest(NAMED))
    plane.calls.clear()

    with pytest.raises(AlreadyInitializedError, match="already being crafted"):
        make()(InitRequest(NAMED))

    assert plane.calls == []


def test_a_dry_run_does_not_stop_a_real_init(make, store, plane, notes) -> None:
    make()(InitRequest(NAMED, dry_run=True))

    state = make()(InitRequest(NAMED))

    assert not state.dry_run
    assert store.state == state
    assert "cancel_run" not in plane.names
    assert any("the dry run that was here was replaced" in warning for warning in notes.warnings)


@pytest.mark.parametrize("first", [InitRequest(NAMED), InitRequest(NAMED, dry_run=True)])
def test_a_dry_run_replaces_nothing_by_itself(make, first) -> None:
    make()(first)

    with pytest.raises(AlreadyInitializedError):
        make()(InitRequest(NAMED, dry_run=True))


def test_replace_names_the_way_out_when_the_old_run_cannot_be_ended(make, plane) -> None:
    make()(InitRequest(NAMED))
    plane.failures["cancel_run"] = [NotAllowedError("another workflow's run")]

    with pytest.raises(NotAllowedError) as caught:
        make()(InitRequest(NAMED, replace=True))

    assert "reset --force" in str(caught.value.hint)


def test_r17_replace_ends_the_old_run_as_superseded(make, plane) -> None:
    old = make()(InitRequest(NAMED))

    new = make()(InitRequest(NAMED, replace=True))

    assert ("cancel_run", (old.pin.run_id, "superseded")) in plane.calls
    assert new.pin.run_id != old.pin.run_id


def test_the_state_of_another_job_is_replaced_with_a_notice(make, store, plane, notes) -> None:
    old = make()(InitRequest(NAMED))
    other = CiIdentity(provider="github", repository="acme/app", run_id="1")
    store.state = replace(old, session=replace(old.session, ci=other))

    new = make()(InitRequest(NAMED))

    assert new.pin.run_id != old.pin.run_id
    assert "cancel_run" not in plane.names
    assert any("another job" in warning for warning in notes.warnings)


class BrokenStore(MemoryStore):
    def find(self) -> CraftingState | None:
        raise StateBrokenError("the state file is cut off")


def test_nothing_is_said_to_be_replaced_by_an_init_that_fails(make, store, notes) -> None:
    old = make()(InitRequest(NAMED))
    store.state = replace(old, session=replace(old.session, ci=CiIdentity(provider="github", run_id="1")))
    contract = ContractFile("contract.yaml", CONTRACT + b"  envAllowList: [GONE]\n")

    with pytest.raises(VariablesMissingError):
        make(offline=True)(InitRequest(Wanted(contract=contract), dry_run=True))

    assert not notes.warnings


def test_the_dry_run_of_another_job_is_replaced_without_naming_a_run(make, store, notes) -> None:
    contract = Wanted(contract=ContractFile("contract.yaml", CONTRACT))
    old = make(offline=True)(InitRequest(contract, dry_run=True))
    store.state = replace(old, session=replace(old.session, ci=CiIdentity(provider="github", run_id="1")))

    make(offline=True)(InitRequest(contract, dry_run=True))

    [warning] = notes.warnings
    assert "another job" in warning
    assert "run=" not in warning


def test_a_broken_state_stops_init_and_replace_goes_on(make, store, notes) -> None:
    broken = make()
    broken._store = BrokenStore()

    with pytest.raises(StateBrokenError, match="cut off"):
        broken(InitRequest(NAMED))

    assert broken(InitRequest(NAMED, replace=True)).pin.name == "release"


def test_a_wrong_runner_is_refused_and_the_control_plane_hears_of_it(make, store, plane) -> None:
    plane.revision = revision_of(ON_GITHUB)

    with pytest.raises(RunnerMismatchError, match="requires runner GITHUB_ACTION"):
        make()(InitRequest(NAMED))

    assert plane.names == ["get_crafting_context", "put_run"]
    assert plane.runs == {}
    assert store.state is None


def test_a_wrong_runner_is_refused_when_the_control_plane_does_not_answer_any_more(make, plane) -> None:
    plane.revision = revision_of(ON_GITHUB)
    plane.failures["put_run"] = [UnreachableError("no answer")]

    with pytest.raises(RunnerMismatchError):
        make()(InitRequest(NAMED))


def test_all_missing_variables_stand_in_one_error(make, store, plane) -> None:
    plane.revision = revision_of(ON_GITHUB + b"  envAllowList: [CUSTOM_VAR, OTHER_VAR]\n")
    env = {name: value for name, value in GITHUB.items() if name not in ("RUNNER_OS", "GITHUB_SHA")}

    with pytest.raises(VariablesMissingError) as caught:
        make(env)(InitRequest(NAMED))

    assert [finding.path for finding in caught.value.findings] == ["GITHUB_SHA", "RUNNER_OS", "CUSTOM_VAR", "OTHER_VAR"]
    assert plane.runs == {}
    assert store.state is None


def test_runner_variables_and_the_allow_list_are_kept_apart(make, plane) -> None:
    plane.revision = revision_of(ON_GITHUB + b"  envAllowList: [CUSTOM_VAR]\n")

    state = make({**GITHUB, "CUSTOM_VAR": "RESOLVED_VALUE"})(InitRequest(NAMED))

    assert state.env == {"CUSTOM_VAR": "RESOLVED_VALUE"}
    assert state.runner.env["GITHUB_RUN_ID"] == "3411479373"
    assert state.runner.url == "https://github.com/acme/app/actions/runs/3411479373"


def test_material_types_that_are_not_implemented_are_refused_by_name(make, plane) -> None:
    plane.revision = revision_of(
        CONTRACT + b"    - {type: HELM_CHART, name: chart}\n    - {type: OPENVEX, name: vex}\n"
    )

    with pytest.raises(ContractUnsupportedError, match="HELM_CHART, OPENVEX"):
        make()(InitRequest(NAMED))

    assert plane.runs == {}


def test_a_dry_run_with_a_contract_file_asks_nobody(make, store) -> None:
    wanted = Wanted(contract=ContractFile("contract.yaml", ON_GITHUB))

    state = make(offline=True)(InitRequest(wanted, dry_run=True))

    assert state.dry_run
    assert state.pin.run_id == ""
    assert state.cas.name == ""
    assert store.state == state


def test_a_dry_run_that_cannot_ask_says_that_a_file_is_enough(make, plane) -> None:
    plane.failures["get_crafting_context"] = [UnreachableError("no answer", hint="check the address")]

    with pytest.raises(UnreachableError) as caught:
        make()(InitRequest(Wanted(), dry_run=True))

    assert (caught.value.hint or "").startswith("check the address; ")
    assert "--contract FILE" in (caught.value.hint or "")


def test_a_dry_run_with_a_control_plane_makes_no_run_and_takes_any_runner(make, plane) -> None:
    plane.revision = revision_of(ON_GITHUB)

    state = make()(InitRequest(NAMED, dry_run=True))

    assert plane.names == ["get_crafting_context"]
    assert state.pin.contract_revision == 1


def test_a_dry_run_creates_no_workflow_whatever_the_token_may_do(make, plane) -> None:
    plane.revision, plane.role = None, Role.ADMIN

    with pytest.raises(NotFoundError):
        make()(InitRequest(NAMED, dry_run=True))

    assert plane.names == ["get_crafting_context"]


def test_r2_an_attest_token_does_not_change_the_contract(make, store, plane) -> None:
    file = ContractFile("contract.yaml", CONTRACT + b"    - {type: STRING, name: more}\n")

    with pytest.raises(NotAllowedError, match="differs from revision 1") as caught:
        make()(InitRequest(replace(NAMED, contract=file)))

    assert "chainloop workflow contract apply -f contract.yaml --name release" in str(caught.value.hint)
    assert plane.names == ["get_crafting_context"]
    assert store.state is None


def test_r2_an_attest_token_does_not_create_a_workflow(make, plane) -> None:
    plane.revision = None

    with pytest.raises(NotAllowedError) as caught:
        make()(InitRequest(NAMED))

    assert "chainloop workflow create --name release --project bedrock" in str(caught.value.hint)
    assert plane.names == ["get_crafting_context", "whoami"]


def test_r2_the_same_contract_file_is_accepted_from_anybody(make, plane) -> None:
    state = make()(InitRequest(replace(NAMED, contract=ContractFile("contract.yaml", CONTRACT))))

    assert state.pin.contract_revision == 1
    assert "put_contract" not in plane.names


def test_r2_an_operator_stores_a_changed_contract_and_pins_its_revision(make, plane) -> None:
    plane.role = Role.OPERATE
    file = ContractFile("contract.yaml", CONTRACT + b"    - {type: STRING, name: more}\n")

    state = make()(InitRequest(replace(NAMED, contract=file)))

    assert ("put_contract", ("release", 1)) in plane.calls
    assert state.pin.contract_revision == 2
    assert state.contract.find_material("more")


def test_r2_a_revision_that_init_stores_is_a_warning(make, plane, notes) -> None:
    plane.role = Role.OPERATE
    file = ContractFile("contract.yaml", CONTRACT + b"    - {type: STRING, name: more}\n")

    make()(InitRequest(replace(NAMED, contract=file)))

    assert any("every workflow that uses it" in warning and "'revision': 2" in warning for warning in notes.warnings)


def test_r2_an_operator_creates_workflow_and_contract(make, plane) -> None:
    plane.role, plane.revision = Role.OPERATE, None

    state = make()(InitRequest(replace(NAMED, contract=ContractFile("contract.yaml", CONTRACT))))

    assert plane.names[:4] == ["get_crafting_context", "whoami", "put_contract", "create_workflow"]
    assert state.pin.contract_name == "release"


def test_nothing_is_stored_for_an_operator_on_the_wrong_runner(make, plane) -> None:
    plane.role = Role.OPERATE

    with pytest.raises(RunnerMismatchError):
        make()(InitRequest(replace(NAMED, contract=ContractFile("contract.yaml", ON_GITHUB))))

    assert plane.names == ["get_crafting_context"]


def test_a_named_revision_is_never_overwritten_by_a_file(make, plane) -> None:
    plane.role = Role.OPERATE
    file = ContractFile("contract.yaml", CONTRACT + b"    - {type: STRING, name: more}\n")

    with pytest.raises(UsageError, match="cannot be changed"):
        make()(InitRequest(replace(NAMED, contract=file, revision=1)))


def test_an_unknown_revision_is_no_reason_to_create_a_workflow(make, plane) -> None:
    plane.role, plane.revision = Role.OPERATE, None

    with pytest.raises(NotFoundError):
        make()(InitRequest(replace(NAMED, revision=7)))

    assert plane.names == ["get_crafting_context"]


def test_another_contract_name_is_refused(make) -> None:
    with pytest.raises(ConflictError, match="uses the contract release, not other"):
        make()(InitRequest(replace(NAMED, contract="other")))


def test_a_contract_whose_bytes_are_not_the_pinned_ones_is_refused(make, plane) -> None:
    plane.revision = replace(plane.revision, digest="sha256:" + "0" * 64)

    with pytest.raises(ServerFaultError, match="whose content is not"):
        make()(InitRequest(NAMED))


def test_an_older_revision_is_a_warning(make, plane, notes) -> None:
    plane.revision = revision_of(CONTRACT, number=1, latest=3)

    make()(InitRequest(replace(NAMED, revision=1)))

    assert any("newer revision" in warning for warning in notes.warnings)


def test_annotations_of_the_contract_win(make, plane, notes) -> None:
    plane.revision = revision_of(CONTRACT + b"  annotations: [{name: tier, value: gold}, {name: owner}]\n")

    state = make()(InitRequest(NAMED, annotations={"tier": "tin", "owner": "me"}))

    assert state.annotations == {"tier": "gold", "owner": "me"}
    assert any("tier" in warning for warning in notes.warnings)


def test_r24_init_refuses_a_secret_in_the_allow_list(make, store, plane) -> None:
    plane.revision = revision_of(CONTRACT + b"  envAllowList: [COPY]\n")

    with pytest.raises(SecretVariableError) as caught:
        make({"NPM_TOKEN": "npm_abcdefgh", "COPY": "npm_abcdefgh"})(InitRequest(NAMED))

    assert [finding.path for finding in caught.value.findings] == ["COPY"]
    assert "npm_abcdefgh" not in f"{caught.value.message} {caught.value.findings}"
    assert "put_run" not in plane.names
    assert store.state is None
