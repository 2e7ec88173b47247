#!/bin/sh
# Looks for a Python that can make an environment, and hands over to install.py. What the step was given are variables
# and stay variables. Everything for people goes to stderr: stdout is the answer.
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
chainloop_where uv
chainloop_maker=$chainloop_path
if chainloop_search "${CHAINLOOP_INSTALL_PYTHON:-}"; then
  exec "$chainloop_python" -I -B -X utf8 "$CHAINLOOP_INSTALL_SCRIPT"
fi
chainloop_found=$(printf %s "${chainloop_found:-none}" | tr -d '\000-\037')
printf '%s\n' '' \
  "chainloopInstall: no Python 3.11 or newer with its modules venv and ensurepip is on this agent (${NODE_NAME:-unknown}); found: $chainloop_found" '' \
  'Ways out:' \
  '1. Install one on the agent, on Debian and Ubuntu `apt-get install python3-venv`, or name one: chainloopInstall(python: PATH).' \
  '2. Run the step on another agent, by its label.' \
  '3. Run it in an image that has the command, and leave `source` out. Build it once in a checkout of chainloop:' \
  '     docker build --target cli --tag registry.example.com/acme/chainloop:1 .' >&2
exit 1
