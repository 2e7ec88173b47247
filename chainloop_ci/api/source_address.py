"""Where the code of a workflow lives: `github:OWNER/REPO`, `gitlab:GROUP/PROJECT`, `jenkins:https://HOST/job/NAME`.

`KIND:PATH` is a repository of the public forge, `KIND:URL` one of any other: `github:https://ghe.example.com/acme/app`.
A GitLab below a path of its host has `//` between its own address and the project: `gitlab:https://h/gitlab//group/app`.
A Jenkins is named by the address of a job, as the browser shows it.
"""

from __future__ import annotations

import re
from enum import StrEnum
from urllib.parse import SplitResult, quote, unquote, urlsplit

from chainloop_ci.errors import UsageError
from chainloop_ci.records import record

MAX_SOURCE = 1024
"""Characters of a written source."""
MAX_REPOSITORY = 512
"""Characters of the path in it."""


class SourceKind(StrEnum):
    """Which system holds the code, or runs the job."""

    GITHUB = "github"
    GITLAB = "gitlab"
    JENKINS = "jenkins"


_PUBLIC = {SourceKind.GITHUB: "https://github.com", SourceKind.GITLAB: "https://gitlab.com"}
_EXAMPLES = {
    SourceKind.GITHUB: "github:OWNER/REPO, or github:https://HOST/OWNER/REPO for GitHub Enterprise Server",
    SourceKind.GITLAB: "gitlab:GROUP/PROJECT, or gitlab:https://HOST/GROUP/PROJECT for a GitLab of your own",
    SourceKind.JENKINS: "jenkins:https://HOST/job/NAME, the address of the job",
}
_PORTS = {"http": 80, "https": 443}
_SEGMENT = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*\Z")
_HOST = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?|[0-9a-f:.]*:[0-9a-f:.]*"
)
_JOB = re.compile(r"(?P<prefix>(?:/[^/]+)*?)(?P<jobs>(?:/job/[^/]+)+)/?\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@record
class SourceAddress:
    """A repository of a forge, or a job of a Jenkins."""

    kind: SourceKind
    host: str
    """Base address in one spelling: `https://github.com`; a port that says something and a path are kept."""
    repository: str
    """Full path, as it was written: `acme/app`; of a Jenkins the full name of the job: `folder/app`."""

    def __str__(self) -> str:
        if self.kind is SourceKind.JENKINS:
            return f"jenkins:{self.host}" + "".join(f"/job/{quote(name)}" for name in self.repository.split("/"))
        if self.host == _PUBLIC[self.kind]:
            return f"{self.kind}:{self.repository}"
        has_path = bool(urlsplit(self.host).path)
        return f"{self.kind}:{self.host}{'//' if has_path else '/'}{self.repository}"

    @property
    def key(self) -> str:
        """Return what two spellings of one repository share: forges ignore the case of names."""
        return f"{forge_key(self.host)}/{self.repository.lower()}"


def forge_key(host: str) -> str:
    """Return a base address without its scheme: http and https lead to the same forge."""
    return host.partition("://")[2]


def parse_source(text: str) -> SourceAddress:
    """Return the source that somebody wrote.

    Raises:
        UsageError: says which forms there are.
    """
    word, colon, rest = text.strip().partition(":")
    kind = next((kind for kind in SourceKind if kind == word), None)
    if not colon or kind is None:
        raise UsageError(
            f"expected a source that begins with github:, gitlab: or jenkins:, found {_shown(text)}",
            hint="; ".join(_EXAMPLES.values()),
        )
    if len(text) > MAX_SOURCE:
        raise UsageError(f"a source has at most {MAX_SOURCE} characters, this one has {len(text)}")
    if rest[:8].lower().startswith(("http://", "https://")):
        parts = _split(kind, rest)
        base = _base(kind, parts)
        prefix, path = _divide(kind, parts.path, text)
        return SourceAddress(kind, base + prefix, _repository(kind, path, text))
    if kind is SourceKind.JENKINS:
        raise _refused(kind, text)
    return SourceAddress(kind, _PUBLIC[kind], _repository(kind, rest, text))


def of_claim(kind: SourceKind, server_url: str, path: str) -> SourceAddress:
    """Return the source that a CI system names by its own address and the path of repository or job.

    Raises:
        UsageError: it is none.
    """
    return parse_source(str(SourceAddress(kind, server_url.rstrip("/"), path)))


def _split(kind: SourceKind, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise UsageError(f"the source {_shown(url)} is no address: {error}", hint=_EXAMPLES[kind]) from error
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"the source of {host[:200]} holds credentials", hint=f"leave them out: {_EXAMPLES[kind]}")
    if parts.query or parts.fragment or not url.isprintable() or " " in url:
        raise UsageError(f"a source ends with its path and has no blanks, found {_shown(url)}", hint=_EXAMPLES[kind])
    if not _HOST.fullmatch(host):
        raise UsageError(f"{host[:200]!r} is no host name", hint="write it in ASCII, as certificates do (punycode)")
    return parts


def _base(kind: SourceKind, parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    named = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port not in (None, _PORTS[parts.scheme]) else ""
    base = f"{parts.scheme}://{named}{port}"
    public = _PUBLIC.get(kind)
    # The public forges answer http by leading to https; one repository has one address.
    return public if public and forge_key(base) == forge_key(public) else base


def _divide(kind: SourceKind, path: str, text: str) -> tuple[str, str]:
    """Return the path below which the forge is installed, and the one that names the repository or the job."""
    if kind is SourceKind.JENKINS:
        match = _JOB.match(path)
        if match is None:
            raise _refused(kind, text)
        names = [unquote(name) for name in match["jobs"].split("/job/")[1:]]
        if any("/" in name or _CONTROL.search(name) for name in names):
            raise _refused(kind, text)
        return match["prefix"], "/".join(names)
    if kind is SourceKind.GITLAB and "//" in path:
        prefix, _, path = path.partition("//")
        return prefix, path
    return "", path


def _repository(kind: SourceKind, path: str, text: str) -> str:
    """Return the full path of a repository, when it can be one."""
    path = path.strip("/")
    if len(path) > MAX_REPOSITORY:
        raise UsageError(f"the path of a source has at most {MAX_REPOSITORY} characters, this one has {len(path)}")
    if kind is SourceKind.JENKINS:
        return path
    path = path.removesuffix(".git")
    segments = path.split("/")
    too_many = kind is SourceKind.GITHUB and len(segments) > 2
    # No forge lets a name end with .git, and what did would be another repository when it is read again.
    is_address = path.endswith(".git")
    if len(segments) < 2 or too_many or is_address or not all(_is_name(part) for part in segments):
        raise _refused(kind, text)
    return path


def _is_name(segment: str) -> bool:
    return _SEGMENT.match(segment) is not None and bool(segment.strip("."))


def _refused(kind: SourceKind, text: str) -> UsageError:
    return UsageError(f"expected a source like {_EXAMPLES[kind]}; found {_shown(text)}")


def _shown(text: str) -> str:
    """Return what may be shown of a source: never what stands before an @."""
    return repr(text.rsplit("@", 1)[-1][:200])
