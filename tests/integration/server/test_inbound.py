from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from chainloop_ci.api.record import from_dict
from server.inbound.receivers import MAX_GENERIC_BYTES
from server.integrations.github.entry import GITHUB
from server.model.events import EventKind
from server.model.forge_answers import HeadQuestion
from server.model.inbound_facts import facts_from_text
from server.model.integrations import StoredAttachment
from server.services.inbound_follow import InboundFollow
from server.store import events
from server.store import inbound as store
from tests.integration.server.webhooks import SHA, handle, hex_of, make_hook

PING = {"zen": "Keep it simple.", "repository": {"id": 1, "full_name": "acme/app"}}
PUSH = {
    "ref": "refs/heads/main",
    "before": "f" * 40,
    "after": SHA,
    "created": False,
    "forced": False,
    "commits": [{"id": SHA, "added": ["a.py"], "modified": [], "removed": []}],
    "repository": {"id": 1, "full_name": "acme/app", "pushed_at": 1_790_000_000},
    "sender": {"login": "somebody"},
}


@pytest.fixture
def hook(api, client, clock, acme):
    return make_hook(api, client, clock, acme, "github:acme/app")


def listed(api, acme, **filters):
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    return api(acme.token("read")).get(f"/inbound-webhooks?{query}").json["items"]


def outcomes(services):
    return {(receiver, outcome): count for receiver, outcome, count in services.process_metrics.webhooks()}


def test_a_signed_webhook_is_accepted_at_once_and_handled_by_the_dispatcher(hook, services, api, acme):
    answer = hook.github("push", PUSH)
    before = listed(api, acme)[0]
    handle(services)

    assert (answer.status_code, answer.json["status"]) == (202, "accepted")
    assert before["outcome"] == "received"
    assert listed(api, acme)[0]["outcome"] == "handled"


@pytest.mark.parametrize("is_known", [True, False])
def test_a_head_that_a_webhook_tells_of_is_a_question_to_its_forge(hook, services, acme, is_known):
    if is_known:
        services.sources.confirm(acme.id, hook.source_id, repository_id="1", default_branch="main")

    hook.github("push", PUSH)
    handle(services)

    with services.database.read() as connection:
        (seen,) = events.list_page(connection, acme.id, kind=EventKind.HEAD_SEEN.value, before=None, limit=9)
    attached = StoredAttachment("a", acme.id, "r", "github", seen.at, "somebody")
    (part,) = GITHUB.parts(seen, attached)
    question = from_dict(HeadQuestion, part.content)
    assert (part.name, question.sha, question.repository.id) == ("head", SHA, "1" if is_known else "")


def test_what_is_genuine_and_of_no_interest_is_ignored_with_200(hook, api, acme):
    answer = hook.github("ping", PING)

    assert (answer.status_code, answer.json["status"]) == (200, "ignored")
    assert listed(api, acme)[0]["outcome"] == "ignored"


def test_a_form_is_taken_like_json_and_its_raw_bytes_are_signed(hook):
    body = urlencode({"payload": json.dumps(PUSH)}).encode()

    answer = hook.github("push", body, Content_Type="application/x-www-form-urlencoded")

    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256=" + "0" * 64},
        {"X-Hub-Signature-256": "sha256=é" + "0" * 62},
        {"X-Hub-Signature-256": "", "X-Hub-Signature": "sha1=" + "0" * 40},
    ],
    ids=["none", "wrong", "no hexadecimal", "SHA-1 only"],
)
def test_a_wrong_signature_is_refused_counted_and_not_stored(hook, services, api, acme, headers):
    body = json.dumps(PUSH).encode()
    known = {"Content-Type": "application/json", "X-GitHub-Event": "push", "X-GitHub-Delivery": "1"}

    answer = hook.send(body, {**known, **headers})

    assert answer.status_code == 401
    assert outcomes(services) == {("github", "webhook-not-authentic"): 1}
    assert listed(api, acme) == []


def test_a_source_without_a_secret_takes_nothing(api, client, clock, acme, services):
    made = api(acme.token("operate")).put(
        f"/workflows/{acme.workflows['app/build']}/source",
        json={"source": "github:acme/app", "ciFile": ".github/workflows/ci.yml"},
    )

    body = b"{}"
    answer = client.post(
        f"/webhooks/github/{made.json['sourceId']}",
        data=body,
        headers={
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-Hub-Signature-256": "sha256=" + hex_of("", body),
        },
    )

    assert answer.status_code == 401


