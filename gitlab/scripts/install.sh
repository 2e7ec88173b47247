# chainloop: get the command, or say what would help
chainloop_explain() {
  chainloop_registry=${CI_REGISTRY_IMAGE:-registry.example.com/acme}
  printf '%s\n' '' "chainloop: $1" '' \
    'The command gets into a job in one of three ways:' \
    '1. An image that has it. Build and push it once, in a checkout of chainloop:' \
    "     docker build --target cli --tag $chainloop_registry/chainloop:1 ." \
    "     docker push $chainloop_registry/chainloop:1" \
    '   and name it in the input `image` of the template, or in `image:` of the job.' \
    '2. An image with Python 3.11 or newer (with its module venv), and the input `source`: the git address of chainloop,' \
    '   or the folder of a checkout. It is installed from the hash-locked list there, in an environment of its own.' \
    '3. A job of its own: this one only keeps its files as artifacts, and the ready job of the template attests them.' >&2
  exit 1
}

# begin search
# Sets chainloop_python to a Python that serves; what does not is told in chainloop_found. Where chainloop_maker is a
# program that makes environments (uv), ensurepip is not needed.
chainloop_python=
chainloop_found=
# Python 2 and 3 can both read it. Answers: version, whether an environment can be made, and the program itself, which
# for the shim of a version manager or the launcher of Windows is another file.
chainloop_question='
import sys
sys.stdout.write("%d.%d.%d " % sys.version_info[:3])
try:
    from importlib.util import find_spec
    sys.stdout.write("yes " if find_spec("ensurepip") and find_spec("venv") else "no ")
except ImportError:
    sys.stdout.write("no ")
sys.stdout.write(sys.executable)
'

# Set chainloop_path to the program of a name, or to nothing; `command -v` would find words of the shell too.
chainloop_where() {
  chainloop_path=
  case $1 in
    */* | *\\*)
      if [ -f "$1" ] && [ -x "$1" ]; then chainloop_path=$1; fi
      return 0
      ;;
  esac
  chainloop_rest=$PATH:
  while [ -n "$chainloop_rest" ]; do
    chainloop_path=${chainloop_rest%%:*}/$1
    chainloop_rest=${chainloop_rest#*:}
    if [ -f "$chainloop_path" ] && [ -x "$chainloop_path" ]; then return 0; fi
  done
  chainloop_path=
}

# Take a program if it serves. Arguments: what to call it; its path, empty when there is none.
chainloop_try() {
  chainloop_why="is not there"
  if [ -n "$2" ]; then
    # It has to answer: a program that is no Python may well end with 0, and some of Windows only open its store.
    chainloop_answer=$("$2" -I -c "$chainloop_question" 2>/dev/null </dev/null) || :
    chainloop_version=${chainloop_answer%% *}
    chainloop_answer=${chainloop_answer#* }
    case $chainloop_version in
      *[!0-9.]* | *..*) chainloop_why="does not answer as Python 3 does" ;;
      [012].*.* | 3.[0-9].* | 3.10.*) chainloop_why="is $chainloop_version" ;;
      [0-9]*.*.*)
        if [ "${chainloop_answer%% *}" = yes ] || [ -n "${chainloop_maker:-}" ]; then
          chainloop_python=${chainloop_answer#* }
          chainloop_python=${chainloop_python:-$2}
          return 0
        fi
        chainloop_why="is $chainloop_version, without ensurepip or venv"
        ;;
      *) chainloop_why="does not answer as Python 3 does" ;;
    esac
  fi
  chainloop_found="$chainloop_found${chainloop_found:+; }$1 $chainloop_why"
  return 1
}

# Look at the program that was named, and at no other: one in its place would be a surprise. Else on PATH.
chainloop_search() {
  if [ -n "$1" ]; then
    chainloop_where "$1"
    chainloop_try "$1" "$chainloop_path"
    return
  fi
  for chainloop_name in python3 python python3.15 python3.14 python3.13 python3.12 python3.11 py; do
    chainloop_where "$chainloop_name"
    if [ -n "$chainloop_path" ] && chainloop_try "$chainloop_name ($chainloop_path)" "$chainloop_path"; then return 0; fi
  done
  return 1
}
# end search

chainloop_find_python() {
  chainloop_search "${CHAINLOOP_INSTALL_PYTHON:-}" \
    || chainloop_explain "no Python 3.11 or newer with its module venv is in the image of this job; found: $(
      printf %s "${chainloop_found:-none}" | tr -d '\000-\037'
    )"
}

# Proxy and authorities for pip and git, as the command itself reads them.
chainloop_network() {
  if [ -n "${CHAINLOOP_INSTALL_INDEX:-}" ]; then
    PIP_INDEX_URL=$CHAINLOOP_INSTALL_INDEX
    export PIP_INDEX_URL
  fi
  [ -n "${CHAINLOOP_PROXY:-}${CHAINLOOP_NO_PROXY:-}${CHAINLOOP_CA_BUNDLE:-}" ] || return 0
  chainloop_variables=$("$chainloop_python" -I -X utf8 -c '
from __future__ import annotations
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

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

try:
    named = lambda name: "variable CHAINLOOP_PROXY" if name == "proxy" else "input " + name
    print(*map("=".join, variables_of(os.environ, named, lambda: Path(sys.argv[1])).items()), sep="\n")
except ValueError as error:
    sys.exit("chainloop: " + str(error))
' "$chainloop_home") || exit 1
  while IFS= read -r chainloop_variable; do
    [ -z "$chainloop_variable" ] || export "${chainloop_variable?}"
  done <<END
$chainloop_variables
END
}

# The job's own token may read a project of the same server: git asks for it when that server wants a login, and for no
# other one that it is led to. No helper of the image is asked, or told to keep it.
chainloop_git_login() {
  GIT_TERMINAL_PROMPT=0
  export GIT_TERMINAL_PROMPT
  case $CHAINLOOP_INSTALL_SOURCE in "${CI_SERVER_URL:-no server}"/*) ;; *) return ;; esac
  GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=credential.helper GIT_CONFIG_VALUE_0= GIT_CONFIG_KEY_1=credential.$CI_SERVER_URL.helper
  # shellcheck disable=SC2016  # expanded when git asks
  GIT_CONFIG_VALUE_1='!f() { printf "username=gitlab-ci-token\npassword=%s\n" "$CI_JOB_TOKEN"; }; f'
  export GIT_CONFIG_COUNT GIT_CONFIG_KEY_0 GIT_CONFIG_VALUE_0 GIT_CONFIG_KEY_1 GIT_CONFIG_VALUE_1
}

chainloop_fetch() {
  # A colon before the first slash makes it an address, as for git: a change under review may hold a folder `https:`, and
  # does not say what is installed.
  case ${CHAINLOOP_INSTALL_SOURCE%%/*} in
    *:*) chainloop_folder= ;;
    *) chainloop_folder=$CHAINLOOP_INSTALL_SOURCE ;;
  esac
  if [ -d "$chainloop_folder" ]; then
    ln -s "$(cd -- "$chainloop_folder" && pwd)" "$chainloop_home/source"
  elif command -v git >/dev/null 2>&1; then
    chainloop_git_login
    git init --quiet "$chainloop_home/source" \
      && cd "$chainloop_home/source" \
      && git fetch --quiet --depth 1 -- "$CHAINLOOP_INSTALL_SOURCE" "${CHAINLOOP_INSTALL_REF:-HEAD}" \
      && git checkout --quiet FETCH_HEAD \
      && cd - >/dev/null \
      || chainloop_explain "git could not fetch ${CHAINLOOP_INSTALL_REF:-HEAD} of the input source"
  else
    chainloop_explain "the input source is no folder here, and there is no git in the image of this job to fetch it with"
  fi
  [ -f "$chainloop_home/source/requirements/client.txt" ] \
    || chainloop_explain "the input source holds no checkout of chainloop: requirements/client.txt is not in it"
}

# Settings of pip that say where packages come from count, as for the action; others would put them elsewhere.
chainloop_pip_settings() {
  for chainloop_name in $(env | sed -n 's/^\(PIP_[A-Z_]*\)=.*/\1/p'); do
    case $chainloop_name in
      PIP_INDEX_URL | PIP_EXTRA_INDEX_URL | PIP_TRUSTED_HOST | PIP_CERT | PIP_CLIENT_CERT | PIP_PROXY) ;;
      PIP_CACHE_DIR | PIP_NO_CACHE_DIR | PIP_CONFIG_FILE | PIP_TIMEOUT | PIP_DEFAULT_TIMEOUT | PIP_RETRIES) ;;
      PIP_KEYRING_PROVIDER) ;;
      *) unset "$chainloop_name" ;;
    esac
  done
}

