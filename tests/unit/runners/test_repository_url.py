"""Addresses are recorded without credentials."""

from __future__ import annotations

import pytest

from chainloop_ci.runners.repository_url import without_credentials


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/acme/api.git", "https://github.com/acme/api.git"),
        ("https://user:secret@github.com/acme/api", "https://github.com/acme/api"),
        ("https://ghp_secret@github.com/acme/api", "https://github.com/acme/api"),
        ("https://u:p@ss@github.com/acme/api", "https://github.com/acme/api"),
        ("https://gitlab.test/api?private_token=secret#secret", "https://gitlab.test/api"),
        ("HTTPS://x:secret@github.com/a", "HTTPS://github.com/a"),
        ("ssh://git:secret@host:22/a/b", "ssh://git@host:22/a/b"),
        ("ssh://git@host/a/b", "ssh://git@host/a/b"),
        ("git@github.com:acme/api.git", "git@github.com:acme/api.git"),
        ("/srv/git/api.git", "/srv/git/api.git"),
        ("", ""),
    ],
)
def test_credentials_are_removed_and_the_rest_kept(url, expected):
    assert without_credentials(url) == expected
