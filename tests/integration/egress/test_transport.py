"""What a request costs at most, and what goes along with it."""

from __future__ import annotations

import gzip
import socket
import threading
from itertools import count

import pytest

from server.egress.connection import MAX_ADDRESSES
from server.egress.policy import Policy
from server.egress.transport import MAX_KEPT_ANSWER_BYTES
from server.errors import EgressAnswerError, EgressRefusedError, EgressTimeoutError, EgressUnreachableError
from server.setting_values import EgressProxy, OpenedHost
from tests.integration.egress.conftest import LOOPBACK, SECRET
from tests.unit.dripping_server import HEAD, dripping
from tests.unit.stub_server import Reply

FAST = 0.4


def post(transport, url, *, seconds=20.0):
    return transport.post(url, b"{}", {"Authorization": SECRET}, deadline_seconds=seconds)


def test_an_answer_comes_back_whatever_its_status(local, stub):
    stub.replies = [Reply(503, b"later", {"Retry-After": "7"})]

    answer = post(local, f"{stub.url}/hook?a=b")

    assert (answer.status, answer.body, answer.headers["retry-after"]) == (503, b"later", "7")
    assert (stub.seen[0].method, stub.seen[0].path, stub.seen[0].body) == ("POST", "/hook?a=b", b"{}")
    assert stub.seen[0].headers["Authorization"] == SECRET
    assert stub.seen[0].headers["Host"] == stub.host


