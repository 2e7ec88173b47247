from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.inbound.signatures import MAX_SKEW, is_from_github, is_from_gitlab, is_standard

NOW = datetime(2026, 11, 30, 6, 0, tzinfo=UTC)
OLD, NEW = "whsec_" + base64.b64encode(b"o" * 32).decode(), "whsec_" + base64.b64encode(b"n" * 32).decode()
BODY = b'{"a": 1}'


def hub(secret, body=BODY):
    return {"x-hub-signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def standard(secret, *, body=BODY, ident="msg_1", at=NOW, key=None):
    sent_at = str(int(at.timestamp()))
    key = key or base64.b64decode(secret.removeprefix("whsec_"))
    raw = hmac.new(key, f"{ident}.{sent_at}.".encode() + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(raw).decode()
    return {"webhook-id": ident, "webhook-timestamp": sent_at, "webhook-signature": signature}


def test_the_example_of_githubs_documentation_is_genuine():
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

    headers = {"x-hub-signature-256": signature}

    assert is_from_github(headers, b"Hello, World!", ["It's a Secret to Everybody"])


@pytest.mark.parametrize("secrets", [[OLD], [NEW, OLD], [OLD, NEW]])
def test_any_secret_that_counts_is_taken(secrets):
    assert is_from_github(hub(OLD), BODY, secrets)
    assert is_standard(standard(OLD), BODY, secrets, NOW)
    assert is_from_gitlab({"x-gitlab-token": OLD}, BODY, secrets, NOW)


def test_without_secrets_nothing_is_genuine():
    empty = hmac.new(b"", BODY, hashlib.sha256).hexdigest()

    assert not is_from_github({"x-hub-signature-256": f"sha256={empty}"}, BODY, [])
    assert not is_from_gitlab({"x-gitlab-token": ""}, BODY, [], NOW)
    assert not is_standard(standard(OLD), BODY, [], NOW)


@given(st.text(max_size=80))
def test_no_text_is_a_signature(text):
    assert not is_from_github({"x-hub-signature-256": text}, BODY, [OLD])
    assert not is_from_gitlab({"x-gitlab-token": text}, BODY, [OLD], NOW)
    assert not is_from_gitlab({"x-gitlab-signature": text}, BODY, [OLD], NOW)
    assert not is_standard({**standard(NEW), "webhook-signature": text}, BODY, [OLD], NOW)
    assert not is_standard({**standard(OLD), "webhook-timestamp": text}, b"other", [OLD], NOW)


def test_sha_1_alone_counts_for_nothing():
    sha1 = hmac.new(OLD.encode(), BODY, hashlib.sha1).hexdigest()

    assert not is_from_github({"x-hub-signature": f"sha1={sha1}"}, BODY, [OLD])
    assert not is_from_github({"x-hub-signature-256": f"sha1={sha1}"}, BODY, [OLD])


def test_a_signature_is_of_the_kind_that_it_names():
    _, _, digits = hub(OLD)["x-hub-signature-256"].partition("=")

    assert not is_from_github({"x-hub-signature-256": f"sha512={digits}"}, BODY, [OLD])
    assert not is_from_github({"x-hub-signature-256": digits}, BODY, [OLD])


def test_a_secret_that_is_empty_opens_nothing():
    assert not is_from_gitlab({}, BODY, [""], NOW)
    assert not is_from_gitlab({"x-gitlab-token": ""}, BODY, [""], NOW)


def test_a_message_without_an_id_is_not_taken_however_it_is_signed():
    assert not is_standard(standard(OLD, ident=""), BODY, [OLD], NOW)


@pytest.mark.parametrize(("before", "is_taken"), [(7, True), (8, False)])
def test_of_many_signatures_the_first_eight_are_looked_at(before, is_taken):
    wrong, right = standard(NEW)["webhook-signature"], standard(OLD)["webhook-signature"]

    assert (
        is_standard({**standard(OLD), "webhook-signature": " ".join([*[wrong] * before, right])}, BODY, [OLD], NOW)
        is is_taken
    )


@pytest.mark.parametrize("seconds", [-1, 1])
def test_a_signed_time_is_near_ours(seconds):
    edge, beyond = NOW + seconds * MAX_SKEW, NOW + seconds * (MAX_SKEW + MAX_SKEW / 300)

    assert is_standard(standard(OLD, at=edge), BODY, [OLD], NOW)
    assert not is_standard(standard(OLD, at=beyond), BODY, [OLD], NOW)


@pytest.mark.parametrize("part", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_every_part_of_the_scheme_is_needed_and_signed(part):
    headers = standard(OLD)

    assert not is_standard({name: value for name, value in headers.items() if name != part}, BODY, [OLD], NOW)
    assert not is_standard({**headers, part: headers[part] + "1"}, BODY, [OLD], NOW)


def test_one_of_several_signatures_suffices():
    two = standard(NEW)["webhook-signature"] + " v1a,abc " + standard(OLD)["webhook-signature"]

    assert is_standard({**standard(OLD), "webhook-signature": two}, BODY, [OLD], NOW)


def test_a_gitlab_signature_that_is_there_must_be_right_whatever_the_token_says():
    both = {**standard(NEW), "x-gitlab-token": OLD}

    assert is_from_gitlab({**standard(OLD), "x-gitlab-token": OLD}, BODY, [OLD], NOW)
    assert not is_from_gitlab(both, BODY, [OLD], NOW)
    assert not is_from_gitlab({"x-gitlab-signature": "0" * 64, "x-gitlab-token": OLD}, BODY, [OLD], NOW)


def test_an_external_status_check_of_gitlab_is_signed_in_hexadecimal():
    signature = hmac.new(OLD.encode(), BODY, hashlib.sha256).hexdigest()

    assert is_from_gitlab({"x-gitlab-signature": signature}, BODY, [OLD], NOW)
