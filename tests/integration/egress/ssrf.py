"""The list of addresses that no tenant may reach (R45, T33), and how each way out is used with one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import github

from server.egress.github import github_client
from server.egress.gitlab import gitlab_client
from server.egress.transport import Transport
from tests.conftest import PROJECT
from tests.integration.egress.conftest import SECONDS, SECRET

LIST = PROJECT.parent / "shared" / "corpus" / "ssrf-urls.txt"
Use = Callable[[Transport, str], object]


def read_list() -> list[str]:
    """Return the lines; none where the corpus is not beside the project (the tests are skipped then)."""
    lines = Path(LIST).read_text(encoding="utf-8").splitlines() if LIST.is_file() else []
    return [line for line in lines if line and not line.startswith("#")]


def urls() -> list[str]:
    """Return every address, those with http:// also with https://: the one must not hide the other's refusal."""
    plain = [line for line in read_list() if not line.startswith(("NAME ", "REDIRECT ", "LINK "))]
    return [*plain, *(line.replace("http:", "https:", 1) for line in plain if line.startswith("http:"))]


def names() -> dict[str, list[Sequence[str]]]:
    """Return the names of the list with their answers."""
    found: dict[str, list[Sequence[str]]] = {}
    for line in read_list():
        if not line.startswith("NAME "):
            continue
        name, _, said = line.removeprefix("NAME ").partition(" -> ")
        if said.startswith("first answer "):
            first, second = said.removeprefix("first answer ").split(", second answer ")
            found[name] = [[first], [second]]
        else:
            # The system's resolver follows a CNAME and returns what is at its end.
            found[name] = [["127.0.0.1"] if said == "CNAME localhost" else said.split(", ")]
    return found


def post(transport: Transport, url: str) -> object:
    """Deliver a webhook."""
    return transport.post(url, b"{}", {"Authorization": SECRET}, deadline_seconds=SECONDS)


def ask_github(transport: Transport, url: str) -> object:
    """Read a repository from GitHub."""
    return github_client(transport, url, github.Auth.Token(SECRET)).get_repo("a/b").complete()


def ask_gitlab(transport: Transport, url: str) -> object:
    """Read a project from GitLab."""
    return gitlab_client(transport, url, private_token=SECRET).projects.get(7)


USES: dict[str, Use] = {"webhook": post, "github": ask_github, "gitlab": ask_gitlab}