def test_an_unknown_source_and_one_of_another_kind_are_not_found(hook, client, services):
    missing = client.post("/webhooks/github/00000000-0000-4000-8000-000000000000", json=PUSH)
    hook.url = hook.url.replace("/github/", "/gitlab/")
    other_kind = hook.gitlab("Push Hook", PUSH)

    assert missing.status_code == other_kind.status_code == 404
    assert outcomes(services) == {("github", "not-found"): 1, ("gitlab", "not-found"): 1}


def test_another_media_type_is_refused_before_the_body_is_looked_at(hook, services):
    answer = hook.github("push", PUSH, Content_Type="text/plain")

    assert answer.status_code == 415
    assert outcomes(services) == {("github", "media-type"): 1}


def test_a_body_over_the_limit_is_refused_by_its_length(api, client, clock, acme, services):
    jenkins = make_hook(api, client, clock, acme, "jenkins:https://ci.acme.test/job/app")

    answer = jenkins.signed({"event": "build.ended", "job": "app", "build": "1", "padding": "x" * MAX_GENERIC_BYTES})

    assert answer.status_code == 413
    assert outcomes(services) == {("generic", "body-too-large"): 1}


def test_what_is_signed_and_no_json_object_is_refused(hook):
    for body in (b"", b"[]", b"{", b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}", b"\xff"):
        assert hook.github("push", body).status_code == 400


def test_r46_the_same_delivery_again_gets_the_first_outcome(hook, services, api, acme):
    hook.github("push", PUSH, guid="guid-1")
    handle(services)

    again = hook.github("push", PUSH, guid="guid-1")

    assert (again.status_code, again.json["status"], again.json["outcome"]) == (200, "repeated", "handled")
    assert len(listed(api, acme)) == 1


def test_r46_the_same_body_under_another_id_is_the_same_delivery(hook, api, acme):
    hook.github("push", PUSH, guid="guid-1")

    again = hook.github("push", PUSH, guid="guid-2")

    assert again.json["status"] == "repeated"
    assert len(listed(api, acme)) == 1


def test_r46_the_same_id_with_another_body_is_refused_and_counted(hook, services, api, acme):
    hook.github("push", PUSH, guid="guid-1")

    other = hook.github("push", {**PUSH, "ref": "refs/heads/other"}, guid="guid-1")

    assert other.status_code == 409
    assert outcomes(services)["github", "webhook-replayed"] == 1
    assert len(listed(api, acme)) == 1


def test_r46_one_id_may_come_to_two_sources(hook, api, client, clock, acme, rival, services):
    other = make_hook(api, client, clock, rival, "github:acme/app")

    answers = [each.github("push", PUSH, guid="guid-1") for each in (hook, other)]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert len(listed(api, acme)) == len(listed(api, rival)) == 1


def test_the_secret_of_one_source_opens_no_other(hook, api, client, clock, rival):
    other = make_hook(api, client, clock, rival, "github:acme/app")

    assert hook.github("push", PUSH, secret=other.secret).status_code == 401


def test_a_payload_about_another_repository_is_ignored(hook, services, api, acme):
    answer = hook.github("push", {**PUSH, "repository": {"id": 2, "full_name": "rival/app"}})
    handle(services)

    assert answer.json["status"] == "ignored"
    assert "another repository" in listed(api, acme)[0]["reason"]


@pytest.mark.parametrize("event", ["deployment_protection_rule", "installation", "installation_repositories"])
def test_r42_a_source_takes_no_word_of_the_app(hook, event):
    payload = {
        "action": "created",
        "environment": "production",
        "deployment_callback_url": "https://evil.example/actions/runs/1/deployment_protection_rule",
        "installation": {"id": 7, "account": {"login": "acme"}},
        "repository": {"id": 1, "full_name": "acme/app"},
    }

    assert hook.github(event, payload).json["status"] == "ignored"


def test_during_a_rotation_both_secrets_are_accepted_and_afterwards_one(hook, api, acme, clock):
    rotated = api(acme.token("admin")).post(f"/sources/{hook.source_id}/secret/rotate", json={"overlapSeconds": 60})
    old, new = hook.secret, rotated.json["secret"]

    both = [hook.github("push", {**PUSH, "n": at}, secret=each).status_code for at, each in enumerate((old, new))]
    clock.advance(seconds=60)
    after = [hook.github("push", {**PUSH, "m": at}, secret=each).status_code for at, each in enumerate((old, new))]

    assert old != new
    assert both == [202, 202]
    assert after == [401, 202]


