"""Whatever a sender signs is read without a defect, and what is read can be stored (T48)."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.errors import WebhookInvalidError
from server.inbound import generic, github, gitlab
from server.inbound.receivers import RECEIVERS, read
from server.model.inbound import ReceiverKind
from server.model.inbound_facts import facts_from_text, facts_to_text
from tests.forges.payloads import examples

GITHUB = ("push", "pull_request", "merge_group", "workflow_run", "workflow_job", "check_run", "check_suite", "status")
GITHUB = (*GITHUB, "deployment_protection_rule", "installation", "installation_repositories")
GITLAB = ("Push Hook", "Merge Request Hook", "Pipeline Hook", "Job Hook", gitlab.STATUS_CHECK)
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("\ud800\0"), st.just([]),
    st.just({}), st.just("a" * 40), st.just("2026-01-01T00:00:00Z"), st.just("0001-01-01T00:00:00Z"), st.just(10**30),
)  # fmt: skip


def changed(payload, data):
    """Return the payload with some of its values in the place of others."""
    if isinstance(payload, dict):
        return {
            key: data.draw(ODD) if data.draw(st.integers(0, 12)) == 0 else changed(value, data)
            for key, value in list(payload.items())[:40]
        }
    return payload


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_payload_of_github_with_odd_values_is_read_and_stored(data):
    each = data.draw(st.sampled_from([item for item in examples() if item.event in GITHUB]))

    facts = github.parse(each.event, changed(each.payload, data))

    assert facts_from_text(facts_to_text(facts)) == facts
    facts_to_text(facts).encode()


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(GITLAB), st.recursive(ODD, lambda inner: st.dictionaries(st.text(max_size=5), inner, max_size=4))
)
def test_anything_at_all_is_read_as_a_payload(event, payload):
    for name, parse in ((event, gitlab.parse), ("build.ended", generic.parse), ("push", github.parse)):
        facts = parse(name, payload)
        assert facts_from_text(facts_to_text(facts)) == facts


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=64), st.sampled_from(list(ReceiverKind)))
def test_bytes_that_are_no_payload_are_refused(body, kind):
    with pytest.raises(WebhookInvalidError):
        read(RECEIVERS[kind], {"x-github-event": "push", "x-gitlab-event": "Push Hook"}, "application/json", body)


def test_every_receiver_has_one_entry():
    assert list(RECEIVERS) and set(RECEIVERS) == set(ReceiverKind)
    assert all(kind is receiver.kind for kind, receiver in RECEIVERS.items())


def test_r43_the_callback_of_a_protection_rule_gives_nothing_but_its_run():
    payload = {
        "environment": "production",
        "deployment_callback_url": "https://evil.example/repos/x/y/actions/runs/42/deployment_protection_rule",
        "installation": {"id": 7},
    }

    (note,) = github.parse("deployment_protection_rule", payload).notes

    assert note.facts["ciRunId"] == "42"
    assert "evil" not in json.dumps(dict(note.facts))
