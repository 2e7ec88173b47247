"""The environment of the command: the locked packages, and nothing else.

Installed by uv where the runner has it, else by the pip that Python carries; every file must have one of the lock's
hashes. Made once for a lock, an interpreter and a machine, then used by every job that finds it.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from log import InstallError, input_named, is_verbose, show
from places import kept_folder, provide

Named = Callable[[str], str]
INSTALL_TIMEOUT_SECONDS = 900
UNREACHABLE = 6
"""As the command's own exit code when a machine of the network does not answer."""
# Where packages come from may be a setting of the job or the machine; everything else of pip and uv is ours: an option
# like PIP_TARGET would put the packages elsewhere, and no child needs to know a token.
_KEPT = re.compile(
    r"PATH|HOME|USERPROFILE|APPDATA|LOCALAPPDATA|PROGRAMDATA|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|PATHEXT"
    r"|PROCESSOR_ARCHITECTURE|TEMP|TMP|TMPDIR|LANG|XDG_\w+|NETRC"
    r"|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|(https?|all|no)_proxy"
    r"|PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|CERT|CLIENT_CERT|PROXY|CACHE_DIR|NO_CACHE_DIR|CONFIG_FILE|TIMEOUT"
    r"|DEFAULT_TIMEOUT|RETRIES|KEYRING_PROVIDER)"
    r"|UV_(INDEX\w*|DEFAULT_INDEX|EXTRA_INDEX_URL|CACHE_DIR|NO_CACHE|CONFIG_FILE|NATIVE_TLS|SYSTEM_CERTS|HTTP_TIMEOUT"
    r"|INSECURE_HOST|KEYRING_PROVIDER|LINK_MODE|CONCURRENT\w+|OFFLINE)",
    re.IGNORECASE,
)
_NO_ANSWER = re.compile(
    r"ProxyError|ConnectTimeout|NewConnectionError|Failed to establish|name resolution|Connection (refused|reset)"
    r"|timed out|dns error|error sending request|tunnel|407 Proxy|\(from versions: none\)",
    re.IGNORECASE,
)
_OTHER_FILE = re.compile(r"HASHES|hash mismatch|Bad CRC|Failed to extract", re.IGNORECASE)


def provide_environment(lock: Path, env: Mapping[str, str], named: Named = input_named) -> Path:
    """Return the Python of an environment with the packages of `lock`; `named` returns what an input is called.

    Raises:
        InstallError: it cannot be made.
    """
    folder = kept_folder(env) / f"env-{_key(lock)}"
    return python_of(provide(folder, _works, partial(_fill, lock=lock, env=env, named=named)))


def python_of(environment: Path) -> Path:
    """Return where an environment has its Python."""
    return environment / "Scripts" / "python.exe" if os.name == "nt" else environment / "bin" / "python"


def _works(environment: Path) -> bool:
    # The interpreter is a link to the one it was made with, which may be gone.
    return python_of(environment).exists()


def _key(lock: Path) -> str:
    base = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    machine = f"{sys.platform} {getattr(sys.implementation, '_multiarch', '')}"
    facts = (hashlib.sha256(lock.read_bytes()).hexdigest(), sys.version, base, machine)
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:24]


def _fill(environment: Path, *, lock: Path, env: Mapping[str, str], named: Named) -> None:
    from shutil import which  # here, not above, as all that only an install needs

    source, extra = _source(env, named)
    clean = {name: value for name, value in env.items() if _KEPT.fullmatch(name)}
    clean |= {"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"} if "--no-index" in source else {}
    clean |= extra
    uv = which("uv", path=env.get("PATH"))
    if uv:
        # The interpreter that was found, and none that uv would choose.
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(environment)], environment, clean, named)
        install = [uv, "pip", "install", "--python", str(python_of(environment)), "--only-binary", ":all:"]
    else:
        _run([sys.executable, "-I", "-m", "venv", "--without-pip", str(environment)], environment, clean, named)
        install = [*_pip(environment, clean, named), "install", "--only-binary=:all:", "--no-compile", "--no-input"]
        install += ["--disable-pip-version-check", "--no-warn-script-location"]
    _run([*install, "--require-hashes", "--no-deps", *source, "-r", str(lock)], environment, clean, named)


def _source(env: Mapping[str, str], named: Named = input_named) -> tuple[list[str], dict[str, str]]:
    """Return options and variables for where the packages come from.

    Raises:
        InstallError: an input cannot be used.
    """
    wheels, index = env.get("CHAINLOOP_INSTALL_WHEELS"), env.get("CHAINLOOP_INSTALL_INDEX")
    if wheels:
        folder = Path(wheels).absolute()
        if not _is_folder(folder):
            raise InstallError(f"{named('wheels')}: expected a folder, found none at {wheels[:200]!r}")
        return ["--no-index", f"--find-links={folder}"], {}
    if index:
        if not _is_address(index):
            # Not the value: it may hold a password. Nor is it given as an option: others can read command lines.
            raise InstallError(f"{named('package-index')}: expected an address that begins with https:// or http://")
        return [], {"PIP_INDEX_URL": index, "UV_DEFAULT_INDEX": index}
    return [], {}


def _pip(environment: Path, env: Mapping[str, str], named: Named) -> list[str]:
    """Return the command for pip in `environment`, run from the wheel that Python carries: it is not installed."""
    import ensurepip
    import sysconfig

    folders = [sysconfig.get_config_var("WHEEL_PKG_DIR"), Path(ensurepip.__file__).parent / "_bundled"]
    wheels = sorted(wheel for folder in folders if folder for wheel in Path(folder).glob("pip-*.whl"))
    python = str(python_of(environment))
    if wheels:
        start = "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module('pip', run_name='__main__')"
        return [python, "-I", "-c", start, str(wheels[-1])]
    _run([python, "-I", "-m", "ensurepip", "--default-pip"], environment, env, named)
    return [python, "-I", "-m", "pip"]


def _run(command: list[str], folder: Path, env: Mapping[str, str], named: Named) -> None:
    import subprocess

    # In a folder of ours: uv would read the settings of the project that is being built, which a pull request changes.
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**env, "PYTHONUTF8": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=INSTALL_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InstallError(
            f"the packages were not installed within {INSTALL_TIMEOUT_SECONDS} seconds: is the index reachable?",
            status=UNREACHABLE,
            output=(error.stdout or b"").decode("utf-8", "replace"),
        ) from error
    printed = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0:
        raise _failed(command, printed, named)
    if is_verbose() and printed.strip():
        show("Install", printed)


def _failed(command: list[str], printed: str, named: Named) -> InstallError:
    program = Path(command[0]).stem
    if _OTHER_FILE.search(printed):
        return InstallError(
            "a package is not the one of the lock: its hash differs (see above). Nothing was installed; look at "
            "the index or the wheel folder that it came from",
            output=printed,
        )
    if "--no-index" not in command and _NO_ANSWER.search(printed):
        looked = ", ".join(named(name) for name in ("package-index", "proxy", "no-proxy", "ca-bundle"))
        return InstallError(
            f"the package index did not answer (see above): check {looked}; or give the wheels of "
            f"requirements/client.txt in {named('wheels')}",
            status=UNREACHABLE,
            output=printed,
        )
    return InstallError(f"{program} could not make the environment (see above)", output=printed)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # longer than a path may be, or with a NUL
        return False


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and text.isprintable() and " " not in text
