from __future__ import annotations

from dataclasses import replace

import pytest

from chainloop_ci.api.access import Role
from chainloop_ci.errors import NotAllowedError
from server.model.principal import ADMINS, ATTESTERS, OPERATORS, READERS, Principal, Reach

WHOLE = Principal("t", "ci", Role.ATTEST, "o", "acme")
OF_PROJECT = replace(WHOLE, project_id="p", project="app")
OF_WORKFLOW = replace(OF_PROJECT, workflow_id="w", workflow="build")


@pytest.mark.parametrize(
    ("principal", "project_id", "workflow_id", "reached"),
    [
        (WHOLE, None, None, True),
        (WHOLE, "p2", "w2", True),
        (OF_PROJECT, "p", "w2", True),
        (OF_PROJECT, "p", None, True),
        (OF_PROJECT, "p2", "w2", False),
        (OF_PROJECT, None, None, False),
        (OF_WORKFLOW, "p", "w", True),
        (OF_WORKFLOW, "p", "w2", False),
        (OF_WORKFLOW, "p", None, False),
        (OF_WORKFLOW, None, None, False),
    ],
)
def test_r1_a_token_reaches_its_scope_only(
    principal: Principal, project_id: str | None, workflow_id: str | None, reached: bool
) -> None:
    assert principal.reaches(project_id=project_id, workflow_id=workflow_id) is reached


@pytest.mark.parametrize(("principal", "bound"), [(OF_PROJECT, "project app"), (OF_WORKFLOW, "workflow app/build")])
def test_r1_who_reaches_too_far_is_told_what_the_token_is_bound_to(principal: Principal, bound: str) -> None:
    with pytest.raises(NotAllowedError, match=bound):
        principal.require_reach(project_id="p2", workflow_id="w2")


def test_r1_what_lies_in_scope_is_not_refused() -> None:
    OF_WORKFLOW.require_reach(project_id="p", workflow_id="w")


@pytest.mark.parametrize(
    ("principal", "whole"), [(WHOLE, True), (OF_PROJECT, False), (replace(OF_WORKFLOW, project_id=None), False)]
)
def test_lists_go_as_far_as_the_scope(principal: Principal, whole: bool) -> None:
    assert principal.reach == Reach("o", principal.project_id, principal.workflow_id)
    assert principal.reach.is_whole is whole


def test_r1_a_lacking_role_is_refused_with_those_that_have_the_right() -> None:
    with pytest.raises(NotAllowedError, match="admin, instance, operate; this one has the role attest"):
        WHOLE.require_role(OPERATORS)


def test_r1_what_only_the_instance_token_may_is_not_asked_of_an_administrator() -> None:
    with pytest.raises(NotAllowedError, match="needs an instance token") as caught:
        WHOLE.require_role(frozenset({Role.INSTANCE}))

    assert "the server's operator has it" in str(caught.value.hint)


def test_r1_a_role_that_has_the_right_is_not_refused() -> None:
    WHOLE.require_role(ATTESTERS)


def test_r1_each_role_may_what_the_lesser_ones_may() -> None:
    assert ADMINS < OPERATORS < ATTESTERS
    assert OPERATORS < READERS
    assert Role.ATTEST not in READERS
    assert Role.READ not in ATTESTERS
