# Sourced by run.sh. `find_python` sets `python` to an interpreter of at least 3.11 that an environment can be made
# with, or ends the step with one error that has everything that was found. Nothing of the job is changed.

readonly oldest_minor=11
readonly newest_minor=15
# Python 2 and 3 can both read it. Answers: version, whether an environment can be made, and the program itself, which
# for the shim of a version manager or the launcher of Windows is another file.
readonly question='
import sys
sys.stdout.write("%d.%d.%d " % sys.version_info[:3])
try:
    from importlib.util import find_spec
    sys.stdout.write("yes " if find_spec("ensurepip") and find_spec("venv") else "no ")
except ImportError:
    sys.stdout.write("no ")
sys.stdout.write(sys.executable)
'
python=
uv=
found=()

find_python() {
  uv=$(type -P uv || true)
  if [ -n "${CHAINLOOP_INSTALL_PYTHON:-}" ]; then
    # Who names one means that one: another in its place would be a surprise.
    try_python "$(type -P -- "$CHAINLOOP_INSTALL_PYTHON" || true)" "$CHAINLOOP_INSTALL_PYTHON" && return 0
  else
    try_path || try_tool_cache || try_uv && return 0
  fi
  fail_without_python
}

# Take the program if it serves. Arguments: its path, empty when there is none; what to call it.
try_python() {
  local path=$1 name=$2 answer version can_make
  if [ -z "$path" ]; then
    found+=("$name is not there")
    return 1
  fi
  # Windows has programs called python that only open its store.
  answer=$("$path" -I -c "$question" 2>/dev/null </dev/null || true)
  read -r version can_make answer <<<"$answer" || true
  if ! [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]; then
    found+=("$name does not answer as Python 3 does")
  elif ! is_new_enough "$version"; then
    found+=("$name is $version")
  elif [ "$can_make" != yes ] && [ -z "$uv" ]; then
    found+=("$name is $version, without ensurepip or venv")
  else
    python=${answer:-$path}
    return 0
  fi
  return 1
}

is_new_enough() {
  local major=${1%%.*} rest=${1#*.}
  [ "$major" -gt 3 ] || { [ "$major" -eq 3 ] && [ "${rest%%.*}" -ge "$oldest_minor" ]; }
}

try_path() {
  local name path minor names=(python3 python)
  for ((minor = newest_minor; minor >= oldest_minor; minor--)); do
    names+=("python3.$minor")
  done
  for name in "${names[@]}" py; do
    path=$(type -P "$name" || true)
    if [ -n "$path" ]; then
      try_python "$path" "$name ($path)" && return 0
    fi
  done
  return 1
}

# What actions/setup-python keeps: Python/VERSION/ARCHITECTURE.
try_tool_cache() {
  local root=${RUNNER_TOOL_CACHE:-} folder architecture
  [ -n "$root" ] || return 1
  root=${root//\\//} # of Windows: in a pattern a backslash escapes
  case ${RUNNER_ARCH:-} in
    ARM64) architecture=arm64 ;;
    *) architecture=x64 ;;
  esac
  while IFS= read -r folder; do
    try_python "$(type -P "$folder/bin/python3" || type -P "$folder/python.exe" || true)" "$folder" && return 0
  done < <(compgen -G "$root/Python/*/$architecture" | sort -rV || true)
  return 1
}

try_uv() {
  local path
  [ -n "$uv" ] || return 1
  # Not the environment of the project that is being built, and nothing is downloaded.
  path=$(UV_PYTHON_DOWNLOADS=never "$uv" python find --no-project --no-config --system --quiet ">=3.$oldest_minor" \
    2>/dev/null </dev/null || true)
  try_python "$path" "a Python of uv"
}

fail_without_python() {
  local list="nothing is called python" entry
  if [ ${#found[@]} -gt 0 ]; then
    list=
    for entry in "${found[@]}"; do
      list+="${list:+; }$entry"
    done
  fi
  escape "expected Python 3.$oldest_minor or newer that can make an environment (ensurepip, venv, or uv beside it), found: $list. Add a step before this one: «uses: actions/setup-python@a309ff8b426b58ec0e2a45f0f869d46889d02405» with «python-version: '3.12'»; on a machine of your own install python3-venv or uv, or name a Python with the input python."
  echo "::error title=Chainloop has no Python::$escaped"
  exit 1
}

# What an annotation may hold. Source: GitHub Docs, "Workflow commands for GitHub Actions".
escape() {
  escaped=${1//'%'/%25}
  escaped=${escaped//$'\r'/%0D}
  escaped=${escaped//$'\n'/%0A}
}
