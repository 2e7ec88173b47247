from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator

import pytest

from chainloop_ci.client.http import MAX_ANSWER_BYTES, PATIENCE_SECONDS, Address, HttpClient, Patience
from chainloop_ci.errors import NotAuthenticatedError, NotFoundError, ServerFaultError, UnreachableError, UsageError
from tests.unit.client.conftest import TOKEN
from tests.unit.stub_server import Reply, StubServer, nobody_listening, stub_server

OK = Reply(200, b'{"a": 1}')


@pytest.fixture
def nobody() -> Iterator[str]:
    with nobody_listening() as url:
        yield url


def test_a_document_travels_with_token_agent_and_organization(stub: StubServer, patience: Patience) -> None:
    stub.replies = [OK]
    client = HttpClient(Address(stub.url + "/", TOKEN, "acme", user_agent="chainloop-ci/1"), patience)

    answer = client.json("POST", "things/sha256:ab", {"b": "ü"}, query={"x": "a b", "none": None})

    seen = stub.seen[0]
    assert answer == {"a": 1}
    assert (seen.method, seen.path, json.loads(seen.body)) == ("POST", "/api/v1/things/sha256:ab?x=a+b", {"b": "ü"})
    assert seen.headers["Authorization"] == f"Bearer {TOKEN}"
    assert seen.headers["Chainloop-Organization"] == "acme"
    assert seen.headers["User-Agent"] == "chainloop-ci/1"


def test_names_in_a_path_cannot_leave_it(client: HttpClient, stub: StubServer) -> None:
    stub.replies = [OK]

    client.json("GET", "contracts/a?b#c d")

    assert stub.seen[0].path == "/api/v1/contracts/a%3Fb%23c%20d"


@pytest.mark.parametrize("path", ["workflow-runs/../../../elsewhere", "contracts/..", "contracts/./x"])
def test_r23_a_name_that_leads_elsewhere_gets_no_token_sent(client: HttpClient, stub: StubServer, path: str) -> None:
    with pytest.raises(UsageError, match="leads elsewhere"):
        client.json("GET", path)

    assert stub.seen == []


def test_an_empty_answer_is_none(client: HttpClient, stub: StubServer) -> None:
    stub.replies = [Reply(204, headers={})]

    assert client.json("DELETE", "things/1") is None


def test_two_requests_share_a_connection(client: HttpClient, stub: StubServer) -> None:
    stub.replies = [OK]

    for _ in range(2):
        client.json("GET", "whoami")

    assert len(stub.seen) == 2
    assert client._pool is not None
    assert client._pool._manager.connection_from_url(stub.url).num_connections == 1


# --- token and addresses (R23) ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["http://cp.example", "http://10.0.0.1:8080", "http://localhost.example"])
def test_r23_a_token_is_not_sent_over_http_to_another_machine(url: str) -> None:
    with pytest.raises(UsageError, match="not sent over http"):
        HttpClient(Address(url, TOKEN)).json("GET", "whoami")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_r23_no_redirect_is_followed(client: HttpClient, stub: StubServer, status: int) -> None:
    with stub_server() as other:
        other.replies = [OK]
        stub.replies = [Reply(status, headers={"Location": f"{other.url}/x"})]

        with pytest.raises(ServerFaultError, match=r"redirect to 127\.0\.0\.1"):
            client.json("GET", "whoami")

        assert other.seen == []


@pytest.mark.parametrize("location", ["https://[", "http://[::1/x"])
def test_a_redirect_to_what_cannot_be_read_as_an_address_is_said(
    client: HttpClient, stub: StubServer, location: str
) -> None:
    stub.replies = [Reply(307, headers={"Location": location})]

    with pytest.raises(ServerFaultError, match="redirect to what is no address"):
        client.json("GET", "whoami")


@pytest.mark.parametrize(
    "url", ["", "ftp://cp", "cp.example", "https://user:pw@cp", "https://cp?x=1", "https://cp#x", "https://"]
)
def test_an_address_of_another_form_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        HttpClient(Address(url, TOKEN))

    assert "pw" not in str(caught.value)


def test_no_token_is_an_error_that_names_the_variable(stub: StubServer) -> None:
    with pytest.raises(NotAuthenticatedError) as caught:
        HttpClient(Address(stub.url)).json("GET", "whoami")

    assert "CHAINLOOP_TOKEN" in str(caught.value.hint)
    assert stub.seen == []


@pytest.mark.parametrize("token", ["a\nb", "a b", "ä", "a\x00"])
def test_a_token_that_cannot_be_one_is_refused_and_not_shown(stub: StubServer, token: str) -> None:
    with pytest.raises(NotAuthenticatedError) as caught:
        HttpClient(Address(stub.url, token)).json("GET", "whoami")

    assert token not in str(caught.value)


