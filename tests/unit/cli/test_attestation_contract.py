"""`attestation init --contract FILE` with a token that may change contracts (R2)."""

from __future__ import annotations

import pytest

from chainloop_ci.api.access import Role
from tests.unit.cli.conftest import Result
from tests.unit.crafting.memory import CONTRACT

URL = {"CHAINLOOP_CONTROL_PLANE_API": "https://cp.test"}


@pytest.fixture
def init(chainloop, plane, tmp_path):
    """Return what begins with a contract's file that is not the stored one, as an operator."""
    plane.role = Role.OPERATE
    (tmp_path / "contract.yaml").write_bytes(CONTRACT + b"    - {type: STRING, name: more}\n")

    def init(*more: str, typed: str | None = None) -> Result:
        return chainloop("attestation", "init", "--contract", "contract.yaml", *more, env=URL, plane=plane, typed=typed)

    return init


def test_a_new_revision_is_asked_for_at_a_terminal(init, plane) -> None:
    done = init(typed="y\n")

    assert done.status == 0
    assert "Store contract.yaml as a new revision of the contract release? Every workflow that uses it" in done.err
    assert "put_contract" in plane.names


@pytest.mark.parametrize("answer", ["\n", "n\n", ""])
def test_nothing_is_stored_without_a_yes(init, plane, answer) -> None:
    done = init(typed=answer)

    assert done.status == 1
    assert "nothing was changed" in done.err
    assert plane.names == ["get_crafting_context"]


@pytest.mark.parametrize("how", [{"typed": None}, {"typed": ""}])
def test_a_job_and_yes_are_not_asked_but_told(init, how) -> None:
    done = init(*(["--yes"] if how["typed"] is not None else []), **how)

    assert done.status == 0
    assert "[y/N]" not in done.err
    assert "the contract has a new revision: every workflow that uses it gets it" in done.err


def test_the_help_says_what_a_file_does(chainloop) -> None:
    shown = " ".join(chainloop("attestation", "init", "--help").out.split())

    assert "With an operator's token another text becomes the contract's new revision" in shown
    assert "with a job's token it must equal the stored one" in shown


def test_a_contract_s_name_that_nothing_has_says_what_it_was_taken_for(chainloop, plane) -> None:
    done = chainloop("attestation", "init", "--contract", "nosuch", env=URL, plane=plane)

    assert "hint: no file here is called nosuch, so it names a stored contract: leave --contract out" in done.err


def test_a_dry_run_with_a_name_that_is_no_file_says_so(chainloop) -> None:
    done = chainloop("attestation", "init", "--dry-run", "--contract", "nosuch")

    assert "no file here is called nosuch" in done.err
    assert "--contract FILE" in done.err