def test_a_secret_is_shown_once_and_sealed(hook, api, acme, services):
    again = api(acme.token("admin")).post(f"/sources/{hook.source_id}/secret")
    with services.database.read() as connection:
        stored = connection.exec_driver_sql("SELECT hook_secret FROM sources").scalar()

    assert again.status_code == 409
    assert hook.secret not in stored
    assert hook.secret not in again.text


def test_stored_headers_hold_no_secret_and_no_signature(hook, api, acme):
    hook.github("push", PUSH, X_Gitlab_Token="something", Authorization="Bearer something")  # no password

    kept = listed(api, acme)[0]["headers"]

    assert kept["x-github-event"] == "push"
    assert not {"x-hub-signature-256", "x-gitlab-token", "authorization", "cookie"} & set(kept)


def test_who_is_refused_too_often_is_not_looked_at_any_more(hook, services):
    answers = [hook.github("push", PUSH, secret="x" * 20).status_code for _ in range(40)]

    assert answers[:30] == [401] * 30
    assert answers[-1] == 429
    assert outcomes(services)["github", "too-many-requests"] > 0


def test_a_refused_stranger_keeps_no_place_of_a_forge_at_another_address(hook):
    for _ in range(40):
        hook.github("push", PUSH, secret="x" * 20)

    hook.options["environ_base"] = {"REMOTE_ADDR": "192.0.2.7"}

    assert hook.github("push", PUSH).status_code == 202


def test_an_operator_replays_one_and_it_is_handled_again(hook, services, api, acme):
    hook.github("push", PUSH)
    handle(services)
    known = listed(api, acme)[0]

    again = api(acme.token("operate")).post(f"/inbound-webhooks/{known['id']}/replay")
    handle(services)

    assert again.status_code == 200, again.text
    shown = api(acme.token("read")).get(f"/inbound-webhooks/{known['id']}").json
    assert (shown["outcome"], shown["replays"]) == ("handled", 1)


def test_what_waits_or_has_no_body_is_not_replayed(hook, api, acme):
    hook.github("ping", PING)
    hook.github("push", PUSH)

    waiting, ignored = listed(api, acme)

    for each in (waiting, ignored):
        assert api(acme.token("operate")).post(f"/inbound-webhooks/{each['id']}/replay").status_code == 409


def test_webhooks_are_listed_by_source_event_and_outcome(hook, api, acme):
    hook.github("ping", PING)
    hook.github("push", PUSH)

    assert [item["event"] for item in listed(api, acme)] == ["push", "ping"]
    assert [item["event"] for item in listed(api, acme, outcome="ignored")] == ["ping"]
    assert [item["event"] for item in listed(api, acme, event="push", source=hook.source_id)] == ["push"]


def test_old_webhooks_are_forgotten_by_the_sweep(hook, services, clock):
    hook.github("push", PUSH)
    clock.advance(days=7, seconds=1)

    assert services.webhooks.log.remove_old() == 1
    with services.database.read() as connection:
        assert not store.has_older(connection, clock())


def test_a_lost_key_opens_nothing_to_anybody(hook, config):
    config.secret_key_path.unlink()

    assert hook.github("push", PUSH).status_code == 500


def test_of_more_webhooks_than_one_turn_takes_those_that_came_first_are_handled_first(hook, services, acme):
    commits = [letter * 40 for letter in "cadb"]
    for sha in commits:
        hook.github("push", {**PUSH, "after": sha})

    with services.database.read() as connection:
        waiting = store.list_waiting(connection, acme.id, limit=3)

    found = [facts_from_text(delivery.facts).heads[0].head.sha for delivery in waiting]
    assert found == commits[:3]


def test_a_webhook_that_meets_a_defect_holds_up_no_other(hook, services, api, acme):
    hook.github("push", PUSH)
    hook.github("push", {**PUSH, "after": "e" * 40})

    class Defective(InboundFollow):
        def keep(self, connection, source, facts):
            super().keep(connection, source, facts)
            if facts.heads[0].head.sha == SHA:
                raise ZeroDivisionError

    follow = Defective(services.world.now, services.world.new_id)
    while follow.handle_some(services.database):
        pass

    assert [item["outcome"] for item in listed(api, acme)] == ["handled", "failed"]
    with services.database.read() as connection:
        page = events.list_page(connection, acme.id, before=None, limit=50)
    assert [event.facts["sha"] for event in page if event.kind is EventKind.HEAD_SEEN] == ["e" * 40]