def test_the_token_is_in_no_representation() -> None:
    assert TOKEN not in repr(Address("https://cp", TOKEN))


# --- retries and deadline ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first", [Reply(503, headers={}), Reply(502, headers={}), Reply(504, headers={}), Reply(cut=0)]
)
def test_what_may_pass_is_tried_again(client: HttpClient, stub: StubServer, first: Reply) -> None:
    stub.replies = [first, OK]

    assert client.json("PUT", "things/1", {}) == {"a": 1}


def test_a_post_is_sent_once(client: HttpClient, stub: StubServer) -> None:
    stub.replies = [Reply(cut=0), OK]

    with pytest.raises(UnreachableError):
        client.json("POST", "things", {})

    assert len(stub.seen) == 1


def test_a_post_that_is_said_to_be_repeatable_is_tried_again(client: HttpClient, stub: StubServer) -> None:
    stub.replies = [Reply(cut=0), OK]

    assert client.json("POST", "things", {}, repeat=True) == {"a": 1}


def test_retry_after_is_obeyed(client: HttpClient, stub: StubServer, pauses: list[float]) -> None:
    stub.replies = [Reply(429, headers={"Retry-After": "3"}), OK]

    client.json("GET", "whoami")

    assert pauses == [3.0]


def test_too_many_requests_without_a_time_to_wait_is_final(client: HttpClient, stub: StubServer) -> None:
    stub.replies = [Reply(429, headers={"Content-Type": "text/plain"}), OK]

    with pytest.raises(ServerFaultError):
        client.json("GET", "whoami")


def test_a_longer_wait_than_the_deadline_ends_at_once(
    client: HttpClient, stub: StubServer, pauses: list[float]
) -> None:
    stub.replies = [Reply(503, headers={"Retry-After": "60"})]

    with pytest.raises(UnreachableError):
        client.json("GET", "whoami")

    assert (len(stub.seen), pauses) == (1, [])


def test_pauses_grow_up_to_three_seconds_until_the_patience_is_used_up(
    client: HttpClient, stub: StubServer, pauses: list[float]
) -> None:
    stub.replies = [Reply(503, headers={})]

    with pytest.raises(UnreachableError, match="not served"):
        client.json("GET", "whoami")

    assert pauses == pytest.approx([0.3, 0.6, 1.2, 2.4, 3.0, 3.0, 3.0, 3.0, 0.5])
    assert len(stub.seen) == len(pauses) + 1
    assert PATIENCE_SECONDS - 1 <= sum(pauses) < PATIENCE_SECONDS


def test_a_control_plane_that_is_away_for_eleven_seconds_is_waited_for(
    client: HttpClient, stub: StubServer, pauses: list[float]
) -> None:
    stub.replies = [*[Reply(502, headers={})] * 7, OK]

    assert client.json("GET", "whoami") == {"a": 1}

    assert sum(pauses) > 11


def test_a_body_that_is_refused_at_its_end_each_time_is_not_sent_for_ever(
    client: HttpClient, stub: StubServer, pauses: list[float]
) -> None:
    stub.replies = [Reply(502, headers={})]

    with pytest.raises(UnreachableError, match="not served"):
        client.exchange("PUT", "artifacts/1", lambda: iter([b"a piece is progress"]))

    assert sum(pauses) < PATIENCE_SECONDS


def test_that_there_is_no_answer_yet_is_said_once(stub: StubServer, patience: Patience) -> None:
    stub.replies = [*[Reply(502, headers={})] * 4, OK]
    said: list[tuple[str, dict[str, object]]] = []
    client = HttpClient(Address(stub.url, TOKEN), patience, tell=lambda message, **facts: said.append((message, facts)))

    client.json("GET", "whoami")

    assert said == [
        ("no answer yet, trying again", {"url": stub.url, "reason": "it answers 502", "for_another": "18s"}),
    ]


def test_an_interruption_of_a_moment_is_not_worth_a_line(stub: StubServer, patience: Patience) -> None:
    stub.replies = [Reply(503, headers={}), OK]
    client = HttpClient(Address(stub.url, TOKEN), patience, tell=lambda message, **facts: pytest.fail(message))

    assert client.json("GET", "whoami") == {"a": 1}


def test_a_post_that_reached_nobody_is_tried_again(nobody: str, patience: Patience, pauses: list[float]) -> None:
    with pytest.raises(UnreachableError, match="after 10 attempts"):
        HttpClient(Address(nobody, TOKEN), patience).json("POST", "things", {})

    assert sum(pauses) > PATIENCE_SECONDS - 2


