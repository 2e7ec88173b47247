"""R45: whatever a tenant enters, and wherever an answer points, no connection is made and no credential is seen."""

from __future__ import annotations

import github
import gitlab
import pytest

from server.egress.github import github_client
from server.egress.gitlab import gitlab_client
from server.errors import EgressRefusedError, EgressUnreachableError
from tests.integration.egress import ssrf
from tests.integration.egress.conftest import SECRET

pytestmark = pytest.mark.skipif(not ssrf.read_list(), reason="the corpus is not beside the project")
FOREIGN = "https://other-public.test"


@pytest.mark.parametrize("url", ssrf.urls())
@pytest.mark.parametrize("use", ssrf.USES)
def test_r45_no_listed_address_is_connected_to(use, url, strict, sink, names):
    names.answers = {name: [["93.184.216.34"]] for name in ("localhost", "metadata", "kubernetes.default.svc")}

    with pytest.raises(EgressRefusedError) as refused:
        ssrf.USES[use](strict, url)

    assert sink.seen == []
    assert SECRET not in f"{refused.value}{refused.value.hint}"
    assert "password" not in str(refused.value)


@pytest.mark.parametrize("name", sorted(set(ssrf.names()) - {"rebinding.test"}))
@pytest.mark.parametrize("use", ssrf.USES)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_r45_a_name_with_a_private_address_is_not_connected_to(scheme, use, name, strict, sink, names):
    names.answers = ssrf.names()

    with pytest.raises(EgressRefusedError):
        ssrf.USES[use](strict, f"{scheme}://{name}/")

    assert sink.seen == []


@pytest.mark.parametrize("use", ssrf.USES)
def test_r45_a_name_that_changes_its_address_is_connected_at_the_one_that_was_checked(use, strict, sink, names):
    names.answers = ssrf.names()

    with pytest.raises(EgressUnreachableError):
        ssrf.USES[use](strict, "https://rebinding.test/")

    assert sink.seen == [("93.184.216.34", 443)]
    assert names.asked == ["rebinding.test"]
    with pytest.raises(EgressRefusedError):
        ssrf.USES[use](strict, "https://rebinding.test/")
    assert sink.seen == [("93.184.216.34", 443)]


LOCATIONS = [*ssrf.urls(), f"{FOREIGN}/", *(f"https://{name}/" for name in ssrf.names())]
ASCII_LOCATIONS = [each for each in LOCATIONS if each.isascii()]
PATHS = {"webhook": "/", "github": "/api/v3/repos/a/b", "gitlab": "/api/v4/projects/7"}
BASES = {"webhook": "/", "github": "/api/v3", "gitlab": ""}


def _is_refused(use, transport, base):
    """Tell whether a use ended without following; a webhook's redirect is its answer."""
    try:
        answer = ssrf.USES[use](transport, base)
    except EgressRefusedError:
        return True
    except gitlab.exceptions.GitlabError:
        return False
    return getattr(answer, "status", 0) in (301, 302, 307)


@pytest.mark.parametrize("status", [301, 302, 307])
@pytest.mark.parametrize("use", ssrf.USES)
def test_r45_a_redirect_to_another_host_is_not_followed(use, status, opened, forge, sink, names):
    names.answers |= ssrf.names()
    followed = []

    for location in ASCII_LOCATIONS:
        forge.answers[PATHS[use]] = (status, {"Location": location}, b"")
        if not _is_refused(use, opened, forge.url() + BASES[use]):
            followed.append(location)

    assert followed == []
    assert sink.strangers == []
    assert {headers["Host"] for _, _, headers in forge.asked} == {f"public.test:{forge.port}"}
    assert [path for _, path, _ in forge.asked] == [PATHS[use]] * len(ASCII_LOCATIONS)


def _list_all(use, transport, forge):
    if use == "github":
        client = github_client(transport, f"{forge.url()}/api/v3", github.Auth.Token(SECRET))
        return list(client.get_repo("a/b").get_commits())
    return list(gitlab_client(transport, forge.url(), private_token=SECRET).projects.list(iterator=True))


@pytest.mark.parametrize("use", ["github", "gitlab"])
def test_r45_a_link_to_another_host_is_not_followed(use, opened, forge, sink, names):
    names.answers |= ssrf.names()

    for link in [f"https://other-public.test:{forge.port}/next", *ASCII_LOCATIONS]:
        page = (200, {"Link": f'<{link}>; rel="next"'}, b"[]")
        forge.answers |= {"/api/v3/repos/a/b/commits": page, "/api/v4/projects": page}
        with pytest.raises(EgressRefusedError):
            _list_all(use, opened, forge)

    assert sink.strangers == []
    assert {headers["Host"] for _, _, headers in forge.asked} == {f"public.test:{forge.port}"}
    assert len(forge.asked) == len(ASCII_LOCATIONS) + 1


def test_r45_a_link_of_gitlab_under_another_name_is_read_at_the_address_that_was_registered(opened, forge):
    link = f"https://other-public.test:{forge.port}/api/v4/more"
    forge.answers |= {
        "/api/v4/projects": (200, {"Link": f'<{link}>; rel="next"'}, b'[{"id": 1}]'),
        "/api/v4/more": (200, {}, b'[{"id": 2}]'),
    }

    found = list(gitlab_client(opened, forge.url(), private_token=SECRET).projects.list(iterator=True))

    assert [project.id for project in found] == [1, 2]
    assert {headers["Host"] for _, _, headers in forge.asked} == {f"public.test:{forge.port}"}
