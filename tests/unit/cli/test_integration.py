from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.cli.answers import RUN, WORKFLOW, page, reply

SECRET = "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5"


def available(**more: Any) -> dict[str, Any]:
    settings = {
        "type": "object",
        "properties": {
            "repositories": {"type": "array", "items": {"type": "string"}, "description": "Which ones."},
            "appId": {"type": "integer"},
            "surface": {"enum": ["status", "check"]},
        },
    }
    return {
        "kind": "webhook", "title": "Any receiver", "events": ["run.*"], "settingsSchema": settings,
        "attachmentSchema": {"properties": {"payload": {"enum": ["summary", "attestation"]}}},
        "credentials": ["secret", "previous-secret"], "requiredCredentials": ["secret"], **more,
    }  # fmt: skip


def registration(**more: Any) -> dict[str, Any]:
    return {
        "id": WORKFLOW, "kind": "webhook", "name": "siem", "url": "https://siem.test/hook", "state": "active",
        "createdAt": "2022-11-03T22:31:00Z", "createdBy": "t", "credentials": ["secret"], "waiting": 2, **more,
    }  # fmt: skip


def delivery(**more: Any) -> dict[str, Any]:
    return {
        "id": RUN, "registration": "siem", "registrationId": WORKFLOW, "eventId": RUN, "event": "run.failed",
        "part": "message", "lane": f"run:{RUN}", "state": "dead", "createdAt": "2022-11-03T22:31:00Z", "attempts": 2,
        "outcomeCode": "302", **more,
    }  # fmt: skip


def add(operate: Any, *words: str, **options: Any) -> Any:
    return operate("integration", "registered", "add", "webhook", "--name", "siem", *words, **options)


def test_a_credential_comes_from_a_variable_and_settings_get_the_types_of_their_schema(operate, stub) -> None:
    stub.replies = [page(available()), reply(registration(), 201)]
    settings = ["repositories=a/b", "repositories=a/c", "appId=7", "surface=check"]

    result = add(
        operate, "--credential", "secret=env://HOOK", *(f"--setting={text}" for text in settings), env={"HOOK": SECRET}
    )

    assert result.status == 0, result.err
    assert json.loads(stub.seen[1].body) == {
        "kind": "webhook",
        "name": "siem",
        "settings": {"repositories": ["a/b", "a/c"], "appId": 7, "surface": "check"},
        "credentials": {"secret": SECRET},
    }
    assert SECRET not in result.out + result.err
    assert "chainloop integration attached add siem" in result.err


def test_a_credential_comes_from_a_file_without_its_line_end(operate, stub, tmp_path) -> None:
    (tmp_path / "hook").write_text(f"{SECRET}\n")
    stub.replies = [page(available()), reply(registration(), 201)]

    result = add(operate, "--credential", f"secret={tmp_path / 'hook'}")

    assert result.status == 0, result.err
    assert json.loads(stub.seen[1].body)["credentials"] == {"secret": SECRET}


@pytest.mark.parametrize(
    "typed",
    [
        ("secret",),
        ("secret=",),
        (f"secret={SECRET}",),
        ("secret=env://NOWHERE",),
        ("secret=-", "previous-secret=-"),
        (f"secret={SECRET}", f"secret={SECRET}"),
    ],
)
def test_a_credential_that_cannot_be_read_is_refused_and_never_repeated(operate, stub, typed) -> None:
    result = add(operate, *(word for text in typed for word in ("--credential", text)))

    assert result.status != 0
    assert "--credential" in result.err
    assert SECRET not in result.out + result.err
    assert stub.seen == []


@pytest.mark.parametrize("text", ["surface", "appId=seven", "surface=status --setting surface=check"])
def test_a_setting_that_cannot_be_read_is_refused(operate, stub, text) -> None:
    stub.replies = [page(available())]

    result = add(operate, "--setting", *text.split())

    assert result.status == 2
    assert [seen.method for seen in stub.seen] == ["GET"]


def test_update_keeps_the_settings_that_were_not_typed(operate, stub) -> None:
    found = registration(settings={"surface": "status", "appId": 1})
    stub.replies = [page(found), page(available()), reply(found)]

    result = operate("integration", "registered", "update", "siem", "--setting", "appId=2")

    assert result.status == 0, result.err
    assert json.loads(stub.seen[2].body)["settings"] == {"surface": "status", "appId": 2}


def test_update_without_anything_to_change_asks_nobody(operate, stub) -> None:
    assert operate("integration", "registered", "update", "siem").status == 2
    assert stub.seen == []