def test_nobody_listening_is_unreachable_and_says_what_to_check(nobody: str, patience: Patience) -> None:
    with pytest.raises(UnreachableError) as caught:
        HttpClient(Address(nobody, TOKEN), patience).json("GET", "whoami")

    assert nobody in str(caught.value)
    assert "refused" in str(caught.value)
    assert "check" in str(caught.value.hint)


def test_a_server_that_says_nothing_is_unreachable_after_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        patience = Patience(limit_seconds=0.2)

        with pytest.raises(UnreachableError, match="no answer in time"):
            HttpClient(Address(url, TOKEN), patience).json("GET", "whoami")

        assert patience.waited_seconds < 2


def test_waiting_adds_up_and_progress_starts_it_again() -> None:
    times = iter([0.0, 5.0, 10.0, 13.0])
    patience = Patience(limit_seconds=10, clock=lambda: next(times), sleep=lambda seconds: None)

    with patience.waiting():
        pass
    after_one = patience.remaining()
    with patience.waiting():
        pass

    assert (after_one, patience.remaining()) == (5.0, 2.0)


def test_a_pause_that_does_not_fit_is_not_made() -> None:
    patience = Patience(limit_seconds=1, sleep=lambda seconds: pytest.fail("slept"))

    assert patience.plan_pause(0, at_least=2.0, paused_seconds=0.0) == 0


def test_progress_inside_a_long_upload_keeps_the_client_patient(stub: StubServer) -> None:
    now = [0.0]
    patience = Patience(limit_seconds=10, clock=lambda: now[0])
    stub.replies = [OK]

    def slowly() -> Iterator[bytes]:
        for _ in range(5):
            now[0] += 9.0
            yield b"x"

    HttpClient(Address(stub.url, TOKEN), patience).exchange("PUT", "artifacts/1", slowly)

    assert patience.remaining() == 10


# --- answers ---------------------------------------------------------------------------------------------------------


def test_a_problem_becomes_its_error(client: HttpClient, stub: StubServer, problem: Callable[..., Reply]) -> None:
    stub.replies = [problem(404, "not-found", detail="no such thing", hint="look elsewhere")]

    with pytest.raises(NotFoundError, match="no such thing") as caught:
        client.json("GET", "things/1")

    assert caught.value.hint == "look elsewhere"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>login</html>", {"Content-Type": "text/html"}),
        Reply(200, b"not json"),
        Reply(200, b"[" * 100_000),
        Reply(403, b"<html>blocked</html>", {"Content-Type": "text/html"}),
        Reply(500, b"oops", {"Content-Type": "text/plain"}),
    ],
)
def test_an_answer_of_somebody_else_says_so(client: HttpClient, stub: StubServer, reply: Reply) -> None:
    stub.replies = [reply]

    with pytest.raises(ServerFaultError, match="does not come from a Chainloop control plane"):
        client.json("GET", "whoami")


def test_an_answer_that_is_too_long_is_refused(client: HttpClient, stub: StubServer) -> None:
    stub.replies = [Reply(200, b"x" * (MAX_ANSWER_BYTES + 1))]

    with pytest.raises(ServerFaultError, match="more than"):
        client.json("GET", "whoami")


def test_an_answer_that_breaks_off_is_unreachable(client: HttpClient, stub: StubServer) -> None:
    stub.replies = [Reply(200, b"x" * 1000, cut=10)]

    with pytest.raises(UnreachableError, match="lost after"):
        client.json("GET", "whoami")


def test_compression_is_not_asked_for(client: HttpClient, stub: StubServer) -> None:
    stub.replies = [OK]

    client.json("GET", "whoami")

    assert stub.seen[0].headers["Accept-Encoding"] == "identity"


def test_each_request_leaves_a_trace_without_secrets(stub: StubServer, patience: Patience) -> None:
    stub.replies = [Reply(404, b"{}", {"X-Request-Id": "req-7"}), Reply(cut=0)]
    seen: list[tuple[str, dict[str, object]]] = []
    client = HttpClient(Address(stub.url, TOKEN), patience, lambda message, **facts: seen.append((message, facts)))

    with pytest.raises(ServerFaultError):
        client.json("POST", "things", {"secret": "s3cret"}, query={"x": 1})
    with pytest.raises(UnreachableError):
        client.json("POST", "things")

    (answered, facts), (lost, reason) = seen
    assert (answered, facts["method"], facts["url"]) == ("answered", "POST", f"{stub.url}/api/v1/things?x=1")
    assert (facts["status"], facts["request"]) == (404, "req-7")
    assert str(facts["after"]).endswith("s")
    assert (lost, "reason" in reason) == ("no answer", True)
    assert TOKEN not in str(seen)
    assert "s3cret" not in str(seen)
