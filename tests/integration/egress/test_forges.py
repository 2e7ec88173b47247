"""PyGithub and python-gitlab send everything over the transport of their client, and wait for nothing."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import github
import gitlab
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from server.egress.github import github_app_client, github_client
from server.egress.github_addresses import api_address, web_address
from server.egress.gitlab import gitlab_client
from server.errors import EgressRefusedError, EgressTimeoutError, EgressUnreachableError
from tests.integration.egress.conftest import LOOPBACK, SECRET
from tests.unit.dripping_server import HEAD, dripping
from tests.unit.stub_server import Reply, stub_server

SHA = "5" * 40
STATUS = json.dumps({"id": 1, "state": "success"}).encode()


@pytest.fixture(scope="module")
def app_key():
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


def post_status(client):
    return client.get_repo("a/b").get_commit(SHA).create_status("success", context="chainloop/p/w")


def test_a_commit_status_of_github_is_one_request(local, stub):
    stub.replies = [Reply(201, STATUS)]

    post_status(github_client(local, f"{stub.url}/api/v3", github.Auth.Token(SECRET)))

    assert [(seen.method, seen.path) for seen in stub.seen] == [("POST", f"/api/v3/repos/a/b/statuses/{SHA}")]
    assert stub.seen[0].headers["Authorization"] == f"token {SECRET}"


def test_a_commit_status_of_gitlab_is_one_request(local, stub):
    stub.replies = [Reply(201, STATUS)]
    client = gitlab_client(local, stub.url, private_token=SECRET)

    client.projects.get(7, lazy=True).commits.get(SHA, lazy=True).statuses.create({"state": "success"})

    assert [(seen.method, seen.path) for seen in stub.seen] == [("POST", f"/api/v4/projects/7/statuses/{SHA}")]
    assert stub.seen[0].headers["PRIVATE-TOKEN"] == SECRET


def test_two_organizations_in_many_threads_each_send_their_own_credential_to_their_own_forge(local):
    with stub_server() as one, stub_server() as other, ThreadPoolExecutor(8) as pool:
        one.replies = other.replies = [Reply(201, STATUS)]
        clients = [
            github_client(local, f"{server.url}/api/v3", github.Auth.Token(token))
            for server, token in ((one, "token-one"), (other, "token-other"))
        ]

        list(pool.map(lambda number: post_status(clients[number % 2]), range(60)))

        seen = [
            {(each.headers["Host"], each.headers["Authorization"]) for each in server.seen} for server in (one, other)
        ]
        assert seen == [{(one.host, "token token-one")}, {(other.host, "token token-other")}]
        assert [len(one.seen), len(other.seen)] == [30, 30]


def test_the_tokens_of_an_app_are_asked_for_over_the_same_transport(stub, app_key, make):
    asked = []
    transport = make(LOOPBACK)
    granted = json.dumps({"token": SECRET, "expires_at": "2099-01-01T00:00:00Z"}).encode()
    stub.replies = [Reply(201, granted), Reply(201, STATUS)]
    auth = github.Auth.AppAuth(1, app_key).get_installation_auth(2)

    post_status(github_client(transport, f"{stub.url}/api/v3", auth))

    asked = [(seen.path, seen.headers["Authorization"].partition(" ")[0]) for seen in stub.seen]
    assert asked == [
        ("/api/v3/app/installations/2/access_tokens", "Bearer"),
        (f"/api/v3/repos/a/b/statuses/{SHA}", "token"),
    ]
    assert {seen.headers["User-Agent"] for seen in stub.seen} == {"chainloop"}


def test_an_installation_of_an_app_is_asked_for_over_the_same_transport(local, stub, app_key):
    stub.replies = [Reply(200, b'{"id": 2}')]

    github_app_client(local, f"{stub.url}/api/v3", github.Auth.AppAuth(1, app_key)).get_app_installation(2)

    assert [seen.path for seen in stub.seen] == ["/api/v3/app/installations/2"]


def test_a_client_of_github_that_was_made_elsewhere_sends_nothing(stub):
    stub.replies = [Reply(201, STATUS)]
    client = github.Github(base_url=f"{stub.url}/api/v3", auth=github.Auth.Token(SECRET), lazy=True)

    with pytest.raises(EgressRefusedError, match="github_client"):
        post_status(client)

    assert stub.seen == []


def test_a_renamed_repository_of_github_gets_the_same_request_at_its_new_place(local, stub):
    stub.replies = [
        Reply(301, b"{}", {"Location": f"{stub.url}/api/v3/repositories/7/statuses/{SHA}"}),
        Reply(201, STATUS),
    ]

    post_status(github_client(local, f"{stub.url}/api/v3", github.Auth.Token(SECRET)))

    assert [(seen.method, json.loads(seen.body)["state"]) for seen in stub.seen] == [("POST", "success")] * 2


def test_a_link_of_github_to_a_page_about_deprecation_is_not_minded(local, stub):
    link = {"Link": '<https://developer.github.com/changes>; rel="deprecation"; type="text/html"'}
    stub.replies = [Reply(201, STATUS, link)]

    post_status(github_client(local, f"{stub.url}/api/v3", github.Auth.Token(SECRET)))

    assert len(stub.seen) == 1


def test_an_address_in_an_answer_of_github_is_not_asked(local, stub):
    with stub_server() as other:
        foreign = f"http://localhost:{other.host.partition(':')[2]}/api/v3/repos/a/b"
        stub.replies = [Reply(200, json.dumps({"url": foreign, "full_name": "a/b"}).encode())]
        repository = github_client(local, f"{stub.url}/api/v3", github.Auth.Token(SECRET)).get_repo("a/b")
        repository.complete()

        with pytest.raises((EgressRefusedError, AssertionError)):
            repository.get_commit(SHA).complete()

        assert other.seen == []


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_neither_library_waits_or_asks_again(status, local, stub):
    stub.replies = [Reply(status, b"{}", {"Content-Type": "application/json", "Retry-After": "100000"})]

    with pytest.raises(github.GithubException):
        post_status(github_client(local, f"{stub.url}/api/v3", github.Auth.Token(SECRET)))
    with pytest.raises(gitlab.exceptions.GitlabError):
        gitlab_client(local, stub.url, private_token=SECRET).projects.list(get_all=False)

    assert len(stub.seen) == 2


def test_an_answer_of_github_that_is_put_off_for_ever_is_not_waited_for(local, stub):
    stub.replies = [Reply(202, b"{}")]

    with pytest.raises(EgressUnreachableError, match="202"):
        github_client(local, f"{stub.url}/api/v3", github.Auth.Token(SECRET)).get_repo("a/b").complete()

    assert len(stub.seen) == 1


def test_an_answer_that_drips_ends_at_the_deadline(local):
    with dripping(HEAD, b" ") as url:
        with pytest.raises(EgressTimeoutError):
            post_status(github_client(local, url, github.Auth.Token(SECRET), seconds=0.3))
        with pytest.raises(EgressTimeoutError):
            gitlab_client(local, url, private_token=SECRET, seconds=0.3).projects.get(7)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://GitHub.com/", "https://api.github.com"),
        ("https://octocorp.ghe.com", "https://api.octocorp.ghe.com"),
        ("https://ghe.corp.example:8443", "https://ghe.corp.example:8443/api/v3"),
    ],
)
def test_the_api_of_a_forge_is_found_by_its_address(host, address):
    assert api_address(host) == address


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("https://github.com", "https://github.com"),
        ("https://www.GitHub.com:8443/acme", "https://github.com"),
        ("https://octocorp.ghe.com:444/", "https://octocorp.ghe.com"),
        ("https://ghe.corp.example:8443/x", "https://ghe.corp.example:8443"),
    ],
)
def test_what_is_asked_at_one_place_has_one_spelling(host, address):
    assert web_address(host) == address
    assert api_address(host) == api_address(address)
