"""Brings the command onto an agent: takes a checkout of chainloop, and prints the folder in which its command lies.

Python's standard library only. A checkout says itself how it is installed (`jenkins/provide.py` in it), so that this
library can install another version than its own.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

OLDEST = (3, 11)
# Between the marks: written by `python -m tests.family.jenkins_render --write`.
# begin names
ARGUMENTS = {
    "python": "python",
    "package-index": "packageIndex",
    "wheels": "wheels",
    "source": "source",
    "source-ref": "sourceRef",
    "ca-bundle": "caBundle",
    "proxy": "proxyCredentialsId",
    "no-proxy": "noProxy",
}
# end names
# begin version
DEFAULT_REF = "v0.1.0"
# end version
FETCH_TIMEOUT_SECONDS = 600
_COMMIT = re.compile(r"[0-9a-f]{40}")


def main() -> None:
    """Print the folder of the command of CHAINLOOP_INSTALL_SOURCE at CHAINLOOP_INSTALL_REF."""
    wanted = os.environ.pop("CHAINLOOP_INSTALL_PYTHON", "")
    if sys.platform == "win32" and wanted:
        become(wanted)
    if sys.version_info < OLDEST:
        fail(f"expected Python 3.11 or newer, found {sys.version.split()[0]}: name one with the argument python")
    source = os.environ.get("CHAINLOOP_INSTALL_SOURCE", "")
    if not source:
        fail("source is required: the git address of chainloop, or the folder of a checkout on the agent")
    if is_folder(source):
        print(provide(Path(source).absolute()))
        return
    ref = os.environ.get("CHAINLOOP_INSTALL_REF") or DEFAULT_REF
    kept = kept_answer(ref)
    if kept and (programs := read(kept)):
        print(programs)
        return
    # With the build's other temporary files: removed here, and by Jenkins when we are killed before.
    with tempfile.TemporaryDirectory(prefix="chainloop-", dir=os.environ.get("WORKSPACE_TMP")) as folder:
        programs = provide(fetch(source, ref, Path(folder) / "source"))
    if kept:
        keep(kept, programs)
    print(programs)


def become(python: str) -> NoReturn:
    """Go on with the Python that was named; elsewhere than on Windows the shell has looked for it.

    The variable is gone by then: a launcher starts a Python of another name, which would start the launcher again.
    """
    try:
        sys.exit(subprocess.run([python, "-I", "-B", "-X", "utf8", __file__], check=False).returncode)
    except (OSError, ValueError):
        fail(f"the argument python names no program that can be started: {python[:200]!r}")


def is_folder(text: str) -> bool:
    """Tell whether a text is the path of a folder; some texts cannot be paths.

    A colon before the first slash makes it an address, as for git: a change under review may hold a folder `https:`,
    and does not say what is installed.
    """
    try:
        path = Path(text)
        return ":" not in text.removeprefix(path.drive).partition("/")[0] and path.is_dir()
    except (OSError, ValueError):
        return False


def cache() -> Path:
    """Return where the agent's user keeps what can be made again."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(base) if base else Path.home() / ".cache"


def kept_answer(ref: str) -> Path | None:
    """Return the file that names the folder of a commit: only a commit is the same thing tomorrow."""
    return cache() / "chainloop" / f"at-{ref}" if _COMMIT.fullmatch(ref) else None


def read(kept: Path) -> str:
    """Return the folder that an earlier build has made, if it is still there and nobody else could change it."""
    try:
        programs = kept.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
    places = (kept.parent, kept, Path(programs).parent, Path(programs))
    return programs if all(map(is_ours, places)) and Path(programs).is_dir() else ""


def keep(kept: Path, programs: str) -> None:
    """Write down the folder for later builds."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    if is_ours(kept.parent):
        kept.write_text(programs, encoding="utf-8")
        kept.chmod(0o644)  # some machines let the group write what is made


# begin ours
def is_ours(path: Path) -> bool:
    """Tell whether a file or folder is our own user's, and no other user but root may write to it; no link is.

    Windows says neither by a mode: there everything that exists is.
    """
    try:
        facts = path.lstat()
    except OSError:
        return False
    if sys.platform == "win32":
        return True
    else:  # noqa: RET505 - mypy leaves the other system's branch out, and would find lines after it unreachable
        others = stat.S_IWGRP | stat.S_IWOTH
        return not stat.S_ISLNK(facts.st_mode) and facts.st_uid == os.geteuid() and not facts.st_mode & others


# end ours


def fetch(source: str, ref: str, folder: Path) -> Path:
    """Fetch one commit; git's own credentials on the agent are used, and it never asks."""
    git = shutil.which("git")
    if git is None:
        fail("the argument source is no folder on this agent, and there is no git to fetch it with")
    env = {**os.environ, **git_network(folder.parent), "GIT_TERMINAL_PROMPT": "0"}
    for words in (
        ["init", "--quiet", str(folder)],
        # -c protocol.ext: an address like ext::COMMAND would be a command.
        ["-C", str(folder), "-c", "protocol.ext.allow=never", "fetch", "--quiet", "--depth", "1", "--", source, ref],
        ["-C", str(folder), "checkout", "--quiet", "--detach", "FETCH_HEAD"],
    ):
        try:
            done = subprocess.run(
                [git, *words],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr,
                timeout=FETCH_TIMEOUT_SECONDS,
                check=False,
            )
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            fail(f"git could not fetch the argument source: {type(error).__name__}")
        if done.returncode != 0:
            fail("git could not fetch sourceRef from source (see above): check both, and the agent's access to it")
    return folder