def test_the_list_shows_how_each_registration_gets_on(operate, stub) -> None:
    stub.replies = [page(registration(state="paused"))]

    result = operate("integration", "registered", "ls")

    assert "paused" in result.out
    assert "siem" in result.out


def test_an_attachment_is_told_where_and_what(operate, stub) -> None:
    made = {
        "id": RUN, "registration": "siem", "registrationId": WORKFLOW, "kind": "webhook",
        "createdAt": "2022-11-03T22:31:00Z", "createdBy": "t", "project": "app", "workflow": "build",
    }  # fmt: skip
    stub.replies = [page(registration()), page(available()), reply(made, 201)]

    result = operate(
        "integration", "attached", "add", "siem", "--workflow", "app/build", "--event", "run.failed", "--event", "*",
        "--setting", "payload=attestation",
    )  # fmt: skip

    assert result.status == 0, result.err
    assert json.loads(stub.seen[2].body) == {
        "registration": "siem",
        "project": "app",
        "workflow": "build",
        "events": ["run.failed", "*"],
        "settings": {"payload": "attestation"},
    }
    assert "app/build" in result.out


def test_a_delivery_is_shown_with_its_tries_and_its_content(operate, stub) -> None:
    tried = {
        "number": 1, "at": "2022-11-03T22:31:00Z", "durationMilliseconds": 7, "outcome": "refused", "code": "302",
        "detail": "elsewhere",
    }  # fmt: skip
    stub.replies = [reply({"delivery": delivery(), "content": {"type": "run.failed"}, "tries": [tried]})]

    result = operate("integration", "delivery", "describe", RUN)

    assert result.status == 0, result.err
    assert "elsewhere" in result.out
    assert '"type": "run.failed"' in result.out


def test_everything_dead_is_told_again_the_oldest_first(operate, stub) -> None:
    stub.replies = [page(delivery(id=RUN), delivery(id=WORKFLOW)), reply(delivery(state="pending"))]

    result = operate("integration", "delivery", "replay", "--all-dead", "--registration", "siem")

    assert result.status == 0, result.err
    assert [seen.path for seen in stub.seen[1:]] == [
        f"/api/v1/deliveries/{WORKFLOW}/replay",
        f"/api/v1/deliveries/{RUN}/replay",
    ]


@pytest.mark.parametrize("words", [(), ("--all-dead", RUN)])
def test_replay_is_told_either_ids_or_everything(operate, stub, words) -> None:
    assert operate("integration", "delivery", "replay", *words).status == 2
    assert stub.seen == []


def test_what_an_integration_takes_is_shown(operate, stub) -> None:
    stub.replies = [page(available())]

    result = operate("integration", "available", "describe", "webhook")

    assert "string, repeatable" in result.out
    assert "summary | attestation" in result.out


def test_what_the_third_party_says_stands_on_lines_of_its_own(operate, stub) -> None:
    facts = {"login": "bot", "projects": {"acme/tool": {"mayManageWebhooks": True, "pipelinesMustSucceed": False}}}
    stub.replies = [page(registration(facts=facts, findings=["one thing", "another"]))]

    result = operate("integration", "registered", "describe", "siem")

    lines = [line.strip("│ ") for line in result.out.splitlines()]
    assert "acme/tool: mayManageWebhooks=true pipelinesMustSucceed=false" in lines
    assert "another" in lines


def test_a_list_of_deliveries_says_what_each_is_about(operate, stub) -> None:
    lane = f"https://github.com/1001@{'0123456789' * 4}:chainloop/app/build"
    stub.replies = [page(delivery(event="verdict.changed", lane=lane))]

    result = operate("integration", "delivery", "list")

    assert "012345678901:chainloop/app/build" in result.out


APP = {"kind": "github", "settings": {"appId": 7, "installationId": 5001}, "credentials": ["app-private-key"]}
BOUND = {"id": "5001", "account": "acme", "boundAt": "2022-11-03T22:31:00Z"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({**APP, "installation": BOUND}, "5001 of acme, bound"),
        (APP, "chainloop integration registered check siem"),
        ({**APP, "credentials": ["token"]}, None),
    ],
)
def test_describe_says_whose_the_installation_is_and_how_it_gets_bound(operate, stub, more, said) -> None:
    stub.replies = [page(registration(**more))]

    result = operate("integration", "registered", "describe", "siem")

    assert result.status == 0, result.err
    assert ("App Installation" in result.out) is (said is not None)
    assert said is None or said in " ".join(result.out.split())