@pytest.mark.parametrize(
    ("first", "drop"),
    [(b"", b"H"), (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"), (HEAD, b"x"), (b"HTTP/1.1 100 Continue\r\n\r\n", b"")],
    ids=["silence", "head", "body", "continue"],
)
def test_an_answer_that_drips_ends_at_the_deadline(first, drop, local):
    with dripping(first, drop) as url, pytest.raises(EgressTimeoutError):
        post(local, url, seconds=FAST)


def test_a_server_that_does_not_read_ends_at_the_deadline(local):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        with pytest.raises(EgressTimeoutError):
            local.post(url, bytes(32 * 1024 * 1024), {}, deadline_seconds=FAST)


def test_a_server_that_says_nothing_to_tls_ends_at_the_deadline(local):
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(EgressTimeoutError):
        post(local, f"https://127.0.0.1:{listener.getsockname()[1]}", seconds=FAST)


def test_a_name_server_that_is_silent_ends_at_the_deadline_and_delays_nobody_else(stub, make):
    released = threading.Event()

    def resolver(host, port):
        if host == "slow.test":
            released.wait(60)
        return ["127.0.0.1"]

    transport = make(Policy((OpenedHost("slow.test"), OpenedHost("quick.test"))), resolver=resolver)
    stub.replies = [Reply()]
    try:
        for _ in range(3):
            with pytest.raises(EgressTimeoutError):
                post(transport, "http://slow.test/", seconds=FAST / 4)

        assert post(transport, stub.url.replace("127.0.0.1", "quick.test")).status == 200
    finally:
        released.set()


@pytest.mark.parametrize("silent", [MAX_ADDRESSES - 1, MAX_ADDRESSES])
def test_a_name_with_many_addresses_is_reached_at_one_of_the_first(silent, stub, make):
    addresses = [*(f"127.0.0.{number + 2}" for number in range(silent)), "127.0.0.1"]
    transport = make(Policy((OpenedHost("many.test"),)), resolver=lambda host, port: addresses)
    stub.replies = [Reply()]
    url = stub.url.replace("127.0.0.1", "many.test")

    if silent < MAX_ADDRESSES:
        assert post(transport, url).status == 200
    else:
        with pytest.raises(EgressUnreachableError):
            post(transport, url)


def test_a_long_answer_of_a_webhook_is_cut(local, stub):
    stub.replies = [Reply(200, b"x" * (MAX_KEPT_ANSWER_BYTES + 1))]

    assert post(local, stub.url).body == b"x" * MAX_KEPT_ANSWER_BYTES


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_long_answer_of_a_forge_is_an_error(is_packed, local, stub):
    body = bytes(5000)
    headers = {"Content-Encoding": "gzip"} if is_packed else {}
    stub.replies = [Reply(200, gzip.compress(body) if is_packed else body, headers)]

    assert local.session(stub.url, max_answer_bytes=5000).get(stub.url).content == body
    with pytest.raises(EgressAnswerError, match="larger than 4999 bytes"):
        local.session(stub.url, max_answer_bytes=4999).get(stub.url)


def test_a_head_that_is_too_large_is_an_error(local, stub):
    stub.replies = [Reply(200, b"", {f"X-{number}": "x" * 2000 for number in range(40)})]

    with pytest.raises(EgressAnswerError, match="head"):
        post(local, stub.url)


@pytest.mark.parametrize("first", [b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 two hundred\r\n\r\n", b"\x15\x03\x01"])
def test_what_is_no_http_is_an_error_that_does_not_show_it(first, local):
    with dripping(first, b"\r\n" * 40_000) as url, pytest.raises(EgressUnreachableError) as broken:
        post(local, url)

    assert "SSH" not in str(broken.value)


def test_an_error_shows_neither_path_nor_header(local):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with pytest.raises(EgressUnreachableError) as broken:
        post(local, f"http://127.0.0.1:{port}/services/T000/path-secret")

    assert str(broken.value) == f"http://127.0.0.1:{port} cannot be reached: connection refused"


def test_a_broken_head_is_not_logged_with_the_path(local, caplog, capfd):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nno header at all\r\n\r\n"

    with dripping(head, b"") as url:
        post(local, f"{url}/services/T000/path-secret")

    assert "path-secret" not in caplog.text + "".join(capfd.readouterr())


def test_a_webhook_may_link_to_wherever_it_likes(local, stub):
    stub.replies = [Reply(200, b"", {"Link": '<https://api.w.example/>; rel="next"'})]

    assert post(local, stub.url).status == 200


def test_nobody_gives_a_request_another_host_than_its_address(local, stub):
    stub.replies = [Reply()]

    local.post(stub.url, b"", {"Host": "metadata.google.internal"}, deadline_seconds=5)

    assert stub.seen[0].headers["Host"] == stub.host


def test_r23_nothing_is_sent_over_http_to_a_host_that_is_not_opened(strict, names, sink):
    names.answers["public.test"] = [["93.184.216.34"]]

    with pytest.raises(EgressRefusedError, match="R23"):
        post(strict, "http://public.test/")

    assert sink.seen == []


def test_a_header_that_would_make_two_is_refused_and_not_shown(local, stub):
    stub.replies = [Reply()]

    with pytest.raises(EgressRefusedError) as refused:
        local.post(stub.url, b"", {"Authorization": f"{SECRET}\r\nX: y"}, deadline_seconds=5)

    assert SECRET not in str(refused.value)
    assert stub.seen == []


def test_a_connection_is_used_again_until_it_is_old(stub, make):
    clock = count(0.0, 0.001)
    shift = [0.0]
    transport = make(LOOPBACK, monotonic=lambda: next(clock) + shift[0])
    stub.replies = [Reply()]
    opened = []
    connect = socket.socket.connect

    class Counted(pytest.MonkeyPatch):
        """Counts connections for the length of a block."""

    with Counted.context() as patch:
        patch.setattr(socket.socket, "connect", lambda self, place: (opened.append(place), connect(self, place)))
        post(transport, stub.url)
        post(transport, stub.url)
        assert len(opened) == 1

        shift[0] = 60.0
        post(transport, stub.url)

    assert len(opened) == 2


def test_a_connection_that_was_closed_meanwhile_is_made_anew(local, stub):
    stub.replies = [Reply(200, b"1"), Reply(200, b"", cut=0), Reply(200, b"2")]
    assert local.session(stub.url).get(stub.url).content == b"1"

    assert local.session(stub.url).get(stub.url).content == b"2"


def test_a_post_whose_connection_breaks_is_not_sent_twice(local, stub):
    stub.replies = [Reply(200, b"1"), Reply(200, b"", cut=0), Reply(200, b"2")]
    post(local, stub.url)

    with pytest.raises(EgressUnreachableError):
        post(local, stub.url)

    assert len(stub.seen) == 2


def test_a_certificate_for_another_name_is_refused(opened, forge, names, make):
    names.answers["wrong.test"] = [["127.0.0.1"]]
    policy = Policy((OpenedHost("wrong.test"),), authorities=forge.authority)

    with pytest.raises(EgressUnreachableError, match="certificate"):
        post(make(policy, resolver=names), forge.url("wrong.test"))

    assert forge.asked == []


def test_a_certificate_of_an_unknown_authority_is_refused(forge, names, make):
    names.answers["public.test"] = [["127.0.0.1"]]

    with pytest.raises(EgressUnreachableError, match="CHAINLOOP_EGRESS_CA"):
        post(make(Policy((OpenedHost("public.test"),)), resolver=names), forge.url())

    assert forge.asked == []


def test_redirects_on_the_same_origin_are_followed_three_times(opened, forge):
    forge.answers |= {f"/{n}": (302, {"Location": f"/{n + 1}"}, b"") for n in range(5)}
    forge.answers["/3"] = (200, {}, b"[]")
    session = opened.session(forge.url())

    assert session.get(f"{forge.url()}/0", headers={"Authorization": SECRET}).status_code == 200
    assert [headers["Authorization"] for _, _, headers in forge.asked] == [SECRET] * 4

    forge.answers["/3"] = (302, {"Location": f"{forge.url()}/4"}, b"")
    forge.answers["/4"] = (200, {}, b"[]")
    with pytest.raises(EgressRefusedError, match="more than 3 redirects"):
        session.get(f"{forge.url()}/0")


def test_redirects_share_one_deadline(forge, names, make):
    names.answers["public.test"] = [["127.0.0.1"]]
    policy = Policy((OpenedHost("public.test"),), authorities=forge.authority)
    transport = make(policy, resolver=names, monotonic=lambda: 8.0 * len(forge.asked))
    forge.answers |= {f"/{n}": (302, {"Location": f"/{n + 1}"}, b"") for n in range(3)}
    forge.answers["/3"] = (200, {}, b"[]")

    with pytest.raises(EgressTimeoutError):
        transport.session(forge.url(), seconds=20).get(f"{forge.url()}/0")

    assert [path for _, path, _ in forge.asked] == ["/0", "/1", "/2"]


@pytest.mark.parametrize(("asked", "answers"), [(10, 2), ((3, 10), 2), (60, 3), ((3, 60), 3)])
def test_a_library_may_ask_for_less_time_than_the_session_has_and_not_for_more(asked, answers, forge, names, make):
    names.answers["public.test"] = [["127.0.0.1"]]
    policy = Policy((OpenedHost("public.test"),), authorities=forge.authority)
    transport = make(policy, resolver=names, monotonic=lambda: 8.0 * len(forge.asked))
    forge.answers |= {f"/{n}": (302, {"Location": f"/{n + 1}"}, b"") for n in range(4)}

    with pytest.raises(EgressTimeoutError):
        transport.session(forge.url(), seconds=20).get(f"{forge.url()}/0", timeout=asked)

    assert len(forge.asked) == answers


@pytest.mark.parametrize(("status", "requests"), [(301, 2), (302, 2), (303, 1), (307, 2), (308, 2)])
def test_a_post_is_repeated_where_a_forge_moves_it_and_not_where_it_says_to_read(status, requests, local, stub):
    stub.replies = [Reply(status, b"", {"Location": "/moved"}), Reply(201)]

    answer = local.session(stub.url, repeats_writes=True).post(stub.url, data=b"{}")

    assert answer.status_code == (201 if requests == 2 else status)
    assert [(seen.method, seen.body) for seen in stub.seen] == [("POST", b"{}")] * requests


def test_where_a_post_is_sent_on_to_is_not_even_read(local, stub):
    stub.replies = [Reply(302, b"", {"Location": "http://[::1"})]

    assert local.session(stub.url).post(stub.url).status_code == 302
    assert len(stub.seen) == 1


def test_a_session_keeps_no_cookie_and_asks_no_environment(opened, forge, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text(f"machine public.test login a password {SECRET}\n")
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    forge.answers["/"] = (200, {"Set-Cookie": "session=abc"}, b"[]")
    session = opened.session(forge.url())

    for _ in range(2):
        session.get(forge.url(), verify=False)

    assert [set(headers) & {"Cookie", "Authorization"} for _, _, headers in forge.asked] == [set(), set()]


@pytest.mark.parametrize("url", ["ftp://public.test/", "file:///etc/passwd", "http://public.test/", "public.test"])
def test_a_session_sends_nothing_elsewhere(url, opened, forge):
    with pytest.raises(EgressRefusedError):
        opened.session(forge.url()).get(url)

    assert forge.asked == []


def test_through_a_proxy_the_name_is_sent_and_private_addresses_are_still_refused(forge, names, make):
    told = []

    def relay(listener):
        connection, _ = listener.accept()
        with connection:
            told.append(connection.recv(65536).decode())
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = EgressProxy("proxy.test", listener.getsockname()[1], "user:hunter2")
        names.answers["proxy.test"] = [["127.0.0.1"]]
        transport = make(Policy(proxy=proxy), resolver=names)
        thread = threading.Thread(target=relay, args=(listener,))
        thread.start()
        with pytest.raises(EgressUnreachableError, match="proxy does not let"):
            post(transport, "https://public.test/")
        thread.join()
        for url in ("https://10.0.0.1/", "https://metadata.google.internal/", "http://public.test/"):
            with pytest.raises(EgressRefusedError):
                post(transport, url)

    assert told[0].startswith("CONNECT public.test:443 HTTP/1.")
    assert "Proxy-Authorization: Basic dXNlcjpodW50ZXIy" in told[0].title().replace(
        "Dxnlcjpodw50Zxiy", "dXNlcjpodW50ZXIy"
    )
    assert SECRET not in told[0]
    assert names.asked == ["proxy.test"]