def git_network(folder: Path) -> dict[str, str]:
    """Return git's variables for the arguments proxyCredentialsId, noProxy and caBundle."""
    try:
        return variables_of(os.environ, lambda name: f"argument {ARGUMENTS[name]}", lambda: folder)
    except ValueError as error:
        fail(str(error))


# begin network
MAX_CA_BYTES = 4 * 1024 * 1024
PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY")
TRUST_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO")


def variables_of(env: Mapping[str, str], named: Callable[[str], str], folder: Callable[[], Path]) -> dict[str, str]:
    """Read the inputs as the command itself does (chainloop_ci/network.py); ValueError says what is wrong."""
    found: dict[str, str] = {}
    proxy = env.get("CHAINLOOP_PROXY", "").strip()
    if proxy:
        address = proxy if "://" in proxy else "http://" + proxy
        if not _is_proxy(address):
            # Not the value: it may hold a password.
            wanted = ": expected an address like http://proxy.example.com:3128, with percent signs for /, @, : and #"
            raise ValueError(named("proxy") + wanted + " in a password")
        found.update(dict.fromkeys(PROXY_VARIABLES, address))
    hosts = env.get("CHAINLOOP_NO_PROXY", "").strip()
    if proxy or hosts:
        hosts = hosts or env.get("no_proxy", "").strip() or env.get("NO_PROXY", "")
        found["no_proxy"] = found["NO_PROXY"] = _direct_hosts(hosts)
    bundle = env.get("CHAINLOOP_CA_BUNDLE", "").strip()
    if bundle:
        found.update(dict.fromkeys(TRUST_VARIABLES, str(_trust_too(bundle, env, named("ca-bundle"), folder))))
    return found


def _is_proxy(address: str) -> bool:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, or a bracket
        return False
    return usable and address.isprintable() and " " not in address


def _direct_hosts(listed: str) -> str:
    """Write NO_PROXY so that other programs read it as the command does."""
    entries = [entry.strip().lower() for entry in listed.split(",")]
    if "*" in entries:  # by others it is read alone
        return "*"
    # They know .example.com and not *.example.com; and what leads to this machine is asked of no proxy.
    entries = [entry[1:] if entry.startswith("*.") else entry for entry in entries]
    plain = [entry for entry in entries if entry and entry.isprintable() and " " not in entry]
    return ",".join(dict.fromkeys([*plain, "localhost", "127.0.0.1", "::1"]))


def _trust_too(bundle: str, env: Mapping[str, str], name: str, folder: Callable[[], Path]) -> Path:
    """Write a file with the authorities of the machine and of the bundle: most programs trust one file alone."""
    import hashlib
    import re
    import ssl

    # CI systems keep a text of several lines with its line ends written as a backslash and an n.
    own = bundle.replace("\\n", "\n") if "-----BEGIN" in bundle else _read_bundle(bundle, name)
    # What people write between the blocks is theirs; readers take ASCII only.
    own = own.encode("ascii", "replace").decode("ascii")
    try:
        ssl.create_default_context(cadata=own)
    except (OSError, ValueError) as error:
        raise ValueError(name + ": there are no certificates in it that can be read") from error
    # Everybody may read what is written: a key beside the certificates stays where it was.
    blocks = re.finditer(r"-----BEGIN ([A-Z0-9 ]*CERTIFICATE)-----.*?-----END \1-----", own, re.DOTALL)
    own = "".join(block[0] + "\n" for block in blocks)
    own = "".join(map(ssl.DER_cert_to_PEM_cert, _machine_authorities(env.get("SSL_CERT_FILE") or None))) + own
    path = folder() / ("ca-" + hashlib.sha256(own.encode()).hexdigest()[:16] + ".pem")
    # Whole at once: another step of the job may be reading it.
    written = path.with_name(path.name + "-" + str(os.getpid()))
    written.write_text(own, encoding="ascii")
    written.replace(path)
    return path


def _read_bundle(place: str, name: str) -> str:
    shown = repr(place[:200])
    try:
        path = Path(place)
        if path.exists() and not path.is_file():
            raise ValueError("it is no file")
        with path.open("rb") as file:
            raw = file.read(MAX_CA_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{name}: {shown} cannot be read: {reason}") from error
    if len(raw) > MAX_CA_BYTES:
        raise ValueError(f"{name}: {shown} is larger than {MAX_CA_BYTES} bytes")
    text = raw.decode("utf-8", "replace")
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise ValueError(f"{name}: expected a PEM file, found no certificate in {shown}")
    return text


def _machine_authorities(file: str | None) -> list[bytes]:
    """Return what this machine trusts, or in place of that what the file of SSL_CERT_FILE has."""
    import ssl

    try:
        context = ssl.create_default_context(cafile=file)
    except (OSError, ValueError) as error:
        raise ValueError(f"SSL_CERT_FILE: expected a PEM file with certificates, found {str(file)[:200]!r}") from error
    folder = None if file else ssl.get_default_verify_paths().capath
    # A folder is read when a certificate of it is needed, by names like 4f06f81d.0; here all of it is.
    for path in sorted(Path(folder).glob("*.[0-9]")) if folder else ():
        try:
            context.load_verify_locations(cafile=str(path))
        except OSError:  # a link to nowhere, or none that can be read
            continue
    return context.get_ca_certs(binary_form=True)


# end network


def provide(checkout: Path) -> str:
    """Let a checkout install itself and return the folder of its command."""
    script = checkout / "jenkins" / "provide.py"
    if not script.is_file():
        fail("the argument source holds no checkout of chainloop: jenkins/provide.py is not in it")
    command = [sys.executable, "-I", "-B", "-X", "utf8", str(script)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)
    return done.stdout.strip()


def fail(message: str) -> NoReturn:
    """Say what is wrong where people look, and end."""
    print(f"chainloopInstall: {message}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
