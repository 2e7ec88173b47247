from __future__ import annotations

import base64
import json
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import responses

from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import (
    ImageUnresolvedError,
    MaterialRejectedError,
    RegistryLoginError,
    ServerFaultError,
    UnreachableError,
)
from chainloop_ci.oci.registry import MAX_ATTEMPTS, MAX_MANIFEST_BYTES
from chainloop_ci.oci.resolve import resolve_image

HEX = "a" * 64
DIGEST = f"sha256:{HEX}"
OTHER = "sha256:" + "b" * 64
NAMED = {"Docker-Content-Digest": DIGEST}
REPOSITORY = "https://registry.example.com/v2/team/app"
IMAGE = "registry.example.com/team/app:1.2"
REALM = "https://registry.example.com/token"
BASIC = "Basic " + base64.b64encode(b"ci:s3cret").decode()


@dataclass(frozen=True)
class Typed:
    """Credentials as the command line hands them in."""

    server: str = "registry.example.com"
    username: str = "ci"
    password: str = "s3cret"


@pytest.fixture
def docker(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Return a writer of docker configurations, which returns the environment that names them."""

    def write(**config: object) -> dict[str, str]:
        (tmp_path / "config.json").write_text(json.dumps(config))
        return {"DOCKER_CONFIG": str(tmp_path), "PATH": str(tmp_path)}

    return write


def helper(folder: Path, name: str, script: str) -> None:
    path = folder / f"docker-credential-{name}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def manifest(tag: str = "1.2") -> str:
    return f"{REPOSITORY}/manifests/{tag}"


def challenge(realm: str = REALM) -> dict[str, str]:
    return {"WWW-Authenticate": f'Bearer realm="{realm}",service="registry",scope="repository:team/app:pull"'}


def sent(method: str = "HEAD") -> list[requests.PreparedRequest]:
    return [call.request for call in responses.calls if call.request.method == method]


def no_pause(seconds: float) -> None:
    """Do not sleep."""


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "name", "tag"),
    [
        (f"nginx@{DIGEST}", "index.docker.io/library/nginx", ""),
        (f"nginx:1.27@{DIGEST}", "index.docker.io/library/nginx", "1.27"),
        (f"org/app@{DIGEST}", "index.docker.io/org/app", ""),
        (f"ghcr.io/org/app:latest@{DIGEST}", "ghcr.io/org/app", "latest"),
        (f"localhost/app@{DIGEST}", "localhost/app", ""),
    ],
)
@responses.activate
def test_a_digest_is_taken_as_it_is_without_any_network(value: str, name: str, tag: str) -> None:
    image = resolve_image(value, env={})

    assert (image.name, image.digest, image.tag, image.has_latest_tag) == (name, DIGEST, tag, tag == "latest")
    assert len(responses.calls) == 0


@pytest.mark.parametrize(
    "value", ["", "Not An Image", "UPPER/case", "a@sha256:123", "a:", "a@b@c", "https://ghcr.io/a"]
)
def test_what_is_no_image_name_is_refused_with_an_example(value: str) -> None:
    with pytest.raises(MaterialRejectedError, match=r"ghcr\.io/org/app:1\.2"):
        resolve_image(value, env={})


@pytest.mark.parametrize("place", ["./report.txt", "report.tar", "./folder"])
def test_a_file_or_folder_of_another_kind_is_the_wrong_material(tmp_path: Path, place: str) -> None:
    (tmp_path / "report.txt").write_text("no image")
    (tmp_path / "report.tar").write_text("no image")
    (tmp_path / "folder").mkdir()

    with pytest.raises(MaterialRejectedError, match="is neither an OCI layout"):
        resolve_image(place, env={}, cwd=tmp_path)


def test_a_path_without_a_file_stays_an_image_that_nobody_has(tmp_path: Path) -> None:
    with pytest.raises(ImageUnresolvedError, match=r"\./image does not exist"):
        resolve_image("./image", env={}, cwd=tmp_path)


# --- resolving -------------------------------------------------------------------------------------------------------


@responses.activate
def test_a_tag_becomes_the_digest_that_the_registry_names() -> None:
    responses.head(manifest(), headers=NAMED)
    responses.head(manifest("latest"), headers={"Docker-Content-Digest": OTHER})

    image = resolve_image(IMAGE, env={})

    accepted = str(sent()[0].headers["Accept"]).split(", ")
    assert (image.name, image.digest, image.tag) == ("registry.example.com/team/app", DIGEST, "1.2")
    assert (image.has_latest_tag, len(accepted)) == (False, 4)


@pytest.mark.parametrize(
    ("latest", "same"), [({"headers": NAMED}, True), ({"status": 404}, False), ({"status": 403}, False)]
)
@responses.activate
def test_a_tag_is_the_latest_when_both_mean_the_same(latest: dict[str, object], same: bool) -> None:
    responses.head(manifest(), headers=NAMED)
    responses.head(manifest("latest"), **latest)  # type: ignore[arg-type]  # either headers or a status

    assert resolve_image(IMAGE, env={}).has_latest_tag is same


@responses.activate
def test_no_tag_is_latest_on_docker_s_own_registry() -> None:
    responses.head("https://index.docker.io/v2/library/nginx/manifests/latest", headers=NAMED)

    image = resolve_image("nginx", env={})

    assert (image.name, image.tag, image.has_latest_tag) == ("index.docker.io/library/nginx", "latest", True)


@pytest.mark.parametrize(
    "headers", [{}, {"Docker-Content-Digest": "sha512:abc"}, {"Docker-Content-Digest": "sha256:AB"}]
)
@responses.activate
def test_without_a_usable_header_the_manifest_s_bytes_are_hashed(headers: dict[str, str]) -> None:
    raw = b'{ "odd" :  "spaces" }\n'
    responses.head(manifest("latest"), headers=headers)
    responses.get(manifest("latest"), body=raw)

    assert resolve_image("registry.example.com/team/app", env={}).digest == sha256_digest(raw)


@responses.activate
def test_a_manifest_without_end_is_refused() -> None:
    responses.head(manifest("latest"))
    responses.get(manifest("latest"), body=bytes(MAX_MANIFEST_BYTES + 1))

    with pytest.raises(ServerFaultError, match="more than"):
        resolve_image("registry.example.com/team/app", env={})


@responses.activate
def test_an_unknown_tag_is_said_with_what_was_tried() -> None:
    responses.head(manifest(), status=404)

    with pytest.raises(ImageUnresolvedError, match=r"knows no registry\.example\.com/team/app:1\.2") as caught:
        resolve_image(IMAGE, env={}, credentials=Typed())

    assert "check name and tag" in str(caught.value.hint)


# --- the network ----------------------------------------------------------


@pytest.mark.parametrize(
    "first", [{"status": 500}, {"status": 503}, {"status": 429}, {"body": requests.ConnectionError()}]
)
@responses.activate
def test_what_may_pass_is_tried_again(first: dict[str, object]) -> None:
    responses.head(manifest("latest"), **first)  # type: ignore[arg-type]  # a status or an exception
    responses.head(manifest("latest"), headers=NAMED)

    assert resolve_image("registry.example.com/team/app", env={}, pause=no_pause).digest == DIGEST


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"status": 503}, "it answers with 503"),
        ({"body": requests.ConnectionError()}, "no connection could be made"),
        ({"body": requests.ConnectionError("[Errno 111] Connection refused")}, "the connection was refused"),
        ({"body": requests.ConnectionError("NameResolutionError: nowhere")}, "its host name is not known"),
        ({"body": requests.exceptions.ProxyError()}, "the proxy does not let the connection through"),
        ({"body": requests.Timeout()}, "no answer in time"),
    ],
)
@responses.activate
def test_a_registry_that_is_down_is_unreachable_after_a_few_attempts(answer: dict[str, object], reason: str) -> None:
    responses.head(manifest(), **answer)  # type: ignore[arg-type]  # a status or an exception

    with pytest.raises(UnreachableError, match=rf"registry\.example\.com.*: {reason}") as caught:
        resolve_image(IMAGE, env={}, pause=no_pause)

    assert "OCI layout" in (caught.value.hint or "")
    assert len(sent()) == MAX_ATTEMPTS


@responses.activate
def test_a_long_wait_is_not_waited_for() -> None:
    responses.head(manifest(), status=429, headers={"Retry-After": "3600"})

    with pytest.raises(UnreachableError):
        resolve_image(IMAGE, env={}, pause=lambda seconds: pytest.fail("waited"))


@responses.activate
def test_a_bad_certificate_is_not_tried_again() -> None:
    responses.head(manifest(), body=requests.exceptions.SSLError())

    with pytest.raises(UnreachableError):
        resolve_image(IMAGE, env={}, pause=lambda seconds: pytest.fail("waited"))


# --- logins -----------------------------------------------------------------------------------------------------------


@responses.activate
def test_without_a_login_an_anonymous_token_is_asked_for() -> None:
    responses.head(manifest("latest"), status=401, headers=challenge())
    responses.get(REALM, json={"token": "anonymous"})
    responses.head(manifest("latest"), headers=NAMED)

    resolve_image("registry.example.com/team/app", env={})

    assert "Authorization" not in sent("GET")[0].headers
    assert sent()[1].headers["Authorization"] == "Bearer anonymous"
    assert sent("GET")[0].url == f"{REALM}?service=registry&scope=repository%3Ateam%2Fapp%3Apull"


@responses.activate
def test_typed_credentials_buy_a_token() -> None:
    responses.head(manifest("latest"), status=401, headers=challenge())
    responses.get(REALM, json={"access_token": "bought"})
    responses.head(manifest("latest"), headers=NAMED)

    resolve_image("registry.example.com/team/app", env={}, credentials=Typed())

    assert sent("GET")[0].headers["Authorization"] == BASIC
    assert sent()[1].headers["Authorization"] == "Bearer bought"


@responses.activate
def test_an_expired_token_is_replaced_once() -> None:
    responses.head(manifest(), status=401, headers=challenge())
    responses.get(REALM, json={"token": "first"})
    responses.head(manifest(), headers=NAMED)
    responses.head(manifest("latest"), status=401, headers=challenge())
    responses.get(REALM, json={"token": "second"})
    responses.head(manifest("latest"), headers=NAMED)

    assert resolve_image(IMAGE, env={}).has_latest_tag is True
    assert sent()[-1].headers["Authorization"] == "Bearer second"


@responses.activate
def test_a_registry_that_wants_the_password_gets_it() -> None:
    responses.head(manifest("latest"), status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    responses.head(manifest("latest"), headers=NAMED)

    resolve_image("registry.example.com/team/app", env={}, credentials=Typed())

    assert "Authorization" not in sent()[0].headers
    assert sent()[1].headers["Authorization"] == BASIC


@responses.activate
def test_credentials_for_another_registry_are_not_sent() -> None:
    responses.head(manifest(), status=401, headers={"WWW-Authenticate": "Basic"})

    with pytest.raises(RegistryLoginError, match=r"--registry-server is for other\.example, not for") as caught:
        resolve_image(IMAGE, env={}, credentials=Typed(server="other.example"))

    assert "s3cret" not in str(caught.value)
    assert "Authorization" not in sent()[0].headers


@pytest.mark.parametrize("status", [401, 403])
@responses.activate
def test_a_refused_login_names_the_user_and_never_the_password(status: int) -> None:
    responses.head(manifest(), status=401, headers=challenge())
    responses.get(REALM, status=status)

    with pytest.raises(RegistryLoginError, match="tried: user ci from --registry-server") as caught:
        resolve_image(IMAGE, env={}, credentials=Typed())

    assert "s3cret" not in f"{caught.value}{caught.value.hint}"
    assert "docker login registry.example.com" in str(caught.value.hint)


@responses.activate
def test_a_login_that_is_not_allowed_to_read_is_refused() -> None:
    responses.head(manifest(), status=403)

    with pytest.raises(RegistryLoginError, match="no login"):
        resolve_image(IMAGE, env={})


# --- where credentials go (T34) ----------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "realm"),
    [
        ("registry.example.com/team/app", "https://evil.example/token"),
        ("registry.example.com/team/app", "https://example.com.evil.example/token"),
        ("registry.example.com/team/app", "https://registry.example.com:8443/token"),
        ("registry.example.co.uk/team/app", "https://evil.co.uk/token"),
        ("192.0.2.1:5000/team/app", "https://192.0.2.9:5000/token"),
        ("registry.example.com/team/app", "http://registry.example.com/token"),
        ("registry.example.com/team/app", "http://127.0.0.1/token"),
        ("registry.example.com/team/app", "ftp://registry.example.com/token"),
        ("registry.example.com/team/app", ""),
    ],
)
@responses.activate
def test_t34_a_foreign_or_unprotected_realm_gets_no_credentials(image: str, realm: str) -> None:
    host = image.partition("/")[0]
    responses.head(f"https://{image.replace('/', '/v2/', 1)}/manifests/latest", status=401, headers=challenge(realm))

    with pytest.raises(RegistryLoginError, match="nothing was sent"):
        resolve_image(image, env={}, credentials=Typed(server=host))

    assert len(responses.calls) == 1


@pytest.mark.parametrize(
    ("image", "realm"),
    [
        ("registry.example.com/team/app", "https://auth.example.com/token"),
        ("registry.example.com/team/app", "https://example.com/jwt/auth"),
        ("registry.example.co.uk/team/app", "https://auth.example.co.uk/token"),
        ("index.docker.io/team/app", "https://auth.docker.io/token"),
        ("registry.example.com:5000/team/app", "https://registry.example.com:5000/token"),
    ],
)
@responses.activate
def test_t34_a_registry_s_own_realm_gets_the_credentials(image: str, realm: str) -> None:
    host, url = image.partition("/")[0], f"https://{image.replace('/', '/v2/', 1)}/manifests/latest"
    responses.head(url, status=401, headers=challenge(realm))
    responses.get(realm, json={"token": "t"})
    responses.head(url, headers=NAMED)

    resolve_image(image, env={}, credentials=Typed(server=host))

    assert sent("GET")[0].headers["Authorization"] == BASIC


@responses.activate
def test_t34_an_address_that_readers_take_for_different_hosts_gets_no_credentials() -> None:
    responses.head(manifest(), status=401, headers=challenge("https://evil.test\\@registry.example.com/token"))

    with pytest.raises(RegistryLoginError, match="is no address: nothing was sent"):
        resolve_image(IMAGE, env={}, credentials=Typed())

    assert len(responses.calls) == 1


@pytest.mark.parametrize(
    "location", ["http://evil.test/x", "http://evil.test\\@localhost/x", "ftp://registry.example.com/x"]
)
@responses.activate
def test_t34_a_redirect_to_an_unprotected_place_or_to_none_is_not_followed(location: str) -> None:
    responses.head(manifest(), status=307, headers={"Location": location})

    with pytest.raises(ServerFaultError, match="plain http, or to no address"):
        resolve_image(IMAGE, env={})

    assert len(responses.calls) == 1


@responses.activate
def test_a_redirect_to_what_cannot_be_read_as_an_address_is_said() -> None:
    responses.head(manifest(), status=307, headers={"Location": "https://["})

    with pytest.raises(UnreachableError, match="an address that is none"):
        resolve_image(IMAGE, env={})


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"{}", b"[]", b"x", '{"token": "\u00e9\u20ac"}'.encode(), b'{"token": ""}']
)
@responses.activate
def test_a_login_that_is_answered_with_no_usable_token_is_said(body: bytes) -> None:
    responses.head(manifest(), status=401, headers=challenge())
    responses.get(REALM, body=body)

    with pytest.raises(ServerFaultError, match="a login without a token"):
        resolve_image(IMAGE, env={}, credentials=Typed())


@responses.activate
def test_t34_a_redirect_to_another_host_carries_no_authorization() -> None:
    responses.head(manifest("latest"), status=401, headers=challenge())
    responses.get(REALM, json={"token": "t"})
    responses.head(manifest("latest"), status=307, headers={"Location": "https://cdn.example/manifest"})
    responses.head("https://cdn.example/manifest", headers=NAMED)

    resolve_image("registry.example.com/team/app", env={})

    assert "Authorization" not in sent()[-1].headers


@pytest.mark.parametrize("target", ["http://cdn.example/x", manifest("latest")])
@responses.activate
def test_a_redirect_to_http_or_in_a_circle_is_refused(target: str) -> None:
    responses.head(manifest("latest"), status=302, headers={"Location": target})

    with pytest.raises(ServerFaultError, match="redirects"):
        resolve_image("registry.example.com/team/app", env={})


# --- the docker configuration ----------------------------------------------------------


def basic_challenge() -> None:
    responses.head(manifest("latest"), status=401, headers={"WWW-Authenticate": "Basic"})
    responses.head(manifest("latest"), headers=NAMED)


AUTH = {"auth": base64.b64encode(b"ci:s3cret").decode()}


@pytest.mark.parametrize(
    "auths",
    [
        {"registry.example.com": AUTH},
        {"https://registry.example.com/v1/": AUTH},
        {"https://registry.example.com": {"username": "ci", "password": "s3cret"}},
    ],
)
@responses.activate
def test_a_login_of_docker_is_used(docker: Callable[..., dict[str, str]], auths: dict[str, object]) -> None:
    basic_challenge()

    resolve_image("registry.example.com/team/app", env=docker(auths=auths))

    assert sent()[1].headers["Authorization"] == BASIC


@responses.activate
def test_docker_s_own_registry_has_its_odd_key(docker: Callable[..., dict[str, str]]) -> None:
    url = "https://index.docker.io/v2/library/nginx/manifests/latest"
    responses.head(url, status=401, headers={"WWW-Authenticate": "Basic"})
    responses.head(url, headers=NAMED)

    resolve_image("nginx", env=docker(auths={"https://index.docker.io/v1/": AUTH}))

    assert sent()[1].headers["Authorization"] == BASIC


@pytest.mark.parametrize(
    "config", [{"credsStore": "keys"}, {"credHelpers": {"registry.example.com": "keys"}, "credsStore": "absent"}]
)
@responses.activate
def test_a_credential_helper_is_asked_for_the_registry(
    docker: Callable[..., dict[str, str]], tmp_path: Path, config: dict[str, object]
) -> None:
    basic_challenge()
    answer = '{"Username":"ci","Secret":"s3cret"}'
    helper(tmp_path, "keys", f'read host; [ "$host" = registry.example.com ] && [ "$1" = get ] && echo \'{answer}\'')

    resolve_image("registry.example.com/team/app", env=docker(**config))

    assert sent()[1].headers["Authorization"] == BASIC


@responses.activate
def test_an_identity_token_is_exchanged_for_a_token(docker: Callable[..., dict[str, str]], tmp_path: Path) -> None:
    responses.head(manifest("latest"), status=401, headers=challenge())
    responses.post(REALM, json={"access_token": "t"})
    responses.head(manifest("latest"), headers=NAMED)
    helper(tmp_path, "keys", 'echo \'{"Username":"<token>","Secret":"refresh-me"}\'')

    resolve_image("registry.example.com/team/app", env=docker(credsStore="keys"))

    body = str(sent("POST")[0].body)
    assert "grant_type=refresh_token" in body
    assert "refresh_token=refresh-me" in body


@pytest.mark.parametrize(
    ("config", "script", "said"),
    [
        ({"credsStore": "absent"}, "", r"docker-credential-absent \(from .*\) is not installed"),
        ({"credsStore": "keys"}, "echo secret-in-a-message; exit 1", "has nothing for registry.example.com"),
        ({"credsStore": "keys"}, "echo not json", "gave an answer that cannot be used"),
        ({"credsStore": "../../evil"}, "", "names no usable credential helper"),
        ({"auths": {"other.example": AUTH}}, "", "has no login for registry.example.com"),
        ({"auths": {"registry.example.com": {"auth": "%%%"}}}, "", "cannot be used|has no login"),
        ({"auths": []}, "", "cannot be used|has no login"),
    ],
)
@responses.activate
def test_a_failed_login_names_what_was_tried(
    docker: Callable[..., dict[str, str]], tmp_path: Path, config: dict[str, object], script: str, said: str
) -> None:
    responses.head(manifest(), status=401, headers={"WWW-Authenticate": "Basic"})
    helper(tmp_path, "keys", script)

    with pytest.raises(RegistryLoginError, match=said) as caught:
        resolve_image(IMAGE, env=docker(**config))

    assert "secret-in-a-message" not in str(caught.value)


@responses.activate
def test_a_broken_docker_configuration_does_not_stop_a_public_image(tmp_path: Path) -> None:
    responses.head(manifest("latest"), headers=NAMED)
    (tmp_path / "config.json").write_text("{")

    image = resolve_image("registry.example.com/team/app", env={"DOCKER_CONFIG": str(tmp_path)})

    assert image.digest == DIGEST


@responses.activate
def test_a_password_in_netrc_is_never_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine registry.example.com login ci password s3cret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    responses.head(manifest("latest"), headers=NAMED)

    resolve_image("registry.example.com/team/app", env={})

    assert "Authorization" not in sent()[0].headers