chainloop_install() {
  chainloop_find_python
  chainloop_pip_settings
  # Not -p, which takes a link that somebody puts there meanwhile.
  rm -rf "$chainloop_home" && (umask 077 && mkdir "$chainloop_home" "$chainloop_home/bin") && [ -O "$chainloop_home" ] \
    || chainloop_explain "$chainloop_home cannot be made, or belongs to somebody else"
  chainloop_network
  chainloop_fetch
  # Wheels only: building a source package runs its code and fetches what no lock names.
  set -- --require-hashes --no-deps --only-binary :all: -r "$chainloop_home/source/requirements/client.txt"
  if [ -n "${CHAINLOOP_INSTALL_WHEELS:-}" ]; then set -- --no-index --find-links "$CHAINLOOP_INSTALL_WHEELS" "$@"; fi
  "$chainloop_python" -I -m venv "$chainloop_home/environment" \
    && "$chainloop_home/environment/bin/python" -I -m pip install --quiet --disable-pip-version-check "$@" \
    || chainloop_explain "the packages of requirements/client.txt could not be installed"
  # -P and PYTHONPATH: neither the job's folder nor its own PYTHONPATH has a say in what is imported.
  # shellcheck disable=SC2016  # expanded when the command runs
  printf '%s\n' '#!/bin/sh' 'home=${0%/bin/chainloop}' 'unset PYTHONHOME' \
    'PYTHONPATH=$home/source exec "$home/environment/bin/python" -P -m chainloop_ci "$@"' >"$chainloop_home/bin/chainloop"
  chmod 700 "$chainloop_home/bin/chainloop"
}

if ! command -v chainloop >/dev/null 2>&1; then
  # shellcheck disable=SC2016  # backticks for people
  [ -n "${CHAINLOOP_INSTALL_SOURCE:-}" ] || chainloop_explain 'there is no command `chainloop` in the image of this job'
  # A shell of its own: what is set for the installation is not set for the job.
  (chainloop_install) || exit 1
  PATH=$chainloop_home/bin:$PATH
fi
