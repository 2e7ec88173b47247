"""One repository has one address, however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.api.source_address import SourceAddress, SourceKind, of_claim, parse_source
from chainloop_ci.errors import UsageError

PIECES = ("a", "B", "h", "/", "//", ".", "..", ".git", ":443", ":80", "@", "%2F", "/job/", "[::1]", "?", "#")


@pytest.mark.parametrize(
    ("text", "host", "repository"),
    [
        ("github:acme/app", "https://github.com", "acme/app"),
        ("github:https://github.com/acme/app", "https://github.com", "acme/app"),
        ("github:http://GitHub.com./acme/app.git", "https://github.com", "acme/app"),
        ("github:HTTPS://ghe.corp:443/acme/app/", "https://ghe.corp", "acme/app"),
        ("github:https://ghe.corp:8443/acme/.github", "https://ghe.corp:8443", "acme/.github"),
        ("gitlab:group/sub/project", "https://gitlab.com", "group/sub/project"),
        ("gitlab:https://git.corp/group/sub/project", "https://git.corp", "group/sub/project"),
        ("gitlab:https://corp.example/gitlab//group/app", "https://corp.example/gitlab", "group/app"),
        ("gitlab:http://[::1]:8080/group/app", "http://[::1]:8080", "group/app"),
        ("jenkins:https://ci.corp/job/app", "https://ci.corp", "app"),
        ("jenkins:https://ci.corp/jenkins/job/team/job/my%20app/", "https://ci.corp/jenkins", "team/my app"),
    ],
)
def test_a_source_names_its_forge_and_its_path(text, host, repository):
    address = parse_source(text)

    assert (address.host, address.repository) == (host, repository)
    assert parse_source(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "acme/app", "bitbucket:acme/app", "github:", "github:app", "github:acme/app/tree", "github:acme/..",
        "github:../app", "github:acme/ap p", "github:acme/-app", "gitlab:app", "gitlab:a//b", "jenkins:app",
        "jenkins:https://ci.corp/app", "jenkins:https://ci.corp/job/", "jenkins:https://ci.corp/job/a%2Fb",
        "jenkins:https://ci.corp/job/a%0Ab", "github:ftp://ghe.corp/acme/app", "github:https:///acme/app",
        "github:https://ghe.corp:99999/acme/app", "github:https://ghe.corp/acme/app?x=1",
        "github:https://ghe.corp/acme/app#x", "github:https://gh\u0435.corp/acme/app", "github:https://a b/acme/app",
        "github:" + "a" * 2000 + "/b", "GITHUB:acme/app", "github:acme/app.git.git", "gitlab:group/app.git.git/",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text):
    with pytest.raises(UsageError):
        parse_source(text)


@pytest.mark.parametrize("text", ["github:https://me:s3cret@ghe.corp/acme/app", "github:me:s3cret@host/x/y/z"])
def test_a_refusal_shows_no_credentials(text):
    with pytest.raises(UsageError) as refused:
        parse_source(text)

    assert "s3cret" not in f"{refused.value.message} {refused.value.hint}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("github:acme/app", "github:ACME/App"),
        ("gitlab:http://git.corp/group/app", "gitlab:https://GIT.corp/Group/app.git"),
        ("jenkins:https://ci.corp/job/app", "jenkins:http://ci.corp:80/job/App"),
    ],
)
def test_two_spellings_of_a_repository_have_one_key(one, other):
    assert parse_source(one).key == parse_source(other).key


def test_another_port_or_path_is_another_forge():
    keys = {parse_source(f"gitlab:https://{place}/g/app").key for place in ("h", "h:8443", "h/git/", "i")}

    assert len(keys) == 4


@pytest.mark.parametrize(
    ("kind", "server", "path", "source"),
    [
        (SourceKind.GITHUB, "https://github.com", "acme/app", "github:acme/app"),
        (SourceKind.GITHUB, "https://ghe.corp", "acme/app", "github:https://ghe.corp/acme/app"),
        (SourceKind.GITLAB, "https://corp/gitlab", "a/b/c", "gitlab:https://corp/gitlab//a/b/c"),
        (SourceKind.JENKINS, "https://ci.corp/", "team/my app", "jenkins:https://ci.corp/job/team/job/my%20app"),
        (SourceKind.JENKINS, "https://ci.corp", "a/x%2Fy", "jenkins:https://ci.corp/job/a/job/x%252Fy"),
    ],
)
def test_what_a_ci_system_says_of_itself_becomes_a_source(kind, server, path, source):
    address = of_claim(kind, server, path)

    assert str(address) == source
    assert address.repository == path


@given(
    st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    st.sampled_from(
        [
            "github:",
            "github:a/b",
            "gitlab:",
            "gitlab:http://h/a/b",
            "jenkins:",
            "github:https://",
            "jenkins:http://h/job/",
        ]
    ),
)
def test_whatever_is_read_reads_the_same_again(rest, begin):
    try:
        address = parse_source(begin + rest)
    except UsageError:
        return

    assert isinstance(address, SourceAddress)
    assert parse_source(str(address)) == address
