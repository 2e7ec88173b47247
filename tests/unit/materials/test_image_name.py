"""Names of container images."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainloop_ci.materials.image_name import canonical_repository, looks_like_image, parse_image_name

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    "value",
    [
        "nginx:1.27",
        "nginx:latest",
        f"nginx@{DIGEST}",
        f"nginx:1.27@{DIGEST}",
        "org/app:v1",
        "ghcr.io/org/app",
        "ghcr.io/org/app:v1",
        "localhost/app",
        "localhost:5000/app:1",
        "registry.example.com:8443/a/b/c:1",
        "127.0.0.1:5000/app",
    ],
)
def test_what_names_a_registry_a_tag_or_a_digest_looks_like_an_image(value):
    assert looks_like_image(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "hello",
        "nginx",
        "v1.2.3",
        "12:30",
        "feature/login",
        "dist/app.tar.gz",
        "./dist/app",
        "/usr/bin/app",
        "../app",
        "https://example.com/a",
        "hello world:1",
        "Nginx:1",
        "name:",
        "name@",
        "name@sha256:abc",
        "a:b:c",
        "C:\\build\\app.exe",
        "key=value",
        "x" * 600 + ":1",
        "nginx:1.27\n",
        "-host.example/app",
    ],
)
def test_anything_else_is_plain_text(value):
    assert not looks_like_image(value)


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("nginx", "index.docker.io/library/nginx"),
        ("nginx:1.27", "index.docker.io/library/nginx"),
        (f"nginx@{DIGEST}", "index.docker.io/library/nginx"),
        ("org/app:v1", "index.docker.io/org/app"),
        ("docker.io/nginx", "index.docker.io/library/nginx"),
        ("docker.io/library/nginx:1", "index.docker.io/library/nginx"),
        ("ghcr.io/org/app:v1", "ghcr.io/org/app"),
        ("localhost:5000/app:1", "localhost:5000/app"),
        ("Not an image", "Not an image"),
        ("", ""),
    ],
)
def test_a_repository_is_written_in_full_without_tag(name, full):
    assert canonical_repository(name) == full


@given(st.text(alphabet="aA0.:/@_- \n", max_size=30))
def test_a_full_name_stays_as_it_is(name):
    once = canonical_repository(name)

    assert canonical_repository(once) == once


def test_an_image_name_is_taken_apart():
    name = parse_image_name(f"localhost:5000/a/b:1@{DIGEST}")

    assert name is not None
    assert (name.host, name.path, name.tag, name.digest) == ("localhost:5000", "a/b", "1", DIGEST)


def test_what_is_no_image_name_is_not_taken_apart():
    assert parse_image_name("Not an image") is None
