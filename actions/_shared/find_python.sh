# Sourced by run.sh. `find_python` sets `python` to an interpreter of at least 3.11 that an environment can be made
# with, or ends the step with one error that has everything that was found. Nothing of the job is changed.
# What stands between «begin search» and «end search» is the search of the other plugins too, and copied to them
# (tests/family/gitlab_render.py and jenkins_render.py): it is for any POSIX shell, with or without `set -eu`.

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

find_python() {
  chainloop_where uv
  chainloop_maker=$chainloop_path
  if ! chainloop_search "${CHAINLOOP_INSTALL_PYTHON:-}"; then
    [ -z "${CHAINLOOP_INSTALL_PYTHON:-}" ] || fail_without_python
    try_tool_cache || try_uv || fail_without_python
  fi
  python=$chainloop_python
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
    chainloop_where "$folder/bin/python3"
    [ -n "$chainloop_path" ] || chainloop_where "$folder/python.exe"
    chainloop_try "$folder" "$chainloop_path" && return 0
  done < <(compgen -G "$root/Python/*/$architecture" | sort -rV || true)
  return 1
}

try_uv() {
  local path
  [ -n "$chainloop_maker" ] || return 1
  # Not the environment of the project that is being built, and nothing is downloaded.
  path=$(UV_PYTHON_DOWNLOADS=never "$chainloop_maker" python find --no-project --no-config --system --quiet ">=3.11" \
    2>/dev/null </dev/null || true)
  chainloop_try "a Python of uv" "$path"
}

fail_without_python() {
  escape "expected Python 3.11 or newer that can make an environment (ensurepip, venv, or uv beside it), found: ${chainloop_found:-nothing is called python}. Add a step before this one: «uses: actions/setup-python@a309ff8b426b58ec0e2a45f0f869d46889d02405» with «python-version: '3.12'»; on a machine of your own install python3-venv or uv, or name a Python with the input python."
  echo "::error title=Chainloop has no Python::$escaped"
  exit 1
}

# What an annotation may hold. Source: GitHub Docs, "Workflow commands for GitHub Actions".
escape() {
  escaped=${1//'%'/%25}
  escaped=${escaped//$'\r'/%0D}
  escaped=${escaped//$'\n'/%0A}
}
