"""`chainloop integration hooks`: what is asked, how long it waits, and when it fails."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.cli.answers import WORKFLOW, page, reply

ASKED_AT, BEFORE, AFTER = "2026-11-20T12:00:00Z", "2026-11-20T11:00:00Z", "2026-11-20T12:00:05Z"


def asked(*sources: str, left_out: tuple[str, ...] = ()) -> Any:
    return reply({"askedAt": ASKED_AT, "asked": sources, "leftOut": left_out}, 202)


def hook(**more: Any) -> dict[str, Any]:
    return {
        "sourceId": WORKFLOW,
        "source": "github:acme/app",
        "url": "https://chainloop.test/webhooks/github/x",
        "askedAt": ASKED_AT,
        "mode": "sync",
        "answeredAt": AFTER,
        "state": "created",
        "hookId": "7",
        **more,
    }


def test_a_sync_waits_for_the_answer_and_shows_it(operate, stub) -> None:
    waiting = {name: value for name, value in hook().items() if name not in ("answeredAt", "state")}
    stub.replies = [asked("github:acme/app"), page(waiting), page(hook())]

    result = operate("integration", "hooks", "sync")

    assert result.status == 0, result.err
    assert json.loads(stub.seen[0].body) == {"mode": "sync"}
    assert "created" in result.out
    assert len(stub.seen) == 3


@pytest.mark.parametrize(("option", "mode"), [("--check", "check"), ("--redeliver", "redeliver")])
def test_options_say_how_much_is_done(operate, stub, option: str, mode: str) -> None:
    stub.replies = [asked("github:acme/app"), page(hook(state="ok"))]

    assert operate("integration", "hooks", "sync", option).status == 0
    assert json.loads(stub.seen[0].body) == {"mode": mode}


@pytest.mark.parametrize("state", ["missing", "differs"])
def test_a_check_that_finds_something_fails(operate, stub, state: str) -> None:
    stub.replies = [asked("github:acme/app"), page(hook(state=state, differences=["it is switched off"]))]

    result = operate("integration", "hooks", "sync", "--check")

    assert result.status == 1
    assert "it is switched off" in result.out


def test_an_answer_of_before_is_none(operate, stub) -> None:
    stub.replies = [asked("github:acme/app"), page(hook(askedAt=BEFORE))]

    result = operate("integration", "hooks", "sync", "--wait", "0s")

    assert result.status == 1
    assert "no answer yet about github:acme/app" in result.err


def test_a_source_that_nobody_can_ask_about_fails(operate, stub) -> None:
    stub.replies = [asked(left_out=("github:acme/other",)), page()]

    result = operate("integration", "hooks", "sync")

    assert result.status == 1
    assert "no registration lists the repository of github:acme/other" in result.err


def test_as_json_there_is_one_document(operate, stub) -> None:
    stub.replies = [asked("github:acme/app"), page(hook())]

    result = operate("integration", "hooks", "sync", "-o", "json")

    document = json.loads(result.out)
    assert (document["asked"], document["items"][0]["state"]) == (["github:acme/app"], "created")


def test_the_list_shows_what_was_found_last(operate, stub) -> None:
    stub.replies = [page(hook(failed=3, askedAgain=2))]

    result = operate("integration", "hooks", "list")

    assert result.status == 0
    assert "github:acme/app" in result.out


def test_check_and_redeliver_are_two_things(operate, stub) -> None:
    assert operate("integration", "hooks", "sync", "--check", "--redeliver").status == 2
    assert stub.seen == []
